// What a caller on shard 0 gets, from outside.
//
// Affinity: the test's thread, which all virtual shards share.
#pragma once

#include <starling/virtual_shards.hh>
#include <stdexcept>
#include <utility>

namespace starling {

/// Runs `task` on shard 0 of `shards` until it has ended, and gives its result.
template <class F>
auto run_on_0(VirtualShards& shards, F task) {
    auto handle = shards.spawn(0, std::move(task));
    shards.run();
    if (!handle.done()) throw std::logic_error("the caller on shard 0 still waits for its answer");
    return handle.finish();
}

}  // namespace starling
