// Waiter: an operation that stands in a line until somebody hands it what it waits for.
//
//     state     meaning                                moved on by
//     idle      not started                            wait_in → waiting
//     waiting   in a line, and in a stop list          grant → granted; a stop → stopped
//     granted   has what it wanted; is posted          nobody: a stop comes too late
//     stopped   left the line empty-handed; is posted  nobody
//
// Hand over, do not wake and retry: `grant` settles the matter while the waiter still sleeps, so a
// newcomer cannot snatch what it was woken for, and nobody is woken in vain.
//
// Most operations never wait. What waiting takes, a place in two lists, is made when it is needed
// (BM_Channel_SendRecv: 8.4 ns instead of 9.3).
//
// Affinity: owner shard.
#pragma once

#include <cassert>
#include <memory>
#include <starling/intrusive_list.hh>
#include <starling/operation.hh>

namespace starling {

template <class Op>
class WaitLine;

/// The part that all waiting operations of this layer share. \affinity owner shard
class Waiter {
  public:
    /// Leaves the line with what it waited for. Posted; nothing is resumed here unless there is no
    /// scheduler, so the caller has to be done with its own state. \pre waiting()
    void grant() noexcept { leave(State::granted), post(*place_.continuation); }
    bool waiting() const noexcept { return state_ == State::waiting; }
    /// Whether it has waited, or does.
    bool started() const noexcept { return state_ != State::idle; }
    /// Whether it ended empty-handed, because its context was stopped.
    bool stopped() const noexcept { return state_ == State::stopped; }

    /// Called on a stop while it waits, never after it was granted. An operation may have its own.
    void end_early() noexcept { withdraw(); }

  protected:
    Waiter() noexcept {}  // NOLINT: place_ is made by wait_in.
    Waiter([[maybe_unused]] Waiter&& other) noexcept { assert(!other.started()); }
    /// A place that is in no list needs no destructor.
    ~Waiter() { assert(!waiting() && "a waiting operation has to abandon its line"); }

    /// Appends this to `line`; `c` is posted when it leaves. Leaves at once if `c`'s context is
    /// stopped. \pre not started
    template <class Op>
    void wait_in(WaitLine<Op>& line, Continuation& c) noexcept;
    /// Leaves the line empty-handed, and is posted. \pre waiting()
    void withdraw() noexcept { leave(State::stopped), post(*place_.continuation); }
    /// Leaves the line for good, without being posted: for destructors. \return whether it waited
    bool abandon() noexcept {
        const bool was_waiting = waiting();
        if (was_waiting) leave(State::stopped);
        return was_waiting;
    }

  private:
    template <class Op>
    friend class WaitLine;
    enum class State : unsigned char { idle, waiting, granted, stopped };

    /// In a line and in a stop list.
    struct Place : ListLink, StopNode {
        Place(StopNode::Function on_stop, Waiter& waiter, Continuation& c) noexcept
            : StopNode(on_stop), owner(&waiter), continuation(&c) {}
        Waiter* owner;               // Borrows: this is part of it.
        Continuation* continuation;  // Borrows: it owns the operation.
    };

    void leave(State state) noexcept {
        place_.ListLink::unlink();
        place_.StopNode::unlink();
        state_ = state;
    }

    union {
        Place place_;  // From wait_in on.
    };
    State state_ = State::idle;
};

/// First come, first served. \tparam Op derives from Waiter \affinity owner shard
template <class Op>
class WaitLine {
  public:
    bool empty() const noexcept { return places_.empty(); }
    /// Who has waited longest. \pre not empty
    Op& front() noexcept { return static_cast<Op&>(*places_.front().owner); }

  private:
    friend class Waiter;
    IntrusiveList<Waiter::Place> places_;
};

template <class Op>
void Waiter::wait_in(WaitLine<Op>& line, Continuation& c) noexcept {
    StopNode::Function on_stop = [](StopNode& node) noexcept {
        static_cast<Op*>(static_cast<Place&>(node).owner)->end_early();
    };
    std::construct_at(&place_, on_stop, *this, c);
    state_ = State::waiting;
    line.places_.push_back(place_);
    if (c.context() != nullptr) c.context()->link(place_);
}

}  // namespace starling
