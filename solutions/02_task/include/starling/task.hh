// Task<T>: a coroutine as a value. Lazy: it runs when it is awaited, in its awaiter's context.
//
//     parent ── co_await child() ──►┐ control goes straight into the child (symmetric transfer)
//        ▲                          ▼
//        └──── result ◄──── child's final suspend goes straight back
//
// Both arrows are jumps, not calls: a million awaits need the stack of one. The child's frame
// belongs to its Task object, which lives in the parent's frame until the await expression ends, so
// the result is read before the frame goes.
//
// A task's promise *is* a Continuation: to schedule a suspended task costs no allocation.
// A suspended await that is asked to stop throws Cancelled, and so does every later one; `shield`
// exempts an operation.
//
// Affinity: owner shard. Source: cppcoro's task, P1056.
#pragma once

#include <cassert>
#include <coroutine>
#include <starling/operation.hh>
#include <starling/task_promise.hh>
#include <utility>

namespace starling {

template <class T>
class TaskOperation;

/// A coroutine that has not run, runs, or has run. Owns the frame: destroying an unstarted or
/// finished task frees it; destroying a suspended one also runs its locals' destructors, down to
/// the innermost child, which takes stack for each level. Not while it runs, while it is posted, or
/// while an operation is in flight that cannot withdraw. Move-only.
/// \tparam T an object type (may be move-only), a reference, or void
/// \affinity owner shard
template <class T>
class [[nodiscard]] Task {
  public:
    using promise_type = detail::TaskPromise<T>;  ///< Asked for by the compiler.
    using value_type = T;                         ///< What awaiting it returns.

    /// Holds nothing.
    Task() = default;
    /// Takes the frame over. `other` holds nothing afterwards. O(1).
    Task(Task&& other) noexcept {
        // BEGIN 2.5: frame ownership
        //| One frame, one owner.
        //= todo_soft("2.5", "Task::Task(Task&&)");
        //= return;
        frame_ = std::exchange(other.frame_, nullptr);
        // END 2.5
    }
    /// The same, after this task's own frame was destroyed.
    Task& operator=(Task&& other) noexcept {
        // BEGIN 2.5: frame ownership
        //| The frame that this held goes; `other`'s comes. `task = std::move(task)` changes
        //| nothing.
        //= return todo_soft<Task&>("2.5", "Task::operator=", *this);
        if (this != &other) {
            destroy();
            frame_ = std::exchange(other.frame_, nullptr);
        }
        return *this;
        // END 2.5
    }
    ~Task() { destroy(); }

    /// Whether this holds a coroutine.
    bool valid() const noexcept { return frame_ != nullptr; }
    /// Whether the body has ended.
    bool done() const noexcept { return frame_ != nullptr && frame_.done(); }

    /// The promise, for those who run tasks: executors and combinators. \pre valid()
    promise_type& promise() const noexcept { return frame_.promise(); }

  private:
    friend promise_type;
    friend detail::TaskPromiseBase;
    explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    void destroy() noexcept {
        if (frame_) std::exchange(frame_, nullptr).destroy();
    }
    std::coroutine_handle<promise_type> frame_;
};

namespace detail {

/// Awaits a child inside a parent task: control goes in, and comes back with the result.
template <class T>
class TaskAwaiter {
  public:
    explicit TaskAwaiter(std::coroutine_handle<TaskPromise<T>> child) noexcept : child_(child) {
        assert(child && "awaited a task that was moved from");
        assert(!child.done() && "awaited a task twice");
    }
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> parent) {
        // BEGIN 2.2: task awaiter
        //| The child runs in the parent's context and knows its parent. Return the child: control
        //| goes straight there, and the parent's call is no longer on the stack.
        //= todo("2.2", "TaskAwaiter::await_suspend");
        child_.promise().set_context(parent.promise().context());
        child_.promise().set_parent(parent);
        return child_;
        // END 2.2
    }
    /// The child has ended; its Task still lives.
    T await_resume() {
        // BEGIN 2.2: task awaiter
        //| The parent goes on with what is in the child's outcome.
        //= todo("2.2", "TaskAwaiter::await_resume");
        return child_.promise().outcome().take();
        // END 2.2
    }

  private:
    std::coroutine_handle<TaskPromise<T>> child_;  // Borrows: the awaited Task owns it.
};

template <class U>
auto TaskPromiseBase::await_transform(Task<U>&& child) noexcept {
    return TaskAwaiter<U>(child.frame_);
}

}  // namespace detail

/// Runs a task where there is no parent coroutine: as a branch of a combinator.
/// \affinity owner shard
template <class T>
class TaskOperation {
  public:
    /// Takes the task over. \pre it has not started
    explicit TaskOperation(Task<T>&& task) noexcept : task_(std::move(task)) {}

    /// Never: the body has to run first.
    bool ready() const noexcept { return false; }
    /// Posts the task, in c's context.
    void start(Continuation& c) {
        // BEGIN 2.6: await a future
        //| A task is an operation as well: it runs in c's context, `c` is resumed when it has
        //| ended, and it is posted: control is not handed over here.
        //= todo("2.6", "TaskOperation::start");
        task_.promise().set_context(c.context());
        task_.promise().set_on_done(c);
        post(task_.promise());
        // END 2.6
    }
    /// Whether Cancelled left the body.
    bool stopped() const noexcept { return task_.promise().outcome().stopped(); }
    /// \throws what left the body
    T finish() { return task_.promise().outcome().take(); }

  private:
    Task<T> task_;
};

/// A task as an operation.
template <class T>
TaskOperation<T> as_operation(Task<T>&& task) noexcept {
    return TaskOperation<T>(std::move(task));
}

/// Exempts `awaitable` from its task's stop: it runs to its end, whatever happens around it.
/// `co_await shield(stream.close());`
template <class A>
auto shield(A&& awaitable) {
    using Op = decltype(as_operation(std::forward<A>(awaitable)));
    return ShieldOperation<Op>(as_operation(std::forward<A>(awaitable)));
}

}  // namespace starling
