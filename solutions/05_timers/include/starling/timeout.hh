// timeout: any awaitable, but not for longer than this.
//
//       operation ends first:  disarm the timer ─────────────────────► its result
//       timer fires first:     stop the operation ─► it ends ─┬─ stopped ──► throws TimedOut, or
//                                                             │              Cancelled, see below
//                                                             └─ succeeded ─► its result
//
// The operation runs in a branch context of its own, so it can be stopped without stopping the task
// around it. A timeout never abandons it: it asks it to stop and waits until it has ended, because
// it may use memory of the frame until then. If by then the task around it is stopped as well, that
// is the stronger news: Cancelled, whichever came first.
//
// Affinity: owner shard.
#pragma once

#include <starling/context.hh>
#include <starling/operation.hh>
#include <starling/timer_service.hh>
#include <stdexcept>

namespace starling {

/// An operation did not end in time, and was stopped.
class TimedOut : public std::runtime_error {
  public:
    TimedOut() : std::runtime_error("timed out") {}
};

/// Awaits an operation, and stops it at a deadline.
/// \tparam Op an operation, or a reference to one
/// \affinity owner shard
template <class Op>
    requires Operation<std::remove_reference_t<Op>>
class [[nodiscard]] TimeoutOperation final : private Continuation,
                                             private BranchContext,
                                             private Timer {
  public:
    /// Nothing is armed before it is started. An `op` that is an lvalue outlives this.
    TimeoutOperation(Op&& op, TimePoint deadline) : Timer(deadline), op_(std::forward<Op>(op)) {}
    /// \pre `other` has not been started
    TimeoutOperation(TimeoutOperation&& other) noexcept
        : TimeoutOperation(std::forward<Op>(other.op_), other.deadline()) {}

    bool ready() { return op_.ready(); }
    void start(Continuation& c) {
        // BEGIN 5.5: timeout
        //| First who knows whom: `outer_` is who waits; this context is a branch, linked under c's; the
        //| operation is started with `*this`, and runs in this context (`set_context`). Then arm this
        //| timer and start the operation, which may end, and `*this` be gone, before its `start` returns.
        //= todo("5.5", "TimeoutOperation::start");
        outer_ = &c;
        link_under(c.context());
        set_context(this);
        service<TimerService>("timeout").arm(*this);
        op_.start(*this);
        // END 5.5
    }
    /// Whether the operation was stopped, and not by us.
    bool stopped() {
        // BEGIN 5.5: timeout
        //| See above. What we have stopped has not been stopped: it has timed out.
        //= return todo_soft("5.5", "TimeoutOperation::stopped", false);
        return !expired_ && op_.stopped();
        // END 5.5
    }
    OperationResult<std::remove_reference_t<Op>> finish() {
        // BEGIN 5.5: timeout
        //| The operation's result, if it has one; TimedOut if we stopped it.
        //= todo("5.5", "TimeoutOperation::finish");
        if (expired_ && op_.stopped()) throw TimedOut();
        return op_.finish();
        // END 5.5
    }

  private:
    /// The operation has ended.
    void resume() noexcept override {
        // BEGIN 5.5: timeout
        //| This may live on for a while, in a `select` that waits for others: have the timer not expire
        //| any more, and hear of no outer stop. If the task is stopped by now, that is what it has to
        //| hear: put right what `stopped` and `finish` are going to say. (The context of `outer_` may be
        //| null.) Then resume `outer_`, behind which this may be gone.
        //= return todo_soft("5.5", "TimeoutOperation::resume");
        cancel();
        BranchContext::unlink();
        const Context* around = outer_->context();
        if (around != nullptr && around->stop_requested()) expired_ = false;
        outer_->resume();
        // END 5.5
    }
    /// The time is over.
    void expired() noexcept override {
        // BEGIN 5.5: timeout
        //| Stop the operation, by a stop of this context. But if this is `queued`, it has ended already,
        //| and was in time. `outer_` goes on when the operation has ended, not here.
        //= return todo_soft("5.5", "TimeoutOperation::expired");
        if (queued()) return;
        expired_ = true;
        request_stop();
        // END 5.5
    }

    Op op_;
    Continuation* outer_ = nullptr;  // Borrows: it owns this operation.
    bool expired_ = false;           // The time was over first, and that is still the news.
};

/// Awaits `awaitable` (an operation, a future, a task) for at most `limit`; a `limit` of zero or
/// less leaves time for what is ready. A result that comes in time, or in spite of the stop, is
/// returned: `auto answer = co_await timeout(ask(), 2s);` \throws TimedOut; what the awaitable
/// throws; Cancelled if the task is stopped before it has ended \pre a TimerService
template <class A>
auto timeout(A&& awaitable, AnyDuration limit) {
    using Op = OperationOf<A&&>;
    return TimeoutOperation<Op>(as_operation(std::forward<A>(awaitable)),
                                service<TimerService>("timeout").after(limit));
}

}  // namespace starling
