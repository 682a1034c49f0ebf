// VirtualClock and VirtualParker: time that passes only when a test says so, or when nobody has
// anything to do. A day of sleeping tasks runs in microseconds, in the same order every time.
//
//     VirtualClock clock;
//     VirtualParker parker(clock);
//     Executor executor({.parker = &parker, .clock = &clock});
//     executor.block_on(...);                  // to sleep is to jump to the next deadline
//
// Affinity: owner shard, except the unparker.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <starling/clock.hh>
#include <starling/event_source.hh>
#include <utility>
#include <vector>

namespace starling {

/// A clock that stands still until it is moved. It starts an hour after the epoch, so that
/// "earlier" exists. \affinity owner shard
class VirtualClock : public Clock {
  public:
    TimePoint now() const noexcept override { return now_; }

    /// Moves time on. \pre `by` is not negative
    void advance(Duration by) noexcept { now_ += by; }
    /// Moves time on to `to`; never back.
    void advance_to(TimePoint to) noexcept {
        if (to > now_) now_ = to;
    }
    /// How long the clock has run since it was made.
    Duration elapsed() const noexcept { return now_ - kStart; }

  private:
    static constexpr TimePoint kStart{std::chrono::hours(1)};
    TimePoint now_ = kStart;
};

/// Sleeping until a deadline moves the clock there and returns at once. Without a deadline only
/// another thread can end the sleep, so the thread really waits for it. A pending unpark ends the
/// sleep before any time passes. Keeps the deadline of every sleep. \affinity owner shard
class VirtualParker : public Parker {
  public:
    explicit VirtualParker(VirtualClock& clock) : clock_(clock) {}

    void park(TimePoint deadline) noexcept override {
        deadlines_.push_back(deadline);
        if (deadline == TimePoint::max()) return signal_->wait();
        if (!signal_->take()) clock_.advance_to(deadline);
    }
    std::shared_ptr<Unparker> unparker() noexcept override { return signal_; }

    /// The deadline of every sleep so far, oldest first; TimePoint::max() where there was none.
    const std::vector<TimePoint>& deadlines() const noexcept { return deadlines_; }
    /// How often somebody called for the end of a sleep.
    std::size_t unparks() const noexcept { return signal_->count(); }

  private:
    class Signal final : public Unparker {
      public:
        void unpark() noexcept override {
            std::lock_guard lock(mutex_);
            ++count_;
            pending_ = true;
            condition_.notify_one();
        }
        void wait() noexcept {
            std::unique_lock lock(mutex_);
            condition_.wait(lock, [this] { return pending_; });
            pending_ = false;
        }
        bool take() noexcept {
            std::lock_guard lock(mutex_);
            return std::exchange(pending_, false);
        }
        std::size_t count() noexcept {
            std::lock_guard lock(mutex_);
            return count_;
        }

      private:
        std::mutex mutex_;
        std::condition_variable condition_;
        std::size_t count_ = 0;
        bool pending_ = false;
    };

    VirtualClock& clock_;  // Borrows: the test's.
    const std::shared_ptr<Signal> signal_ = std::make_shared<Signal>();
    std::vector<TimePoint> deadlines_;
};

}  // namespace starling
