// Semaphore: so many at a time. Mutex: one at a time, across awaits.
//
// Within a shard nothing runs in parallel, so data needs no lock; a Mutex is for a section with an
// await in it that others must not enter meanwhile.
//
// First come, first served: a request that is too large for what is there holds up those behind it,
// and so cannot starve. Permits are objects; one that nobody takes goes back.
//
// Affinity: owner shard.
#pragma once

#include <cstddef>
#include <memory>
#include <starling/waiter.hh>
#include <utility>

namespace starling {

class Semaphore;

/// Some of a semaphore's permits; gives them back when it goes. Move-only. \affinity owner shard
class [[nodiscard]] Permit {
  public:
    /// None.
    Permit() = default;
    /// For semaphores, which have counted them out already.
    Permit(Semaphore& semaphore, std::size_t count) noexcept : semaphore_(&semaphore, {count}) {}

    /// Gives them back now.
    void release() noexcept { semaphore_.reset(); }
    /// Whether there are any.
    explicit operator bool() const noexcept { return semaphore_ != nullptr; }

  private:
    struct GiveBack {
        void operator()(Semaphore* semaphore) const noexcept;
        std::size_t count;
    };
    std::unique_ptr<Semaphore, GiveBack> semaphore_;  // Borrows: it outlives its permits.
};

/// Outlives its permits and those who wait. \affinity owner shard
class Semaphore {
  public:
    /// Waits for permits. \affinity owner shard
    class [[nodiscard]] AcquireOperation : public Waiter<AcquireOperation> {
      public:
        /// \pre `semaphore` outlives it
        AcquireOperation(Semaphore& semaphore, std::size_t count) noexcept
            : semaphore_(semaphore), count_(count) {}

        /// Takes them, if nobody is before it and there are enough.
        bool ready() noexcept {
            renew();
            return permit_ || (line().empty() && try_now());
        }
        /// \throws Cancelled if stopped
        Permit finish() {
            Waiter::finish();
            return std::move(permit_);
        }

        /// As Waiter asks: takes them if there are enough.
        bool try_now() noexcept { return bool(permit_ = semaphore_.take(count_)); }
        /// The semaphore's.
        Line& line() noexcept { return semaphore_.line_; }

      private:
        Semaphore& semaphore_;  // Borrows: it outlives those who wait.
        std::size_t count_;
        Permit permit_;  // Until `finish`; goes back if nobody takes it.
    };

    /// \param permits how many there are at first
    explicit Semaphore(std::size_t permits) noexcept : available_(permits) {}

    /// Waits for `count` permits. `Permit p = co_await semaphore.acquire();`
    /// \throws Cancelled if the task is stopped. O(1).
    AcquireOperation acquire(std::size_t count = 1) noexcept { return {*this, count}; }
    /// An empty permit if it would have to wait.
    Permit try_acquire(std::size_t count = 1) noexcept {
        return line_.empty() ? take(count) : Permit();
    }
    /// Adds permits, and serves whoever waits for them. O(waiters served).
    void release(std::size_t count = 1) noexcept {
        available_ += count;
        AcquireOperation::serve(line_);
    }
    /// How many nobody has.
    std::size_t available() const noexcept { return available_; }

  private:
    Permit take(std::size_t count) noexcept {
        if (available_ < count) return {};
        available_ -= count;
        return {*this, count};
    }

    std::size_t available_;
    AcquireOperation::Line line_;
};
/// See Semaphore.
using AcquireOperation = Semaphore::AcquireOperation;

inline void Permit::GiveBack::operator()(Semaphore* semaphore) const noexcept {
    semaphore->release(count);
}

/// `auto guard = co_await mutex.lock();` \affinity owner shard
class Mutex {
  public:
    /// Waits until it is free.
    AcquireOperation lock() noexcept { return semaphore_.acquire(); }
    /// An empty guard if it is taken.
    Permit try_lock() noexcept { return semaphore_.try_acquire(); }
    /// Whether somebody has it.
    bool locked() const noexcept { return semaphore_.available() == 0; }

  private:
    Semaphore semaphore_{1};
};
/// Frees the mutex when it goes.
using MutexGuard = Permit;

}  // namespace starling
