// Inbox: where other threads leave wake-ups for a shard; and how the shard sleeps and misses none.
//
//     foreign threads                        owner
//       push(node) ──► list_ ─►node─►node    drain(): takes all at once, oldest first
//       if sleeping_: unpark                 before_sleep(): sleeping_ = true, then look once more
//
// The sleeper says "I sleep" and then looks; the producer leaves its node and then looks whether
// somebody sleeps. With both pairs `seq_cst`, at least one of the two sees the other: that is the
// whole protocol, and no timing makes it lose a wake-up.
//
// The inbox is shared by its shard and every waker, so it outlives the shard. The shard closes it
// at its end: from then on it drops what it is given.
//
// Affinity: `push`, `add_waker`, `drop_waker` any thread; the rest owner shard.
// Source: Dekker's flags.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <starling/inbox_list.hh>

namespace starling {

namespace detail {
class WakerNode;
}

/// Ends a shard's sleep. Outlives the shard and its parker. \affinity any thread
class Unparker {
  public:
    virtual ~Unparker() = default;
    /// The parker's current or next `park` returns. Many calls before it count as one.
    virtual void unpark() noexcept = 0;
};

/// Where wake-ups for one shard arrive. \affinity as marked
class Inbox {
  public:
    /// \param unparker ends the owner's sleep; null: the owner never sleeps
    explicit Inbox(std::shared_ptr<Unparker> unparker = nullptr) noexcept
        : unparker_(std::move(unparker)) {}

    // Any thread.

    /// Takes over one reference to `node` and, if the owner sleeps, ends its sleep.
    /// O(1), lock-free.
    void push(detail::WakerNode& node) noexcept;

    /// One waker more exists that may push here.
    void add_waker() noexcept {
        // relaxed: it publishes nothing, and whoever adds one is the owner or holds one already.
        wakers_.fetch_add(1, std::memory_order_relaxed);
    }
    /// One less.
    void drop_waker() noexcept {
        // release: pairs with the acquire in wakers(); publishes what this waker has pushed.
        wakers_.fetch_sub(1, std::memory_order_release);
    }

    // Owner.

    /// Posts every node that has arrived, oldest first.
    void drain() noexcept;

    /// Whether nothing has arrived. O(1).
    bool empty() const noexcept { return list_.empty(); }

    /// Announces sleep, then looks again: false if something has arrived.
    bool before_sleep() noexcept {
        sleeping_.store(true, std::memory_order_seq_cst);  // Pairs with the list's push.
        return empty();
    }
    /// The sleep is over, or did not come about.
    void after_sleep() noexcept {
        // relaxed: it publishes nothing; who still sees true unparks once in vain.
        sleeping_.store(false, std::memory_order_relaxed);
    }

    /// Drops everything, now and from now on: the shard is gone.
    void close() noexcept;

    /// How many wakers exist, in anybody's hands. When there are none, everything they ever pushed
    /// shows in `empty`; look there second.
    std::size_t wakers() const noexcept { return wakers_.load(std::memory_order_acquire); }

  private:
    InboxList<detail::WakerNode> list_;  // Owns: one reference per listed node.
    std::atomic<bool> sleeping_{false};
    std::atomic<std::size_t> wakers_{0};
    const std::shared_ptr<Unparker> unparker_;
};

namespace detail {
/// The inbox of the scheduler that runs on this thread now.
inline constinit thread_local Inbox* current_inbox = nullptr;
}  // namespace detail

}  // namespace starling
