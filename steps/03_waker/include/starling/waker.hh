// Waker: permission to say "go on", for any thread, as often as it likes; it counts once.
//
//     Waker ─┐
//     Waker ─┼─► WakerNode {refs, WakeMachine, target} ──► Continuation    only the owner goes here
//     Park  ─┘        └──► Inbox ◄── the shard
//
// A waker never holds the address of a coroutine: the frame may be long gone when it is used. It
// holds a counted node, and foreign threads only move the node's state on and leave it in the
// inbox. The owner alone looks at the target, and ends the node when the operation ends.
//
// One reference each: the operation, every Waker, and a wake on its way through inbox and queue.
//
// Park goes idle → scheduled → running → done, once; WakeSlot goes round (wake_machine.hh).
//
// Affinity: Waker any thread; Park and WakeSlot owner shard. Source: Rust's Waker, async-task.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <starling/frame_pool.hh>
#include <starling/inbox.hh>
#include <starling/operation.hh>
#include <starling/wake_machine.hh>
#include <utility>
#include <starling/todo.hh>

namespace starling {

namespace detail {

/// The counted state behind wakers. It is what the inbox and the run queue hold on a wake's way, so
/// that neither ever holds something that can die. \affinity as marked
class WakerNode final : public Continuation, public Pooled {
  public:
    /// Made by the owner, with one reference, which is the owner's.
    WakerNode(std::shared_ptr<Inbox> inbox, Continuation& target) noexcept
        : target_(&target), inbox_(std::move(inbox)) {}

    // Any thread.

    /// Sends the node on its way to the target, unless it is on it or the target is gone.
    void wake() noexcept {
        if (!machine_.wake()) return;
        // BEGIN 3.5: clone and drop
        // It is ours to send. Its way is held by a reference of its own. If `current_inbox`, that of
        // the shard which runs here, is the node's own, it goes straight into the run queue, otherwise
        // through the inbox.
        return todo_soft("3.5", "WakerNode::wake");
        // END 3.5
    }
    void add_ref() noexcept {
        // BEGIN 3.5: clone and drop
        // One more holder. Who adds has a reference already, so nothing needs to be ordered.
        return todo_soft("3.5", "WakerNode::add_ref");
        // END 3.5
    }
    /// Frees the node when it was the last reference.
    void drop_ref() noexcept {
        // BEGIN 3.5: clone and drop
        // One holder less; the last one deletes the node. Which memory order makes every other
        // holder's last access happen before the delete?
        return todo_soft("3.5", "WakerNode::drop_ref");
        // END 3.5
    }
    Inbox& inbox() const noexcept { return *inbox_; }
    /// For those who watch: nothing may follow from it (relaxed).
    std::uint32_t refs() const noexcept { return refs_.load(std::memory_order_relaxed); }

    // Owner.

    /// The run queue has come to it: runs the target, once more if it was woken meanwhile. Takes
    /// over one reference.
    void resume() noexcept override {
        // BEGIN 3.5: clone and drop
        // Run the target if it is still there. Woken meanwhile: it goes back into the queue, with the
        // reference of its way. Otherwise that reference ends here, perhaps as the last.
        return todo_soft("3.5", "WakerNode::resume");
        // END 3.5
    }
    /// idle → done: no wake has an effect any more. False if a wake was first.
    bool finish_if_idle() noexcept { return machine_.finish_if_idle(); }
    /// The target is gone. The node may still be on its way; it arrives without effect.
    void finish() noexcept {
        machine_.finish();
        set_context(nullptr);  // A run queue will ask for the priority when it arrives.
    }

  private:
    friend InboxList<WakerNode>;
    ~WakerNode() = default;

