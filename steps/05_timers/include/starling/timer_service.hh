// TimerService: an executor's timer wheel, as a source of events and an ambient service.
//
//     sleep(…) ─► arm ─► [ wheel ] ─► poll() ─► Timer::expired(), of whoever is due
//                            └──────► deadline(): how long the executor may sleep
//
// A poll calls a bounded number of timers and moves a bounded number of them, so that a million
// that expire together do not keep I/O waiting.
//
// Affinity: owner shard.
#pragma once

#include <starling/executor.hh>
#include <starling/timer_wheel.hh>
#include <starling/todo.hh>

namespace starling {

/// The timers of one executor's tasks. \affinity owner shard
class TimerService final : public EventSource {
  public:
    static constexpr ServiceSlot kSlot = ServiceSlot::timer;
    static constexpr const char* kName = "a TimerService";

    /// Adds itself to `executor`, which outlives it.
    explicit TimerService(Executor& executor)
        : executor_(executor), wheel_(executor.clock().now()) {
        executor_.add_source(*this);
        provide_service(executor_.env(), this);
    }
    /// Sleepers that are left do not wake any more, but can still be stopped.
    ~TimerService() override {
        provide_service<TimerService>(executor_.env(), nullptr);
        executor_.remove_source(*this);
    }
    TimerService(const TimerService&) = delete;
    TimerService& operator=(const TimerService&) = delete;

    /// Has a poll call `timer.expired()` when its deadline has passed. \pre not armed. O(1).
    void arm(Timer& timer) { wheel_.insert(timer); }

    /// The time when this turn of the executor began. Free, and never ahead of the clock.
    TimePoint now() const noexcept { return executor_.now(); }
    /// The deadline that is `delay` from this moment on; TimePoint::max() if that is beyond all
    /// time.
    TimePoint after(Duration delay) const noexcept {
        // BEGIN 5.4: sleep
        // Zero or less is `now()`. All else counts from this very moment, however long the turn has
        // lasted, and ends at TimePoint::max() at the latest (`later`, clock.hh).
        return todo_soft("5.4", "TimerService::after", now());
        // END 5.4
    }

    /// What is armed here. For pictures.
    const TimerWheel& wheel() const noexcept { return wheel_; }

    void poll() noexcept override {
        // BEGIN 5.4: sleep
        // Turn the hand to the executor's `now()`, moving at most kMovesMax timers, and tell those that
        // have `expired`, at most kFiresMax: the next poll goes on.
        return todo_soft("5.4", "TimerService::poll");
        // END 5.4
    }
    bool active() const noexcept override { return !wheel_.empty(); }
    TimePoint deadline() const noexcept override { return wheel_.next_deadline(); }
    bool before_sleep() noexcept override {
        // BEGIN 5.4: sleep
        // Whether the executor may sleep: not if the last poll has left something to do.
        return todo_soft("5.4", "TimerService::before_sleep", true);
        // END 5.4
    }

  private:
    static constexpr int kFiresMax = 256;           // Called by one poll.
    static constexpr std::size_t kMovesMax = 4096;  // Cascaded by one poll.

    Executor& executor_;        // Borrows: it outlives this.
    mutable TimerWheel wheel_;  // A look for the next deadline forgets slots that are empty.
};

}  // namespace starling
