// Mailbox: how one shard talks to the others. Smp: what all of them share.
//
//      shard 0                                                     shard 1
//     ┌─────────┐  send(1, m) ──► lane 0→1  ▓▓▓▓░░ ──► poll ──►  m.resume()
//     │ Mailbox │                                                ┌─────────┐
//     │         │  m.returned() ◄── poll ◄── ▓▓ lane 1→0 ◄────── │ Mailbox │ reply(m)
//     └─────────┘                                                └─────────┘
//
// A message is an object of its sender. The lanes carry its address there and back: nothing is
// copied and nothing allocated. One shard may touch it at a time; the lane hands that right over:
//
//     home ──send──► [in line] ──► under way ──► there ──reply──► on its way back ──► home
//                       └──── withdraw ────► home
//
// Batches: a message is staged in its lane and published with others: when there are kBatch of
// them, and at the latest when everything that is queued now has run.
// Credits: so many requests may be under way on a lane; more wait in line. With each a second
// message may go, on the same credit, which asks for its stop. Lanes have room for all of these and
// for the replies to them, so a reply never waits for anything, nor does a stop: two shards that
// are full of each other's requests still answer them, or call them off.
// Sleep: see before_sleep. Only a shard that sleeps is ever woken.
// Shutdown: see Smp::enter.
//
// Affinity: as marked. Source: Seastar's smp_message_queue.
#pragma once

#include <deque>
#include <starling/executor.hh>
#include <starling/spsc_ring.hh>

namespace starling {

/// Something that goes to another shard and comes back. As a Continuation it is resumed at the
/// target; whoever ends there what it asks for calls `reply`. \affinity the shard where it is
class Message : public Continuation {
  public:
    Message() = default;

  protected:
    Message(Message&&) noexcept = default;
    ~Message() = default;

    /// It is home again; nothing of it is elsewhere. Called at home; may destroy it.
    /// \return whether its credit is free: not before its follower is home, too
    virtual bool returned() noexcept = 0;

  private:
    friend class Mailbox;
    unsigned from_ = 0;
    unsigned to_ = 0;
};

/// \cond
/// What others see of one shard. \affinity any thread
struct alignas(kCacheLineBytes) Endpoint {
    /// Set by the owner, cleared by it or by the first who wakes it.
    Atomic<bool> sleeping{false};
    /// Null without a mailbox. Written by the owner before it can ever be asleep.
    std::shared_ptr<Unparker> unparker;
};

/// One direction between two shards. About 9 KiB with the default credits. \affinity the sender's,
/// but for the ring's consumer
struct Lane {
    /// \param to the receiver's \param credits at least 1
    Lane(Endpoint& to, std::size_t credits)
        : ring(4 * credits), to(to), credits(static_cast<std::ptrdiff_t>(credits)) {}

    SpscRing<Message*> ring;  ///< Borrows what it holds. Room for followers and replies, too.
    Endpoint& to;             ///< Borrows: the Smp's. Whom to wake.
    std::ptrdiff_t credits;   ///< Requests that may still be sent; below 0: so many wait in line.
    // BEGIN 9.5: back-pressure
    //| Where do requests wait for credit? They leave first come first served, and any of them may
    //| leave early because its sender was stopped. Write down in three sentences who waits, who is
    //| never made to wait, and who moves the line on; then choose the members.
    std::deque<Message*> line;  ///< Borrows: requests that wait for credit, oldest first.
    // END 9.5
};

/// \endcond

/// What the shards of one runtime share, and how they end together. \affinity any thread
class Smp {
  public:
    /// Per lane.
    static constexpr std::size_t kDefaultCredits = 128;

    /// Makes a lane from each shard to each, also to itself, where it stays empty. 128 shards have
    /// 16,384 of them, 150 MiB in all.
    /// \param shards at least 1
    /// \param credits how many requests may be under way from one shard to another; at least 1
    explicit Smp(unsigned shards, std::size_t credits = kDefaultCredits);

    /// How many there are.
    unsigned shards() const noexcept { return static_cast<unsigned>(endpoints_.size()); }
    /// What others see of `shard`.
    Endpoint& endpoint(unsigned shard) noexcept { return endpoints_[shard]; }
    /// The way from one shard to another.
    Lane& lane(unsigned from, unsigned to) noexcept { return lanes_[from * shards() + to]; }

    /// Begins the shutdown: one-way messages are refused from now on, and every shard is woken.
    /// \pre every shard has its mailbox, or will never have one. Once.
    void close() noexcept { enter(Phase::closing); }
    /// Whether the shutdown has begun.
    bool closing() const noexcept {
        return phase_.load(std::memory_order_relaxed) != Phase::serving;
    }