    std::atomic<std::uint32_t> refs_{1};
    WakeMachine<> machine_;
    Continuation* const target_;  // Borrows: until finish(). Owner only.
    WakerNode* next_ = nullptr;   // In the inbox.
    const std::shared_ptr<Inbox> inbox_;
};

}  // namespace detail

/// Wakes one park operation or one slot. Copying and dropping are counted exactly.
/// \affinity any thread (one Waker object is used by one thread at a time)
class Waker {
  public:
    /// Wakes nothing.
    Waker() = default;
    /// Wakes the target of `node`.
    explicit Waker(detail::WakerNode& node) noexcept : node_(&node) { acquire(); }
    /// One holder more. O(1).
    Waker(const Waker& other) noexcept : node_(other.node_) { acquire(); }
    /// `other` wakes nothing afterwards.
    Waker(Waker&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
    /// Lets go of what it woke before.
    Waker& operator=(Waker other) noexcept {
        // BEGIN 3.5: clone and drop
        // `other` is a copy already, or was moved, and goes at the end of this call. Who was held
        // here before loses a holder, who is held by `other` keeps its number.
        return todo_soft<Waker&>("3.5", "Waker::operator=", *this);
        // END 3.5
    }
    ~Waker() { release(); }

    /// Has the target scheduled on its own shard, where it sees what this thread wrote before.
    /// Never runs it here. Idempotent until it runs. O(1), lock-free; one unpark if the shard
    /// sleeps.
    void wake() const noexcept {
        if (node_ != nullptr) node_->wake();
    }
    /// Whether there is something to wake.
    bool valid() const noexcept { return node_ != nullptr; }
    /// How many hold the node: the operation, every waker, and its way while it is on it.
    std::uint32_t use_count() const noexcept { return node_ == nullptr ? 0 : node_->refs(); }

  private:
    void acquire() noexcept {
        if (node_ == nullptr) return;
        // BEGIN 3.5: clone and drop
        // It holds its node, and counts among the inbox's wakers.
        return todo_soft("3.5", "Waker::acquire");
        // END 3.5
    }
    void release() noexcept {
        if (node_ == nullptr) return;
        // BEGIN 3.5: clone and drop
        // The inbox counts one waker less, and the node has one holder less. Mind the order: who
        // keeps the inbox alive?
        return todo_soft("3.5", "Waker::release");
        // END 3.5
    }
    detail::WakerNode* node_ = nullptr;  // Owns: one reference.
};

namespace detail {
/// What wakers wake: its `resume` runs on the owner shard, for as long as it lives.
/// \affinity owner shard
class WakeTarget : protected Continuation {
  public:
    /// For any thread that is to wake this.
    Waker waker() const noexcept { return Waker(node_); }

  protected:
    /// \param inbox the shard's
    explicit WakeTarget(std::shared_ptr<Inbox> inbox)
        : node_(*new WakerNode(std::move(inbox), *this)) {}
    ~WakeTarget() {
        // BEGIN 3.5: clone and drop
        // The target goes, and with it one holder of the node. Others may hold it, and it may be on
        // its way: it must not come here any more.
        todo_soft("3.5", "WakeTarget::~WakeTarget");
        return;
        // END 3.5
    }

    WakerNode& node_;  // Owns: one reference.
};
}  // namespace detail

/// Waits for one wake-up. Make it, hand out wakers, await it. A wake before the await counts; wakes
/// after the first have no effect. Stopping it withdraws, and then it is used up: no wake reaches
/// it any more, only another stop. Destroying it in flight is fine.
/// \affinity owner shard
class Park final : public detail::WakeTarget, public StoppableWait<Park> {
  public:
    /// \param inbox the shard's
    explicit Park(std::shared_ptr<Inbox> inbox) : WakeTarget(std::move(inbox)) {}

    /// Whether the wake has arrived.
    bool ready() const noexcept { return woken_; }
    /// Waits for it, or for a stop of c's context.
    void start(Continuation& c) noexcept {
        // BEGIN 3.6: park
        // Post `c` if the wake was here first. Otherwise the node travels on behalf of c's context
        // from now on (a run queue asks for its priority), and we `wait`, which is the last thing:
        // `*this` may be gone behind it.
        return todo_soft("3.6", "Park::start");
        // END 3.6
    }

  private:
    friend class StoppableWait<Park>;
    void resume() noexcept override {
        // BEGIN 3.6: park
        // The wake has arrived: remember it, and end the node, because a Park is woken once: a
        // second wake must not find a waiter that waits for something else by then. Then resume
        // the waiter, if there is one yet; it may destroy this.
        return todo_soft("3.6", "Park::resume");
        // END 3.6
    }
    bool withdraw() noexcept {
        // BEGIN 3.6: park
        // The waiter's task is asked to stop. A success beats a stop: false if a wake was first.
        // Otherwise true, and no wake has an effect from now on: it is `used_up_`. It may be that
        // already, and be awaited again; then only a stop can end the wait.
        return todo_soft("3.6", "Park::withdraw", false);
        // END 3.6
    }

    bool woken_ = false;
    bool used_up_ = false;  // It was stopped: no wake can arrive any more.
};

/// Runs `F` on its own shard once for every burst of wake-ups, from any thread, until it is
/// destroyed. A wake while `F` runs makes it run once more. `F` must not throw; it may destroy the
/// slot.
/// \affinity owner shard
template <class F>
class WakeSlot final : public detail::WakeTarget {
  public:
    /// \param inbox the shard's
    WakeSlot(std::shared_ptr<Inbox> inbox, F f) : WakeTarget(std::move(inbox)), f_(std::move(f)) {}

  private:
    void resume() noexcept override { f_(); }
    F f_;
};

}  // namespace starling
