// Mailbox: how one shard talks to the others.
//
//      shard 0                                                     shard 1
//     ┌─────────┐  send(1, m) ──► lane 0→1  ▓▓▓▓░░ ──► poll ──►  m.resume()
//     │ Mailbox │                                                ┌─────────┐
//     │         │  m.returned() ◄── poll ◄── ▓▓ lane 1→0 ◄────── │ Mailbox │ reply(m)
//     └─────────┘                                                └─────────┘
//
// A message is an object of its sender. The lanes carry its address there and back: what it needs
// is in it, what it brings back is written into it, nothing is copied and nothing allocated.
// Exactly one shard may touch it at any time; the lane's release and acquire hand that right over.
//
//     message    who may touch it                          moved on by
//     home       its sender                                send → in line, or under way
//     in line    its sender; it waits for credit           a returning message → under way;
//     withdraw → home under way  nobody                                    the target's poll →
//     there there      the target                                reply → on its way back back
//     nobody                                    the sender's poll → home, and returned()
//
// Batches: a message is staged in its lane and published with others: when there are kBatch of
// them, and at the latest when everything that is queued now has run. So nothing is staged when a
// shard sleeps. Credits: `Smp::credits()` requests may be under way on a lane; more wait in line,
// first come first served. A lane has room for as many replies on top, so a reply never waits for
// anything and two shards that are full of each other's requests still answer them. Sleep: see
// before_sleep. Only a shard that sleeps is ever woken.
//
// Affinity: owner shard. Source: Seastar's smp_message_queue.
#pragma once

#include <starling/executor.hh>
#include <starling/intrusive_list.hh>
#include <starling/smp.hh>

namespace starling {

class Mailbox;

/// Something that goes to another shard and comes back. As a Continuation it is resumed at the
/// target; whoever ends there what it asks for calls `reply`. \affinity the shard where it is
class Message : public Continuation, public ListLink {
  public:
    Message() = default;

  protected:
    Message(Message&&) noexcept = default;
    ~Message() = default;

    /// It was in line for credit, and has left. Called at home.
    virtual void departed() noexcept {}
    /// It is home again; nothing of it is elsewhere. Called at home; may destroy it.
    virtual void returned() noexcept = 0;

  private:
    friend class Mailbox;
    unsigned from_ = 0;
    unsigned to_ = 0;
};

/// One direction between two shards. \affinity as marked
class Lane {
  private:
    friend class Mailbox;
    Lane(Endpoint& to, std::size_t credits) : ring_(2 * credits), to_(to), credits_(credits) {}

    SpscRing<Message*> ring_;   // Borrows what it holds. Room for a reply to every request, too.
    Lane* next_new_ = nullptr;  // In the target's list of lanes it has not seen yet.
    // The sender's:
    Endpoint& to_;
    std::size_t credits_;      // Requests that may still be sent.
    std::size_t waiting_ = 0;  // Requests that wait for credit.
    bool unflushed_ = false;   // In Mailbox::unflushed_.
    // BEGIN 9.5: back-pressure
    //| Where do requests wait for credit? They leave first come first served, and any of them may
    //| leave early because its sender was stopped. Write down in three sentences who waits, who is
    //| never made to wait, and who moves the line on; then choose the members.
    IntrusiveList<Message> line_;
    // END 9.5
};

/// \affinity owner shard
class Mailbox final : public EventSource {
  public:
    static constexpr ServiceSlot kSlot = ServiceSlot::smp;
    static constexpr const char* kName = "a Mailbox";
    static constexpr std::size_t kBatch = 16;       // Published together, if not before.
    static constexpr std::size_t kReceiveMax = 64;  // Taken from a lane in one poll.

    /// Becomes a source of `executor` and the smp service of what runs there.
    Mailbox(Smp& smp, unsigned shard, Executor& executor);
    ~Mailbox() override;
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;

    unsigned shard() const noexcept { return shard_; }
    unsigned shards() const noexcept { return smp_.shards(); }
    Smp& smp() const noexcept { return smp_; }

    /// Has `m` resumed on shard `to` (this one included) and returned here.
    /// \pre to < shards(). \throws std::bad_alloc at a lane's first message
    /// \return whether it is under way; without credit it waits in line. O(1).
    bool send(unsigned to, Message& m);
    /// Whether `send` to that shard would not wait now.
    bool has_credit(unsigned to) const noexcept;
    /// Takes `m` out of the line. \return false if it is no longer there: it will be returned.
    /// O(1).
    bool withdraw(Message& m) noexcept;
    /// Sends `m`, which was resumed here, back home. Never waits. O(1).
    void reply(Message& m) noexcept;
    /// Publishes what is staged, and wakes those targets that sleep.
    void flush() noexcept;

    /// Requests of this shard that have not come back, those in line included.
    std::size_t outstanding() const noexcept { return outstanding_; }

    /// The shutdown has begun: keeps the census from now on.
    void begin_census() noexcept;
    /// During the shutdown: there is nothing left to do here. \return Smp::check_quiescent()
    bool report_idle() noexcept;

    // As an event source.
    void poll() noexcept override;
    bool active() const noexcept override { return shards() > 1 && !smp_.quiescent(); }
    bool before_sleep() noexcept override;
    void after_sleep() noexcept override;

  private:
    /// Queued behind the work of this turn whenever something is staged.
    struct Flusher final : Continuation {
        explicit Flusher(Mailbox& mailbox) noexcept : mailbox(mailbox) {}
        void resume() noexcept override { mailbox.flush(); }
        Mailbox& mailbox;
    };

    Lane& lane_to(unsigned shard);
    void stage(Lane& lane, Message& m) noexcept;
    void publish(Lane& lane) noexcept;
    void wake_if_asleep(Endpoint& peer) noexcept;
    void adopt_new_lanes() noexcept;
    void receive(Message& m) noexcept;
    void move_line_on(Lane& lane) noexcept;

    Smp& smp_;            // Borrows: it outlives every mailbox.
    Endpoint& here_;      // Borrows: smp_'s.
    Executor& executor_;  // Borrows: it outlives this.
    const unsigned shard_;
    bool census_ = false;
    std::vector<Lane*> inbound_;    // Borrows: the senders' endpoints own them.
    std::vector<Lane*> unflushed_;  // Borrows: lanes with staged messages.
    Flusher flusher_{*this};        // Queued while there are any.
    std::size_t outstanding_ = 0;
    std::uint64_t sent_ = 0;
    std::uint64_t received_ = 0;
};

/// This shard's mailbox. \throws std::logic_error outside of a shard
inline Mailbox& mailbox(const char* who) { return service<Mailbox>(who); }

/// The number of the shard that runs this, from 0. \throws std::logic_error outside of a shard
inline unsigned this_shard() { return mailbox("this_shard").shard(); }
/// How many shards there are. \throws std::logic_error outside of a shard
inline unsigned shard_count() { return mailbox("shard_count").shards(); }

}  // namespace starling
