// What a caller on shard 0 gets, from outside; and one that is no coroutine.
//
// Affinity: the test's thread, which all virtual shards share.
#pragma once

#include <starling/context.hh>
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

/// Waits for an operation and counts how often it goes on: nothing of it is gone when that is once
/// too often.
struct CountingCaller final : Continuation {
    CountingCaller() { set_context(&task); }
    void resume() noexcept override { ++resumed; }
    Context task;
    int resumed = 0;
};

/// Calls `f` as shard 0, between two of its turns.
template <class F>
auto as_shard_0(VirtualShards& shards, F f) {
    Executor::Enter scope(shards.executor(0));
    return f();
}

}  // namespace starling
