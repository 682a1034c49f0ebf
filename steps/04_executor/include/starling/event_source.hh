// EventSource and Parker: how an executor hears of the world, and how it sleeps.
//
//     while there is work:  run a batch, poll() every source
//     when there is none:   before_sleep() each ─► deadline() each ─► park ─► after_sleep() each
//                                 └─ one refuses ─► after_sleep() for those asked, back to work
//
// Affinity: owner shard.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <starling/clock.hh>
#include <starling/inbox.hh>

namespace starling {

/// Something that makes continuations ready: the inbox, a timer wheel, a kernel ring, a mailbox.
/// \affinity owner shard
class EventSource {
  public:
    virtual ~EventSource() = default;

    /// Posts what has become ready. Never blocks; bounded work.
    virtual void poll() noexcept = 0;

    /// Whether an event may still come. When no source of an executor with an empty queue can bring
    /// one, its tasks wait for each other: a deadlock.
    virtual bool active() const noexcept = 0;

    /// When `poll` must be called at the latest. Read last, just before the executor sleeps.
    virtual TimePoint deadline() const noexcept { return TimePoint::max(); }

    /// The executor is about to sleep: announce it to those who must wake it, then look again.
    /// Only looks, does no work. \return false if there is work after all
    virtual bool before_sleep() noexcept { return true; }

    /// The sleep is over or was refused. Called for every source whose before_sleep was called.
    virtual void after_sleep() noexcept {}
};

/// Puts the thread to sleep. \affinity owner shard
class Parker {
  public:
    virtual ~Parker() = default;

    /// Sleeps until `deadline`, an event of its own, or an unpark (one that came before `park`
    /// counts). May return early.
    virtual void park(TimePoint deadline) noexcept = 0;

    /// Ends a park from any thread; outlives the parker.
    virtual std::shared_ptr<Unparker> unparker() noexcept = 0;
};

/// A parker for threads without I/O: a mutex and a condition variable.
class ThreadParker final : public Parker {
  public:
    /// May return early.
    void park(TimePoint deadline) noexcept override {
        // The farthest deadlines overflow when a clock converts them.
        deadline = std::min(deadline, Clock::steady().now() + std::chrono::hours(1));
        std::unique_lock lock(signal_->mutex);
        signal_->condition.wait_until(lock, deadline, [this] { return signal_->given; });
        signal_->given = false;
    }
    /// Works from any thread.
    std::shared_ptr<Unparker> unparker() noexcept override { return signal_; }

  private:
    struct Signal final : Unparker {
        void unpark() noexcept override {
            std::lock_guard lock(mutex);
            given = true;
            condition.notify_one();
        }
        std::mutex mutex;
        std::condition_variable condition;
        bool given = false;
    };
    const std::shared_ptr<Signal> signal_ = std::make_shared<Signal>();
};

}  // namespace starling
