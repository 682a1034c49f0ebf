// Continuation: "what to do next", as an object.
//
// Everything that waits in Starling is a Continuation: a callback behind a future, a suspended
// coroutine, a spawned task's bookkeeping. It is the only thing a run queue holds and the only
// thing a completed operation wakes, so scheduling needs no allocation: the link is inside the
// object.
//
//     post(c)  ──►  [ run queue ]  ──►  c.resume()
//
// `post` goes through a thread-local hook. By default the hook is a trampoline: the first `post` on
// an empty stack runs continuations in a loop until none is left, and a `post` from inside that
// loop only appends. A chain of a million links therefore needs the stack of one. A scheduler
// (layer 03) replaces the hook while it runs.
//
// Invariants: a continuation is in at most one queue, at most once; `resume` never throws; `post`
// never resumes inside a call that holds a TrampolineScope.
//
// Affinity: owner shard. Source: the trampolines of functional-language run times.
#pragma once

#include <cassert>
#include <utility>

/// The runtime: ten layers, each on top of those before it.
namespace starling {

class Context;  // Completed by layer 02: the task a continuation belongs to.

/// One thing to do next. Intrusive: a queue links it through its own memory.
/// \affinity owner shard
class Continuation {
  public:
    Continuation() = default;
    /// On behalf of `context`, which may be null.
    explicit Continuation(Context* context) noexcept : context_(context) {}

    /// Goes on. Called by whoever took this out of a queue; `*this` may be gone when it returns.
    virtual void resume() noexcept = 0;

    /// The task on whose behalf this runs; null outside of any task.
    Context* context() const noexcept { return context_; }
    /// Decides on whose behalf this runs. \pre nothing waits on its behalf
    void set_context(Context* context) noexcept { context_ = context; }

    /// Whether a queue holds this now.
    bool queued() const noexcept { return next_ != nullptr; }

  protected:
    /// It may be moved as long as no queue holds it; it is never copied or assigned.
    Continuation(Continuation&& other) noexcept : context_(other.context_) {
        assert(!other.queued() && "a continuation was moved while a queue held it");
    }
    ~Continuation() { assert(!queued() && "a continuation was destroyed while a queue held it"); }

  private:
    friend class ContinuationQueue;
    Continuation* next_ = nullptr;  // Null: in no queue. Itself: the last of its queue.
    Context* context_ = nullptr;    // Borrows: the task outlives everything that runs for it.
};

/// First in, first out, of any length, without memory of its own.
/// \affinity owner shard
class ContinuationQueue {
  public:
    ContinuationQueue() = default;
    /// Takes all of `other`, which is empty afterwards. O(1).
    ContinuationQueue(ContinuationQueue&& other) noexcept
        : head_(std::exchange(other.head_, nullptr)), tail_(other.tail_) {}

    /// Whether there is nothing to take. O(1).
    bool empty() const noexcept { return head_ == nullptr; }

    // Branches in these two, not selections: a predicted branch waits for no load, so a queue of
    // one is no chain of dependent loads (BM_Trampoline_Hop: less than half the time).

    /// Appends. \pre `c` is in no queue. O(1).
    void push(Continuation& c) noexcept {
        assert(!c.queued() && "a continuation was queued twice");
        c.next_ = &c;
        if (head_ == nullptr) [[unlikely]] {
            head_ = &c;
        } else {
            tail_->next_ = &c;
        }
        tail_ = &c;
    }

    /// Takes the oldest. \pre not empty. O(1).
    Continuation& pop() noexcept {
        assert(!empty());
        Continuation& c = *head_;
        head_ = std::exchange(c.next_, nullptr);
        if (head_ == &c) [[unlikely]]
            head_ = nullptr;
        return c;
    }

  private:
    Continuation* head_ = nullptr;
    Continuation* tail_ = nullptr;  // Valid only while head_ is set.
};

namespace detail {
/// The default place that `post` goes to: a loop instead of recursion.
struct Trampoline {
    ContinuationQueue queue;
    int depth = 0;  // How many scopes live; the outermost one's loop counts.
};
[[maybe_unused]] inline constinit thread_local Trampoline trampoline;
}  // namespace detail

/// While one lives, `post` on this thread's trampoline only queues; the outermost one runs what was
/// queued when it ends. Whoever wakes several waiters in a loop holds one, so that no waiter runs
/// while the loop is still looking at the list. Without effect where a scheduler is installed.
class TrampolineScope {
  public:
    TrampolineScope() noexcept {
        // BEGIN 1.5: trampoline
        //| One more scope lives (`detail::trampoline.depth`).
        //= todo_soft("1.5", "TrampolineScope::TrampolineScope");
        //= return;
        ++detail::trampoline.depth;
        // END 1.5
    }
    ~TrampolineScope() {
        // BEGIN 1.5: trampoline
        //| The outermost scope runs what is queued, in order, until nothing is left; what is posted
        //| meanwhile joins the queue. The scope counts until it is through.
        //= todo_soft("1.5", "TrampolineScope::~TrampolineScope");
        //= return;
        detail::Trampoline& trampoline = detail::trampoline;
        if (trampoline.depth == 1) {
            while (!trampoline.queue.empty()) trampoline.queue.pop().resume();
        }
        --trampoline.depth;
        // END 1.5
    }
    TrampolineScope(const TrampolineScope&) = delete;
    TrampolineScope& operator=(const TrampolineScope&) = delete;
};

/// Where this thread's `post` goes. \affinity one per thread
struct PostHook {
    /// Called by `post`. It queues `c` and has it resumed later.
    void (*function)(void* object, Continuation& c) noexcept;
    /// Handed to `function`.
    void* object;  // Borrows: until the hook is replaced.
};

namespace detail {
inline void trampoline_post(void*, Continuation& c) noexcept {
    // BEGIN 1.5: trampoline
    //| Queue `c`. Unless a scope lives (it will run the queue), run the queue now.
    //= return todo_soft("1.5", "trampoline_post");
    trampoline.queue.push(c);
    if (trampoline.depth == 0) {
        TrampolineScope runs_it;
    }
    // END 1.5
}
inline constinit thread_local PostHook post_hook{&trampoline_post, nullptr};
}  // namespace detail

/// Has `c` resumed soon, on this thread, after the caller's own work. \pre `c` is in no queue.
/// O(1).
inline void post(Continuation& c) noexcept {
    detail::post_hook.function(detail::post_hook.object, c);
}

/// Replaces this thread's hook and returns the previous one, which the caller puts back.
inline PostHook exchange_post_hook(PostHook hook) noexcept {
    return std::exchange(detail::post_hook, hook);
}

}  // namespace starling
