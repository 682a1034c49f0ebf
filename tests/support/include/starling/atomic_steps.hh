// ActAtStep: "another thread acts here", before the k-th atomic operation of what a test calls.
//
//     for (int step = 0;; ++step) {
//         World world;
//         ActAtStep act(step, [&] { world.other_shard_sends(); });
//         world.this_shard_goes_to_sleep();
//         if (!act.done()) break;              // every place has had its turn
//         EXPECT_TRUE(world.nothing_was_lost()) << "acted before step " << step;
//     }
//
// All of it on one thread: each order is tried exactly once, and the same ones every time. Only in builds
// with assertions, where Atomic<T> has its hook (atomic.hh); elsewhere skip the test.
//
// Affinity: owner shard.
#pragma once

#include <starling/atomic.hh>
#include <utility>

namespace starling {

/// Steps of this thread while it lives; one at a time. \affinity owner shard
template <class F>
class ActAtStep {
  public:
    /// Calls `act` once, before operation number `step`, counted from 0. What `act` does is not counted.
    ActAtStep(int step, F act) : step_(step), act_(std::move(act)) {
        current = this;
        set_hook(&on_step);
    }
    ~ActAtStep() { set_hook(nullptr); }
    ActAtStep(const ActAtStep&) = delete;
    ActAtStep& operator=(const ActAtStep&) = delete;

    /// Whether it came to that.
    bool done() const noexcept { return seen_ > step_; }
    /// How many atomic operations there were.
    int seen() const noexcept { return seen_; }

  private:
    static void on_step() {
        ActAtStep& self = *current;
        if (self.seen_++ != self.step_) return;
        set_hook(nullptr);
        self.act_();
        set_hook(&on_step);
    }
    static void set_hook([[maybe_unused]] void (*hook)()) noexcept {
#ifndef NDEBUG
        detail::atomic_hook = hook;
#endif
    }

    static inline thread_local ActAtStep* current = nullptr;
    int step_;
    int seen_ = 0;
    F act_;
};

}  // namespace starling
