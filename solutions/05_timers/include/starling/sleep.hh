// sleep and sleep_until: a task waits for the clock.
//
//     made ──ready(): the time has come──────────────────────────────► done
//       └──start──► armed ──deadline──► fired ──► done
//                     └─────stop──────► stopped ──► done, throws Cancelled
//
// The operation is a timer, and lives in the sleeping task's frame: 72 bytes, and no allocation.
// Destroying an armed one is fine: it leaves the wheel.
//
// Affinity: owner shard.
#pragma once

#include <starling/operation.hh>
#include <starling/timer_service.hh>

namespace starling {

/// Waits for a deadline. \affinity owner shard
class [[nodiscard]] SleepOperation final : public StoppableWait<SleepOperation>, private Timer {
  public:
    /// Nothing is armed before it is awaited; a `deadline` that has passed by then is over at once.
    explicit SleepOperation(TimePoint deadline) noexcept : Timer(deadline) {}

    /// What it waits for.
    using Timer::deadline;

    bool ready() {
        renew();
        // BEGIN 5.4: sleep
        //| Whether the deadline has passed already. Ask this thread's TimerService, as `sleep` does
        //| below.
        //= todo("5.4", "SleepOperation::ready");
        return deadline() <= service<TimerService>("sleep").now();
        // END 5.4
    }
    void start(Continuation& c) {
        // BEGIN 5.4: sleep
        //| Have the timer service arm this, and `wait`, which hears of a stop. The context may have been
        //| stopped already: then `withdraw` is called at once.
        //= todo("5.4", "SleepOperation::start");
        service<TimerService>("sleep").arm(*this);
        wait(c);
        // END 5.4
    }

  private:
    friend StoppableWait<SleepOperation>;
    void expired() noexcept override {
        // BEGIN 5.4: sleep
        //| The time has come: post the waiter, and let `waiter_` say that this has been done. The waiter
        //| owns this operation: behind the post it may be gone.
        //= return todo_soft("5.4", "SleepOperation::expired");
        post(*std::exchange(waiter_, nullptr));
        // END 5.4
    }
    bool withdraw() noexcept {
        // BEGIN 5.4: sleep
        //| The context was stopped: the timer must not expire any more. If it has, the waiter is posted
        //| already: false, too late. (Not armed does not mean expired: its wheel may have gone.)
        //= return todo_soft("5.4", "SleepOperation::withdraw", false);
        cancel();
        return waiter_ != nullptr;
        // END 5.4
    }
};

/// Waits until `deadline` has passed: never less, at most a tick (1 ms) and the executor's turn
/// more. `co_await sleep_until(t);` \throws Cancelled if the task is stopped \pre a TimerService
template <class AnyTime>
SleepOperation sleep_until(
    std::chrono::time_point<std::chrono::steady_clock, AnyTime> deadline) noexcept {
    return SleepOperation(TimePoint(AnyDuration(deadline.time_since_epoch())));
}

/// Waits for `delay`, counted from this call. A `delay` of zero or less is over at once.
inline SleepOperation sleep(AnyDuration delay) {
    return SleepOperation(service<TimerService>("sleep").after(delay));
}

}  // namespace starling
