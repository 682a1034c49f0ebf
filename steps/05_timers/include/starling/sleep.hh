// sleep and sleep_until: a task waits for the clock.
//
//     made ──ready(): the time has come──────────────────────────────► done
//       └──start──► armed ──deadline──► fired ──► done
//                     └─────stop──────► stopped ──► done, throws Cancelled
//
// The timer lives in the operation, which lives in the sleeping task's frame: 72 bytes, and no
// allocation. Destroying an armed operation is fine: it leaves the wheel.
//
// Affinity: owner shard.
#pragma once

#include <starling/operation.hh>
#include <starling/timer_service.hh>
#include <starling/todo.hh>

namespace starling {

/// Waits for a deadline. \affinity owner shard
class [[nodiscard]] SleepOperation : public StoppableWait<SleepOperation>, private Timer {
  public:
    /// Nothing is armed before it is awaited; a `deadline` that has passed by then is over at once.
    explicit SleepOperation(TimePoint deadline) noexcept : Timer(deadline) {}
    SleepOperation(SleepOperation&&) noexcept = default;
    ~SleepOperation() {
        // BEGIN 5.4: sleep
        // This goes, perhaps while it is armed: nobody may know it any more.
        todo_soft("5.4", "SleepOperation::~SleepOperation");
        return;
        // END 5.4
    }

    /// What it waits for.
    using Timer::deadline;

    bool ready() {
        renew();
        // BEGIN 5.4: sleep
        // Whether the deadline has passed already. Ask this thread's TimerService, as `sleep` does
        // below.
        todo("5.4", "SleepOperation::ready");
        // END 5.4
    }
    void start(Continuation& c) {
        // BEGIN 5.4: sleep
        // Have the timer service post `c` at the deadline, and `wait`, which hears of a stop. The
        // context may have been stopped already: then `withdraw` is called at once.
        todo("5.4", "SleepOperation::start");
        // END 5.4
    }

  private:
    friend StoppableWait<SleepOperation>;
    bool withdraw() noexcept {
        // BEGIN 5.4: sleep
        // The context was stopped: the timer must not post the waiter any more. If it has fired, it
        // has done so already: false, too late.
        return todo_soft("5.4", "SleepOperation::withdraw", false);
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
