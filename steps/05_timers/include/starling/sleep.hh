// sleep and sleep_until: a task waits for the clock.
//
//     made ──ready(): the time has come──────────────────────────────► done
//       └──start──► armed ──deadline──► fired ──► done
//                     └─────stop──────► stopped ──► done, throws Cancelled
//
// The timer lives in the operation, which lives in the sleeping task's frame: 56 bytes, and no
// allocation. Destroying an armed operation is fine: it leaves the wheel.
//
// Affinity: owner shard.
#pragma once

#include <starling/operation.hh>
#include <starling/timer_service.hh>
#include <starling/todo.hh>

namespace starling {

/// Waits for a deadline. \affinity owner shard
class SleepOperation : private StopNode, private Timer {
  public:
    /// Nothing is armed before it is awaited; a `deadline` that has passed by then is over at once.
    explicit SleepOperation(TimePoint deadline) noexcept : StopNode(&on_stop), Timer(deadline) {}
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

    bool ready() const {
        // BEGIN 5.4: sleep
        // Whether the deadline has passed already.
        todo("5.4", "SleepOperation::ready");
        // END 5.4
    }
    void start(Continuation& c) {
        // BEGIN 5.4: sleep
        // Have the timer service post `c` at the deadline, and hear of a stop if `c` has a context.
        // That may have been stopped already: then on_stop is called at once.
        todo("5.4", "SleepOperation::start");
        // END 5.4
    }
    bool stopped() const noexcept { return target() != nullptr; }
    void finish() {
        // BEGIN 5.4: sleep
        // Hear of no stop any more (`StopNode::unlink`; the timer has an `unlink`, too); throw
        // Cancelled if there was one.
        todo("5.4", "SleepOperation::finish");
        // END 5.4
    }

  private:
    static void on_stop(StopNode& node) noexcept { static_cast<SleepOperation&>(node).end_early(); }
    /// The context was stopped.
    void end_early() noexcept {
        // BEGIN 5.4: sleep
        // `target()` is posted exactly once. If the timer has fired, it has been.
        return todo_soft("5.4", "SleepOperation::end_early");
        // END 5.4
    }
};

/// Waits until `deadline` has passed: never less, at most a tick (1 ms) and the executor's turn
/// more. `co_await sleep_until(t);` \throws Cancelled if the task is stopped \pre a TimerService
inline SleepOperation sleep_until(TimePoint deadline) { return SleepOperation(deadline); }

/// Waits for `delay`, counted from this call. A `delay` of zero or less is over at once.
inline SleepOperation sleep(Duration delay) {
    return SleepOperation(service<TimerService>("sleep").after(delay));
}

}  // namespace starling