    /// One more shard is busy (+1), or one less (-1): it is idle, and all that it has sent has come
    /// home. If none is busy any more nothing will ever happen again; all are woken to hear it.
    void count_busy(int shards) noexcept {
        if (busy_.fetch_add(shards) == -shards) enter(Phase::over);
    }
    /// Whether nothing will ever happen again, on any shard.
    bool quiescent() const noexcept {
        return phase_.load(std::memory_order_acquire) == Phase::over;
    }

  private:
    enum class Phase : std::uint8_t { serving, closing, over };
    void enter(Phase phase) noexcept;

    std::vector<Endpoint> endpoints_;
    std::deque<Lane> lanes_;  // By sender, then by target.
    std::atomic<Phase> phase_{Phase::serving};
    std::atomic<int> busy_{0};  // Shards.
};

/// One shard's way to the others. \affinity owner shard
class Mailbox final : public EventSource, private Continuation {
  public:
    static constexpr ServiceSlot kSlot = ServiceSlot::smp;  ///< See `service`.
    static constexpr const char* kName = "a Mailbox";       ///< For messages.
    static constexpr std::size_t kBatch = 16;               ///< Published together, if not before.
    static constexpr std::size_t kReceiveMax = 64;          ///< Taken from a lane in one poll.

    /// Becomes a source of `executor` and the smp service of what runs there.
    Mailbox(Smp& smp, unsigned shard, Executor& executor);
    ~Mailbox() override;

    /// The number of this shard, from 0.
    unsigned shard() const noexcept { return shard_; }
    /// What it shares with the others.
    Smp& smp() const noexcept { return smp_; }

    /// Has `m` resumed on shard `to` (this one included) and returned here.
    /// \pre to < the number of shards
    /// \return whether it is under way; without credit it waits in line. O(1).
    bool send(unsigned to, Message& m);
    /// Sends `m` after `request`, on the same credit: it never waits. \pre `request` was sent, does
    /// not wait in line, is not home, and has no other follower. O(1).
    void follow(const Message& request, Message& m) noexcept;
    /// Whether `send` to that shard would not wait now.
    bool has_credit(unsigned to) const noexcept { return smp_.lane(shard_, to).credits > 0; }
    /// Takes `m` out of the line. \return false if it is no longer there: it will be returned.
    /// O(those in line).
    bool withdraw(Message& m) noexcept;
    /// Sends `m`, which was resumed here, back home. Never waits. O(1).
    void reply(Message& m) noexcept;
    /// Publishes what is staged, and wakes those targets that sleep.
    void flush() noexcept;

    /// Requests of this shard that have not come back, those in line included.
    std::size_t outstanding() const noexcept { return outstanding_; }
    /// During the shutdown: nothing else is left to do here. \return whether that holds for all
    bool report_idle() noexcept;

    // As an event source.
    void poll() noexcept override;
    bool active() const noexcept override { return smp_.shards() > 1 && !smp_.quiescent(); }
    bool before_sleep() noexcept override;
    void after_sleep() noexcept override { here_.sleeping.store(false, std::memory_order_relaxed); }

  private:
    void resume() noexcept override { flush(); }  // Queued while anything is staged.
    void stage(Lane& lane, Message& m) noexcept;
    void publish(Lane& lane) noexcept;
    void receive(Message& m) noexcept;
    void set_busy(bool busy) noexcept;

    Smp& smp_;            // Borrows: it outlives every mailbox.
    Endpoint& here_;      // Borrows: smp_'s.
    Executor& executor_;  // Borrows: it outlives this.
    const unsigned shard_;
    std::vector<Lane*> inbound_;    // Borrows: smp_'s.
    std::vector<Lane*> unflushed_;  // Borrows: every lane with staged messages, maybe others.
    std::size_t outstanding_ = 0;
    bool busy_ = false;  // As smp_ counts it: idle only when that was reported.
};

/// This shard's mailbox. \throws std::logic_error outside of a shard
inline Mailbox& mailbox(const char* who) { return service<Mailbox>(who); }

/// The number of the shard that runs this, from 0. \throws std::logic_error outside of a shard
inline unsigned this_shard() { return mailbox("this_shard").shard(); }
/// How many shards there are. \throws std::logic_error outside of a shard
inline unsigned shard_count() { return mailbox("shard_count").smp().shards(); }

}  // namespace starling
