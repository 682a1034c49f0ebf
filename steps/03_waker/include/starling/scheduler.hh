// Scheduler: who decides when a continuation goes on; and how a thread comes to obey one.
//
// ManualScheduler is the smallest there is, a run queue that runs when it is told to. Tests and the
// first experiments use it, the executor of layer 04 replaces it.
//
//     run_batch():  queue  [a b c]          runs a, b, c
//                          [a']      ◄──    a posted itself: it runs in the next batch
//
// Affinity: owner shard.
#pragma once

#include <cstddef>
#include <memory>
#include <starling/continuation.hh>
#include <starling/inbox.hh>
#include <utility>
#include <starling/todo.hh>

namespace starling {

/// Resumes what it is given, later: `schedule(c)` has `c` resumed by the scheduler's loop, never
/// inside that call. \pre of `schedule`: `c` is in no queue
template <class S>
concept Scheduler = requires(S& scheduler, Continuation& c) {
    { scheduler.schedule(c) } noexcept;
};

/// While it lives, this thread's `post` goes to a scheduler, and wakers that belong to `inbox` and
/// are woken on this thread skip the inbox. Scopes nest: several schedulers can take turns on one
/// thread.
/// \affinity owner shard
class SchedulerScope {
  public:
    /// \param inbox of this scheduler; null: wakers always take the inbox's way
    template <Scheduler S>
    SchedulerScope(S& scheduler, Inbox* inbox) noexcept {
        // BEGIN 3.1: manual scheduler
        // From now on a `post` of this thread is a call of `&schedule<S>`, below, with `&scheduler`:
        // `exchange_post_hook` (continuation.hh) takes such a pair and returns the one it replaces.
        // And `detail::current_inbox` is `inbox`. Remember what both were.
        todo_soft("3.1", "SchedulerScope::SchedulerScope");
        return;
        // END 3.1
    }
    ~SchedulerScope() {
        // BEGIN 3.1: manual scheduler
        // Both are again what they were: there may be a scope around this one.
        todo_soft("3.1", "SchedulerScope::~SchedulerScope");
        return;
        // END 3.1
    }
    SchedulerScope(const SchedulerScope&) = delete;
    SchedulerScope& operator=(const SchedulerScope&) = delete;

  private:
    template <class S>
    static void schedule(void* scheduler, Continuation& c) noexcept {
        static_cast<S*>(scheduler)->schedule(c);
    }
    PostHook previous_hook_{};
    Inbox* previous_inbox_ = nullptr;  // Borrows: the outer scope's.
};

/// Runs what it was given when `run_batch` is called. \affinity owner shard
class ManualScheduler {
  public:
    /// \param unparker told of wake-ups that come while the owner sleeps; null: it never sleeps
    explicit ManualScheduler(std::shared_ptr<Unparker> unparker = nullptr)
        : inbox_(std::make_shared<Inbox>(std::move(unparker))) {}
    /// What is still queued runs first.
    ~ManualScheduler() {
        inbox_->close();
        if (!queue_.empty()) run_until_idle();
    }

    /// Queues `c` for the next batch. O(1).
    void schedule(Continuation& c) noexcept {
        // BEGIN 3.1: manual scheduler
        // `c` waits in the queue for its batch. It does not run here.
        return todo_soft("3.1", "ManualScheduler::schedule");
        // END 3.1
    }

    /// Where wakers of this scheduler's tasks belong.
    const std::shared_ptr<Inbox>& inbox() const noexcept { return inbox_; }

    /// Takes in remote wake-ups, then runs what is queued at that moment, and nothing that is
    /// queued meanwhile: a task that reschedules itself cannot hold the thread.
    /// \return how many continuations ran
    std::size_t run_batch() {
        SchedulerScope scope(*this, inbox_.get());
        inbox_->drain();
        // BEGIN 3.1: manual scheduler
        // Run exactly those that are queued now, oldest first; return how many. What they post
        // waits for the next batch.
        todo("3.1", "ManualScheduler::run_batch");
        // END 3.1
    }

    /// Runs batches until nothing is queued, at most `batches_max` of them.
    /// \return whether it is idle: nothing is queued now, and no wake-up waits in the inbox, even
    /// if the last batch allowed did that
    bool run_until_idle(std::size_t batches_max = 1'000'000) {
        // BEGIN 3.1: manual scheduler
        // One batch after the other, until one runs nothing (it had looked into the inbox, so that is
        // idle), but no more than `batches_max`. The last one may have emptied both queue and inbox.
        todo("3.1", "ManualScheduler::run_until_idle");
        // END 3.1
    }

  private:
    ContinuationQueue queue_;
    const std::shared_ptr<Inbox> inbox_;
};

}  // namespace starling
