// Scheduler: who decides when a continuation goes on; and how a thread comes to obey one.
//
// Affinity: owner shard.
#pragma once

#include <starling/continuation.hh>
#include <starling/inbox.hh>
#include <utility>

namespace starling {

/// Resumes what it is given, later. \affinity owner shard
class Scheduler {
  public:
    /// Has `c` resumed by the scheduler's loop, never inside this call. \pre `c` is in no queue.
    /// O(1).
    virtual void schedule(Continuation& c) noexcept = 0;

  protected:
    ~Scheduler() = default;
};

/// While it lives, this thread's `post` goes to a scheduler, and wakers that belong to `inbox` and
/// are woken on this thread skip the inbox. Scopes nest: several schedulers can take turns on one
/// thread.
/// \affinity owner shard
class SchedulerScope {
  public:
    /// \tparam S the scheduler's own class: a final one is called without a detour
    /// \param inbox of this scheduler; null: wakers always take the inbox's way
    template <class S>
    SchedulerScope(S& scheduler, Inbox* inbox) noexcept
        : previous_hook_(exchange_post_hook({&schedule<S>, &scheduler})),
          previous_inbox_(std::exchange(detail::current_inbox, inbox)) {}
    ~SchedulerScope() {
        exchange_post_hook(previous_hook_);
        detail::current_inbox = previous_inbox_;
    }
    SchedulerScope(const SchedulerScope&) = delete;
    SchedulerScope& operator=(const SchedulerScope&) = delete;

  private:
    template <class S>
    static void schedule(void* scheduler, Continuation& c) noexcept {
        static_cast<S*>(scheduler)->schedule(c);
    }
    PostHook previous_hook_;
    Inbox* previous_inbox_;  // Borrows: the outer scope's.
};

}  // namespace starling
