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

/// A coroutine that has not run, runs, or has run. Owns the frame: destroying an unstarted or
/// finished task frees it; destroying a suspended one also runs its locals' destructors, down to
/// the innermost child, which takes stack for each level. Not while it runs, while it is posted, or
/// while an operation is in flight that cannot withdraw. Move-only. Frames are aligned as malloc's
/// memory is: a local variable or an argument that needs more (`alignas(64)`) belongs elsewhere.
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

    // An awaiter inside a parent task: control goes in, and comes back with the result.

    /// Never: the body has to run first.
    bool await_ready() const noexcept { return false; }
    /// The child, which is this, goes on in its parent's place. \pre valid(), and not started
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> parent) {
        assert(valid() && "awaited a task that was moved from");
        assert(!done() && "awaited a task twice");
        // BEGIN 2.2: task awaiter
        //| The child, which is this, runs in the parent's context and knows its parent. Return the
        //| child's handle: control goes straight there, and the parent's call is no longer on the
        //| stack.
        //= todo("2.2", "Task::await_suspend");
        promise().set_context(parent.promise().context());
        promise().set_parent(parent);
        return frame_;
        // END 2.2
    }
    /// The child has ended; its frame lives as long as this.
    T await_resume() {
        // BEGIN 2.2: task awaiter
        //| The parent goes on with what is in the child's outcome.
        //= todo("2.2", "Task::await_resume");
        return promise().outcome.take();
        // END 2.2
    }

    // An operation where there is no parent coroutine: as a branch of a combinator.

    bool ready() const noexcept { return false; }
    /// \pre valid(), and not started
    void start(Continuation& c) {
        assert(valid() && "started a task that was moved from");
        assert(!done() && "started a task twice");
        // BEGIN 2.3: final awaiter
        //| It runs in c's context, and when it has ended, `c` is resumed (`on_done_` of the promise).
        //| The task itself is posted: control is not handed over here.
        //= todo("2.3", "Task::start");
        promise().set_context(c.context());
        promise().set_on_done(c);
        post(promise());
        // END 2.3
    }
    bool stopped() const noexcept {
        // BEGIN 2.4: results and exceptions
        //| Whether the body was left by Cancelled: for those who look, and do not catch.
        //= return todo_soft("2.4", "Task::stopped", false);
        return promise().outcome.stopped();
        // END 2.4
    }
    T finish() {
        // BEGIN 2.4: results and exceptions
        //| What became of the body: the value, or throw what the body has thrown.
        //= todo("2.4", "Task::finish");
        return promise().outcome.take();
        // END 2.4
    }

  private:
    friend promise_type;
    explicit Task(std::coroutine_handle<promise_type> frame) noexcept : frame_(frame) {}
    void destroy() noexcept {
        // BEGIN 2.1: promise_type
        //| Nobody frees a suspended coroutine by itself: destroy the frame that this holds, if it
        //| holds one. Afterwards it holds nothing.
        //= return todo_soft("2.1", "Task::destroy");
        if (frame_) std::exchange(frame_, nullptr).destroy();
        // END 2.1
    }
    std::coroutine_handle<promise_type> frame_;
};

}  // namespace starling
