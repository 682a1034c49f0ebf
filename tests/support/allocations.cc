// Replaces the global operator new by one that counts. ThreadSanitizer brings its own, which cannot
// be replaced: there the count stays at zero.
#include <starling/allocations.hh>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<std::size_t> count{0};
}

#if defined(__has_feature)
#define STARLING_HAS_FEATURE(x) __has_feature(x)
#else
#define STARLING_HAS_FEATURE(x) 0
#endif
#if !defined(__SANITIZE_THREAD__) && !STARLING_HAS_FEATURE(thread_sanitizer)
void* operator new(std::size_t bytes) {
    count.fetch_add(1);
    if (void* memory = std::malloc(bytes == 0 ? 1 : bytes)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
#endif

std::size_t starling::test::allocations() noexcept { return count.load(); }
