// Operation: the one shape of everything that can be awaited.
//
//     ready()   can it finish now, without waiting? (it may try; it does not block)
//     start(c)  begin; `c` is posted exactly once, when the *last* effect of the operation is over
//     stopped() after that: did it end because its context was stopped?
//     finish()  take the result: return it, throw its error, or throw Cancelled
//
//     made ──ready()=true────────────────────────► finished ─finish()─► done
//       └────start(c)──► in flight ──post(c)──────►
//                            └── c.context() is stopped: end early, then post(c) as well
//
// An operation may be moved until it is started, never afterwards.
// `start` finds the stop list in `c.context()`. A success beats a stop: if the value is already
// there, `stopped()` is false and `finish` returns it. An operation in flight is never destroyed,
// unless it can withdraw from everything that knows it (documented by such operations).
// Combinators work on operations and never need a coroutine frame or an exception.
//
// Affinity: owner shard. Source: P2300 senders, reduced to what one thread needs.
#pragma once

#include <concepts>
#include <starling/context.hh>
#include <starling/continuation.hh>
#include <starling/future.hh>
#include <utility>
#include <starling/todo.hh>

namespace starling {

/// What can be awaited, stored and combined: see the top of this file.
template <class Op>
concept Operation = requires(Op& op, Continuation& c) {
    { op.ready() } -> std::convertible_to<bool>;
    op.start(c);
    { op.stopped() } -> std::convertible_to<bool>;
    op.finish();
};

/// What awaiting an `Op` gives; void if nothing.
template <Operation Op>
using OperationResult = decltype(std::declval<Op&>().finish());

/// An operation that must run even when its task has been asked to stop (clean-up) says so.
template <class Op>
inline constexpr bool ignores_stop = requires { requires Op::kIgnoresStop; };

/// How many ready operations a task may take in a row before it lets others run. The executor
/// refills it before it resumes a task; without an executor it refills itself.
inline constexpr int kReadyBudget = 128;
namespace detail {
inline constinit thread_local int ready_budget = kReadyBudget;
}

/// Awaits a Future. Withdraws when its context stops; destroying it in flight is fine.
/// \affinity owner shard
template <class T>
class FutureOperation : private StopNode {
  public:
    /// Takes the future over.
    explicit FutureOperation(Future<T>&& future) : StopNode(&on_stop), future_(std::move(future)) {}

    /// A future that has no promise is ready to say so: `finish` throws.
    bool ready() const noexcept { return future_.ready() || !future_.valid(); }
    /// Waits for the result, or for a stop of c's context.
    void start(Continuation& c) {
        // BEGIN 2.6: await a future
        // Have the future post `c`, and hear of a stop of c's context, if it has one. Two statements
        // here can post: a future that is ready does so from inside its `start`, a context that is
        // stopped already calls `on_stop` from inside `link`. After either, this may be destroyed.
        todo("2.6", "FutureOperation::start");
        // END 2.6
    }
    /// Withdrawn, and no result has come since.
    bool stopped() const noexcept { return withdrawn_ && !future_.ready(); }
    /// \throws Cancelled if stopped; what the future holds
    T finish() {
        // BEGIN 2.6: await a future
        // Hear of no stop any more. Throw Cancelled if this was stopped; else take the result.
        todo("2.6", "FutureOperation::finish");
        // END 2.6
    }

  private:
    static void on_stop(StopNode& node) noexcept {
        [[maybe_unused]] auto& self = static_cast<FutureOperation&>(node);
        // BEGIN 2.6: await a future
        // The context was stopped. If the result is here, the waiter is posted already: a success
        // beats a stop. Otherwise withdraw from the future and post the waiter instead.
        return todo_soft("2.6", "FutureOperation::on_stop");
        // END 2.6
    }

    Future<T> future_;
    Continuation* waiter_ = nullptr;  // Borrows: it owns this operation.
    bool withdrawn_ = false;
};

/// Runs an operation in a context that is never stopped: for clean-up that has to complete.
/// \affinity owner shard
template <Operation Op>
class ShieldOperation : private Continuation {
  public:
    static constexpr bool kIgnoresStop = true;  ///< See `ignores_stop`.
    /// Takes the operation over, or refers to it if Op is a reference.
    explicit ShieldOperation(Op&& op) : op_(std::forward<Op>(op)) {}
    /// \pre not started
    ShieldOperation(ShieldOperation&& other) noexcept
        : Continuation(std::move(other)), op_(std::forward<Op>(other.op_)) {}

    /// As the operation inside.
    bool ready() { return op_.ready(); }
    /// In a context that has c's name and priority, and no stop.
    void start(Continuation& c) {
        outer_ = &c;
        shielded_.inherit(c.context());
        set_context(&shielded_);
        op_.start(*this);
    }
    /// As the operation inside, which may have stopped itself.
    bool stopped() { return op_.stopped(); }
    /// As the operation inside.
    decltype(auto) finish() { return op_.finish(); }

  private:
    void resume() noexcept override { outer_->resume(); }

    Op op_;
    Context shielded_;
    Continuation* outer_ = nullptr;  // Borrows: it owns this operation.
};

/// Turns anything awaitable into an operation that can be stored: a future becomes a
/// FutureOperation, an operation stays what it is. Layer 02's task.hh adds tasks.
template <class T>
FutureOperation<T> as_operation(Future<T>&& future) {
    return FutureOperation<T>(std::move(future));
}
/// An operation is moved out of an rvalue, and referred to if it is an lvalue.
template <Operation Op>
Op as_operation(Op&& op) {
    return std::forward<Op>(op);
}

/// What `as_operation` makes of an A.
template <class A>
using OperationOf = decltype(as_operation(std::declval<A>()));

}  // namespace starling
