// TaskPromise: what the compiler asks of a coroutine that returns a Task, and what a task may
// await. Included by task.hh.
//
// For a function that returns Task<T> the compiler makes a *frame* (arguments, locals, where it
// stopped, and one TaskPromise) and calls, in this order:
//
//     operator new            memory for the frame: from the pool
//     get_return_object       what the caller gets: the Task
//     initial_suspend         stop before the first statement?
//     await_transform(x)      what `co_await x` means, each time
//     return_value / return_void / unhandled_exception        how the body ended
//     final_suspend           where control goes now
//     operator delete         when somebody destroys the frame
//
// The promise *is* a Continuation: to schedule a suspended task costs no allocation.
//
// Affinity: owner shard.
#pragma once

#include <cassert>
#include <coroutine>
#include <cstddef>
#include <starling/context.hh>
#include <starling/frame_pool.hh>
#include <starling/operation.hh>
#include <starling/outcome.hh>
#include <type_traits>
#include <utility>

namespace starling {

template <class T = void>
class Task;

/// `Context& me = co_await this_context();` never suspends. \pre the task has a context, as every
/// task has that an executor runs
struct ThisContext : std::suspend_never {
    Context* context = nullptr;  ///< Set by the promise.
    /// What awaiting it returns.
    Context& await_resume() const noexcept {
        assert(context != nullptr && "this task runs in no context");
        return *context;
    }
};
/// See ThisContext.
inline ThisContext this_context() noexcept { return {}; }

namespace detail {

/// Awaits an operation inside a task. Op is an operation that lives here, or a reference to one.
template <class Op>
struct OperationAwaiter {
    Op op;

    /// Whether the task goes on at once.
    bool await_ready() {
        // BEGIN 2.1: promise_type
        //| Only if `op` is ready, and that costs one of `ready_budget`: who spends the last one has to
        //| let others run first, with the result at hand. What is not ready costs nothing.
        //= todo("2.1", "OperationAwaiter::await_ready");
        return op.ready() && --ready_budget > 0;
        // END 2.1
    }
    /// The task, which is `self`, is suspended now.
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> self) {
        // BEGIN 2.1: promise_type
        //| Start `op`; what it has to post is the promise of `self`. But an operation that has said
        //| that it is ready is not started: if we are here because the budget is spent, the budget is
        //| `kReadyBudget` again, and then the promise waits for its next turn, which may come at once.
        //= todo("2.1", "OperationAwaiter::await_suspend");
        if (ready_budget > 0) return op.start(self.promise());
        ready_budget = kReadyBudget;
        post(self.promise());
        // END 2.1
    }
    /// The task goes on.
    OperationResult<Op> await_resume() {
        // BEGIN 2.1: promise_type
        //| The value of `co_await op` is what `op` gives when it is over.
        //= todo("2.1", "OperationAwaiter::await_resume");
        return op.finish();
        // END 2.1
    }
};

/// Where a body's end arrives: `co_return`, or an exception.
template <class T>
struct TaskResult {
    template <class U = T>
    void return_value(U&& value) {
        // BEGIN 2.4: results and exceptions
        //| Keep the value of `co_return value` in the outcome.
        //= todo("2.4", "TaskResult::return_value");
        outcome.set_value(std::forward<U>(value));
        // END 2.4
    }
    Outcome<T> outcome;  ///< What became of the body. Empty until it has ended.
};
template <>
struct TaskResult<void> {
    void return_void() noexcept {
        // BEGIN 2.3: final awaiter
        //| The body of a Task<void> has come to its end. That is a result as well: keep it.
        //= return todo_soft("2.3", "TaskResult<void>::return_void");
        outcome.set_value();
        // END 2.3
    }
    Outcome<void> outcome;
};

template <class T>
class TaskPromise final : public Continuation, public Pooled, public TaskResult<T> {
  public:
    /// The frame's memory. Pooled has what gives it back.
    static void* operator new(std::size_t bytes) {
        // BEGIN 2.1: promise_type
        //| From the FramePool. (It hides the one of `Pooled`, so that you see who asks for it.)
        //= todo("2.1", "TaskPromise::operator new");
        return FramePool::allocate(bytes);
        // END 2.1
    }
    Task<T> get_return_object() {
        // BEGIN 2.1: promise_type
        //| The Task that owns this coroutine's frame: its constructor takes the frame's handle,
        //| which std::coroutine_handle can make from the promise.
        //= todo("2.1", "TaskPromise::get_return_object");
        return Task<T>(std::coroutine_handle<TaskPromise>::from_promise(*this));
        // END 2.1
    }
    /// Decides whether the body runs before anybody awaits it.
    auto initial_suspend() const noexcept {
        // BEGIN 2.1: promise_type
        //| A task is lazy: it stops before its first statement. The standard library has an awaiter
        //| for that.
        //= return todo_soft("2.1", "TaskPromise::initial_suspend", std::suspend_always());
        return std::suspend_always();
        // END 2.1
    }

