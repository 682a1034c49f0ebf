// Operation: the one shape of everything that can be awaited.
//
//     ready()   can it finish now, without waiting? (it may try, so ask once; it does not block)
//     start(c)  begin; `c` goes on exactly once, when the *last* effect of the operation is over
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
// What ends in a turn of its own, as a task or a shield does, resumes `c` instead of posting it.
// Combinators work on operations and never need a coroutine frame or an exception.
//
// Affinity: owner shard. Source: P2300 senders, reduced to what one thread needs.
#pragma once

#include <concepts>
#include <starling/context.hh>
#include <starling/continuation.hh>
#include <starling/future.hh>
#include <utility>

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

/// A wait that a stop of its context may end. `Op`, the operation, derives from it and has `bool
/// withdraw() noexcept`, which makes what it waits for forget it; false if that is posting already.
/// \affinity owner shard
template <class Op>
class StoppableWait : private StopNode {
  public:
    /// Withdrawn. An operation that may have its result all the same says so.
    bool stopped() const noexcept { return withdrawn_; }
    /// \throws Cancelled if stopped
    void finish() {
        // BEGIN 2.6: await a future
        //| The wait is over: no stop is heard any more, although the operation may live on. Throw
        //| Cancelled if it was stopped: the `Op` that this is part of knows.
        //= todo("2.6", "StoppableWait::finish");
        unlink();
        if (static_cast<Op&>(*this).stopped()) throw Cancelled{};
        // END 2.6
    }
    /// Ends it early, as a stop of its context does. Idempotent. \pre started, and not finished
    void stop() noexcept {
        // BEGIN 2.6: await a future
        //| What `on_stop` does, unless it was done already. A stop of its context that comes later is
        //| heard no more: it would be a second one.
        //= return todo_soft("2.6", "StoppableWait::stop");
        unlink();
        if (!withdrawn_) on_stop(*this);
        // END 2.6
    }

  protected:
    StoppableWait() noexcept : StopNode(&on_stop) {}
    StoppableWait(StoppableWait&&) noexcept = default;

    /// The end of `Op::start`: hears of a stop of c's context. If that was stopped already, `c` is
    /// posted from inside, and `*this` may be gone behind it.
    void wait(Continuation& c) noexcept {
        // BEGIN 2.6: await a future
        //| It may have been stopped before, and awaited again: `renew`. Remember the waiter, and
        //| `link` this into the list of its context, which may be null. A stop that was requested
        //| already is heard from inside `link`.
        //= return todo_soft("2.6", "StoppableWait::wait");
        renew();
        waiter_ = &c;
        if (c.context() != nullptr) c.context()->link(*this);
        // END 2.6
    }
    /// Waits no more, and hears of no stop.
    using StopNode::unlink;
    /// It is awaited again: forgets that it was stopped. `wait` calls this, and so does a `ready`
    /// that may say yes then: a combinator that has stopped an operation does not call `finish`.
    void renew() noexcept { withdrawn_ = false; }

    /// Who waits; null before `wait`. Borrows: it owns this operation.
    Continuation* waiter_ = nullptr;

  private:
    static void on_stop(StopNode& node) noexcept {
        [[maybe_unused]] auto& self = static_cast<StoppableWait&>(node);
        // BEGIN 2.6: await a future
        //| The context was stopped. A success beats a stop: nothing happens if it is too late to
        //| `withdraw`, which is a member of the `Op` that `self` is part of. Otherwise remember
        //| that it is `withdrawn_`, and post the waiter.
        //= return todo_soft("2.6", "StoppableWait::on_stop");
        if (!static_cast<Op&>(self).withdraw()) return;
        self.withdrawn_ = true;
        post(*self.waiter_);
        // END 2.6
    }

    bool withdrawn_ = false;
};

