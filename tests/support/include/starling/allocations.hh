// Counts what this test program takes from the heap.
#pragma once
#include <cstddef>

namespace starling::test {

/// Allocations through `operator new` since the start.
std::size_t allocations() noexcept;

}  // namespace starling::test
