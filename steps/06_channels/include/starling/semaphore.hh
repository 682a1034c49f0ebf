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
#include <optional>
#include <starling/waiter.hh>

namespace starling {

class Semaphore;

/// Some of a semaphore's permits; gives them back when it goes. Move-only. \affinity owner shard
class [[nodiscard]] Permit {
  public:
    Permit() = default;
    Permit(Semaphore& semaphore, std::size_t count) noexcept
        : semaphore_(&semaphore), count_(count) {}
    Permit(Permit&& other) noexcept
        : semaphore_(std::exchange(other.semaphore_, nullptr)), count_(other.count_) {}
    Permit& operator=(Permit other) noexcept {
        std::swap(semaphore_, other.semaphore_);
        std::swap(count_, other.count_);
        return *this;
    }
    ~Permit() { release(); }

    /// Gives them back now.
    void release() noexcept;
    /// Keeps them out of the semaphore for good (or until Semaphore::release).
    void forget() noexcept { semaphore_ = nullptr; }
    explicit operator bool() const noexcept { return semaphore_ != nullptr; }

  private:
    Semaphore* semaphore_ = nullptr;  // Borrows: it outlives its permits.
    std::size_t count_ = 0;
};

/// \affinity owner shard
class AcquireOperation : public Waiter {
  public:
    AcquireOperation(Semaphore& semaphore, std::size_t count) noexcept
        : semaphore_(semaphore), count_(count) {}
    AcquireOperation(AcquireOperation&& other) noexcept
        : Waiter(std::move(other)),
          semaphore_(other.semaphore_),
          count_(other.count_),
          has_it_(std::exchange(other.has_it_, false)) {}
    ~AcquireOperation() {
        if (has_it_ || waiting()) [[unlikely]]
            give_up();
    }

    bool ready() noexcept;
    void start(Continuation& c) noexcept;
    Permit finish() {
        if (stopped()) throw Cancelled{};
        has_it_ = false;
        return {semaphore_, count_};
    }

    void end_early() noexcept;

  private:
    friend class Semaphore;
    /// This goes, and nobody has taken the permits, or waits for them any more.
    void give_up() noexcept;

    Semaphore& semaphore_;  // Borrows: it outlives those who wait.
    std::size_t count_;
    bool has_it_ = false;
};

/// \affinity owner shard
class Semaphore {
  public:
    explicit Semaphore(std::size_t permits) noexcept : available_(permits) {}

    /// Waits for `count` permits. `Permit p = co_await semaphore.acquire();`
    /// \throws Cancelled if the task is stopped. O(1).
    AcquireOperation acquire(std::size_t count = 1) noexcept { return {*this, count}; }
    /// An empty permit if it would have to wait.
    Permit try_acquire(std::size_t count = 1) noexcept {
        return take(count) ? Permit(*this, count) : Permit();
    }
    /// Adds permits, and serves whoever waits for them. O(waiters served).
    void release(std::size_t count = 1) noexcept {
        available_ += count;
        if (!waiting_.empty()) serve();
    }
    std::size_t available() const noexcept { return available_; }

  private:
    friend class AcquireOperation;
    bool take(std::size_t count) noexcept {
        if (!waiting_.empty() || available_ < count) return false;
        available_ -= count;
        return true;
    }
    void serve() noexcept;

    std::size_t available_;
    WaitLine<AcquireOperation> waiting_;
};

inline void Permit::release() noexcept {
    if (semaphore_ != nullptr) std::exchange(semaphore_, nullptr)->release(count_);
}
inline bool AcquireOperation::ready() noexcept {
    return has_it_ = has_it_ || semaphore_.take(count_);
}

/// `auto guard = co_await mutex.lock();` \affinity owner shard
class Mutex {
  public:
    AcquireOperation lock() noexcept { return semaphore_.acquire(); }
    /// An empty guard if it is taken.
    Permit try_lock() noexcept { return semaphore_.try_acquire(); }
    bool locked() const noexcept { return semaphore_.available() == 0; }

  private:
    Semaphore semaphore_{1};
};
using MutexGuard = Permit;

}  // namespace starling