    template <class U>
    Task<U>&& await_transform(Task<U>&& child) {
        // BEGIN 2.2: task awaiter
        //| The child is its own awaiter. A task that was stopped may call it all the same: it may be
        //| there to clean up, and its own awaits look after themselves.
        //= todo("2.2", "TaskPromise::await_transform(Task)");
        return std::move(child);
        // END 2.2
    }
    template <class U>
    void await_transform(Task<U>& child) = delete;  // std::move it: a task is awaited once.
    template <class U>
    OperationAwaiter<FutureOperation<U>> await_transform(Future<U>&& future) {
        // BEGIN 2.6: await a future
        //| A task that was stopped awaits no more. The operation owns the future, and the awaiter the
        //| operation.
        //= todo("2.6", "TaskPromise::await_transform(Future)");
        throw_if_stopped();
        return {FutureOperation<U>(std::move(future))};
        // END 2.6
    }
    template <Operation Op>
    OperationAwaiter<Op&> await_transform(Op&& op) {
        // BEGIN 2.1: promise_type
        //| A task that was stopped awaits no more, except what `ignores_stop`: a constant of the
        //| operation's type, and Op may be a reference to that. The awaiter refers to `op`.
        //= todo("2.1", "TaskPromise::await_transform(Operation)");
        if constexpr (!ignores_stop<std::remove_reference_t<Op>>) throw_if_stopped();
        return {op};
        // END 2.1
    }
    ThisContext await_transform(ThisContext) const noexcept { return {{}, context()}; }

    /// As a Continuation: the body goes on.
    void resume() noexcept override {
        // BEGIN 2.1: promise_type
        //| Resume the coroutine whose promise this is.
        //= return todo_soft("2.1", "TaskPromise::resume");
        std::coroutine_handle<TaskPromise>::from_promise(*this).resume();
        // END 2.1
    }
    /// The body was left by an exception, which is being handled now.
    void unhandled_exception() noexcept {
        // BEGIN 2.4: results and exceptions
        //| Keep it in the outcome, where Cancelled has a state of its own. A local variable's
        //| destructor may have thrown after the co_return: then the value goes.
        //= return todo_soft("2.4", "TaskPromise::unhandled_exception");
        this->outcome.reset();
        this->outcome.set_current_exception();
        // END 2.4
    }
    /// Runs when the body has ended: hands control to whoever waits.
    struct FinalAwaiter {
        bool await_ready() const noexcept {
            // BEGIN 2.3: final awaiter
            //| The result is in the frame: the frame stays, suspended, until its Task destroys it.
            //= return todo_soft("2.3", "FinalAwaiter::await_ready", false);
            return false;
            // END 2.3
        }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<TaskPromise> h) const noexcept {
            [[maybe_unused]] TaskPromise& self = h.promise();
            // BEGIN 2.3: final awaiter
            //| If a parent waits, return it: control goes on there. Otherwise resume `on_done_`, if
            //| there is one, and return std::noop_coroutine(): control goes back to whoever resumed
            //| this. `on_done_` may destroy the frame.
            //= return todo_soft<std::coroutine_handle<>>("2.3", "FinalAwaiter::await_suspend",
            //=                                            std::noop_coroutine());
            if (self.parent_) return self.parent_;
            if (self.on_done_ != nullptr) self.on_done_->resume();
            return std::noop_coroutine();
            // END 2.3
        }
        void await_resume() const noexcept {}  // Never: a body that has ended does not go on.
    };
    FinalAwaiter final_suspend() const noexcept { return {}; }

    /// Called by the parent's await: control comes back to `parent`.
    void set_parent(std::coroutine_handle<> parent) noexcept { parent_ = parent; }
    /// Called where no coroutine waits: `on_done.resume()` is called when the body has ended.
    void set_on_done(Continuation& on_done) noexcept { on_done_ = &on_done; }

  private:
    void throw_if_stopped() const {
        // BEGIN 2.1: promise_type
        //| Throw Cancelled if a stop was requested of the context that this runs in. There may be
        //| none (null): then nobody ever asks.
        //= todo("2.1", "TaskPromise::throw_if_stopped");
        if (context() != nullptr && context()->stop_requested()) throw Cancelled{};
        // END 2.1
    }
    std::coroutine_handle<> parent_;   // Borrows: the parent's frame owns this one.
    Continuation* on_done_ = nullptr;  // Borrows: it owns this frame.
};

}  // namespace detail
}  // namespace starling
