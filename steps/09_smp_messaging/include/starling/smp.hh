// Smp: what the shards of one runtime share: one Endpoint each, and how they all end together.
//
//     Endpoint 0   [sleeping | new lanes | unparker]  [census]       a line each, so that looking
//     at a Endpoint 1   [sleeping | new lanes | unparker]  [census]       neighbour disturbs nobody
//
// Shutdown. A shard may stop serving only when no message can reach it any more, and no shard can
// tell that from its own state: an idle neighbour may be woken by a third. So all serve until all
// are done at once. Each shard keeps a census {received, idle, sent}, and whoever becomes idle
// asks: sum of received first, then every idle, then sum of sent. If the sums agree, then between
// the first and the last of these looks nobody sent anything and nothing was on its way, so nobody
// who was seen idle has been woken since.
//
// Affinity: any thread, except as marked. Source: Mattern's counting of messages, 1987.
#pragma once

#include <cstdint>
#include <memory>
#include <starling/inbox.hh>
#include <starling/spsc_ring.hh>
#include <vector>

namespace starling {

class Lane;

/// What others see of one shard. \affinity as marked
struct alignas(kCacheLineBytes) Endpoint {
    Endpoint();
    ~Endpoint();

    // Any thread. `sleeping` is set by the owner, cleared by the owner or by the first who wakes
    // it.
    Atomic<bool> sleeping{false};
    Atomic<Lane*> new_lanes{nullptr};    // Lanes that end here and that the owner has not seen yet.
    std::shared_ptr<Unparker> unparker;  // Written by the owner before it can ever be asleep.

    // The census: written by the owner, and only from the start of the shutdown on.
    alignas(kCacheLineBytes) Atomic<std::uint64_t> received{0};
    Atomic<bool> idle{false};
    Atomic<std::uint64_t> sent{0};

    // Owner's. They are kept here because their readers may outlive the owner by a moment.
    std::vector<std::unique_ptr<Lane>> lanes;  // By destination; null until the first message.
};

/// \affinity any thread
class Smp {
  public:
    static constexpr std::size_t kDefaultCredits = 128;

    /// \param shards at least 1
    /// \param credits how many requests may be under way from one shard to another; at least 1
    explicit Smp(unsigned shards, std::size_t credits = kDefaultCredits);
    ~Smp();
    Smp(const Smp&) = delete;
    Smp& operator=(const Smp&) = delete;

    unsigned shards() const noexcept { return static_cast<unsigned>(endpoints_.size()); }
    std::size_t credits() const noexcept { return credits_; }
    Endpoint& endpoint(unsigned shard) noexcept { return endpoints_[shard]; }

    /// Begins the shutdown: one-way messages are refused from now on, and every shard is woken.
    /// \pre every shard has its mailbox, or is absent
    void close() noexcept;
    bool closing() const noexcept { return closing_.load(std::memory_order_relaxed); }
    /// The shard will never exist; it counts as idle.
    void set_absent(unsigned shard) noexcept { endpoints_[shard].idle.store(true); }

    /// Asks whether every shard is idle with no message under way; if so, it stays so, and all are
    /// woken to hear it. O(shards).
    bool check_quiescent() noexcept;
    bool quiescent() const noexcept { return quiescent_.load(std::memory_order_acquire); }

  private:
    void wake_all() noexcept;

    const std::size_t credits_;
    std::vector<Endpoint> endpoints_;
    std::atomic<bool> closing_{false};
    std::atomic<bool> quiescent_{false};
};

}  // namespace starling