/// Awaits a Future. Withdraws when its context stops; destroying it in flight is fine.
/// \affinity owner shard
template <class T>
class FutureOperation : public StoppableWait<FutureOperation<T>> {
  public:
    /// Takes the future over.
    explicit FutureOperation(Future<T>&& future) : future_(std::move(future)) {}
    /// Awaits the future of this one.
    explicit FutureOperation(Promise<T>& promise) : future_(promise.get_future()) {}

    /// A future that has no promise is ready to say so: `finish` throws.
    bool ready() const noexcept {
        // BEGIN 2.6: await a future
        //| Nobody will ever wake us for a future that is ready, nor for one that is not `valid`.
        //= return todo_soft("2.6", "FutureOperation::ready", false);
        return future_.ready() || !future_.valid();
        // END 2.6
    }
    /// Waits for the result, or for a stop of c's context.
    void start(Continuation& c) {
        // BEGIN 2.6: await a future
        //| Have the future post `c`, and `wait`. Two statements here can post: a future that is
        //| ready does so from inside its `start`, a context that is stopped already has it done from
        //| inside `wait`. After either, this may be destroyed.
        //= todo("2.6", "FutureOperation::start");
        if (ready()) return post(c);
        future_.start(c);
        this->wait(c);
        // END 2.6
    }
    /// Withdrawn, and no result has come since.
    bool stopped() const noexcept {
        // BEGIN 2.6: await a future
        //| See above. The base class knows whether it was withdrawn.
        //= return todo_soft("2.6", "FutureOperation::stopped", false);
        return Wait::stopped() && !future_.ready();
        // END 2.6
    }
    /// \throws Cancelled if stopped; what the future holds
    T finish() {
        // BEGIN 2.6: await a future
        //| First as every wait does (`Wait` is the base class), then what the future holds.
        //= todo("2.6", "FutureOperation::finish");
        Wait::finish();
        return future_.get();
        // END 2.6
    }

  private:
    using Wait = StoppableWait<FutureOperation<T>>;
    friend Wait;
    bool withdraw() noexcept {
        // BEGIN 2.6: await a future
        //| If the result is here, the waiter is posted already: too late. Otherwise the future must
        //| not post it any more.
        //= return todo_soft("2.6", "FutureOperation::withdraw", false);
        if (future_.ready()) return false;
        future_.forget_waiter();
        return true;
        // END 2.6
    }

    Future<T> future_;
};

/// Runs an operation in a context that is never stopped: for clean-up that has to complete.
/// \affinity owner shard
template <Operation Op>
class ShieldOperation final : private Continuation {
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
        // BEGIN 2.7: whose stop is it?
        //| Start `op_`, which looks for its stop in the context of the continuation that it is given.
        //| That is this operation itself, in `shielded_`, which takes over name and priority of c's
        //| context; `c` is who goes on afterwards. Some operations are over inside of `start`.
        //= todo("2.7", "ShieldOperation::start");
        outer_ = &c;
        shielded_.inherit(c.context());
        set_context(&shielded_);
        op_.start(*this);
        // END 2.7
    }
    /// As the operation inside, which may have stopped itself.
    bool stopped() { return op_.stopped(); }
    /// As the operation inside.
    decltype(auto) finish() { return op_.finish(); }

  private:
    void resume() noexcept override {
        // BEGIN 2.7: whose stop is it?
        //| The operation inside is over, and this is its turn in the queue: it is the waiter's.
        //= return todo_soft("2.7", "ShieldOperation::resume");
        outer_->resume();
        // END 2.7
    }

    Op op_;
    Context shielded_;
    Continuation* outer_ = nullptr;  // Borrows: it owns this operation.
};

/// Turns anything awaitable into an operation that can be stored: a future becomes a
/// FutureOperation, an operation stays what it is.
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

/// Exempts `awaitable` from its task's stop: it runs to its end, whatever happens around it.
/// `co_await shield(stream.close());`
template <class A>
auto shield(A&& awaitable) {
    return ShieldOperation<OperationOf<A&&>>(as_operation(std::forward<A>(awaitable)));
}

}  // namespace starling
