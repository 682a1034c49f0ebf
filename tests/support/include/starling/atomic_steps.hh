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
// All of it on one thread: each order is tried exactly once, and the same ones every time. Only in
// builds with assertions, where Atomic<T> has its hook (atomic.hh); elsewhere skip the test.
//
// Affinity: owner shard.
#pragma once

#include <starling/atomic.hh>
#include <utility>
#include <vector>

namespace starling {

/// Whether Atomics call the hook.
#ifdef NDEBUG
inline constexpr bool kAtomicHooks = false;
#else
inline constexpr bool kAtomicHooks = true;
#endif

/// Hears of each atomic operation of this thread while it lives; one at a time. \affinity owner
/// shard
class AtomicWatch {
  public:
    AtomicWatch(const AtomicWatch&) = delete;
    AtomicWatch& operator=(const AtomicWatch&) = delete;

  protected:
    AtomicWatch() { watch(true); }
    ~AtomicWatch() { watch(false); }
    /// Before the operation is done.
    virtual void on_step(const detail::AtomicStep& step) = 0;
    void watch(bool on) noexcept {
        current = on ? this : nullptr;
        detail::atomic_hook = nullptr;
        if (on) detail::atomic_hook = [](const detail::AtomicStep& s) { current->on_step(s); };
    }

  private:
    static inline thread_local AtomicWatch* current = nullptr;
};

/// Acts once in the course of what a test calls. \affinity owner shard
template <class F>
class ActAtStep final : AtomicWatch {
  public:
    /// Calls `act` before operation number `step`, counted from 0. What `act` does is not counted.
    ActAtStep(int step, F act) : step_(step), act_(std::move(act)) {}

    /// Whether it came to that.
    bool done() const noexcept { return seen_ > step_; }
    /// How many atomic operations there were.
    int seen() const noexcept { return seen_; }

  private:
    void on_step(const detail::AtomicStep&) override {
        if (seen_++ != step_) return;
        watch(false);
        act_();
        watch(true);
    }
    int step_;
    int seen_ = 0;
    F act_;
};

/// All of them, in their order. \affinity owner shard
class AtomicTrace final : AtomicWatch {
  public:
    const std::vector<detail::AtomicStep>& steps() const noexcept { return steps_; }

  private:
    void on_step(const detail::AtomicStep& step) override { steps_.push_back(step); }
    std::vector<detail::AtomicStep> steps_;
};

}  // namespace starling
