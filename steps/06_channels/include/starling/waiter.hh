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
// Affinity: owner shard.
#pragma once

#include <starling/intrusive_list.hh>
#include <starling/operation.hh>

namespace starling {

/// The part that all waiting operations of this layer share. \affinity owner shard
class Waiter : public ListLink, protected StopNode {
  public:
    /// Leaves the line with what it waited for. Posted; nothing is resumed here unless there is no
    /// scheduler, so the caller has to be done with its own state. \pre waiting()
    void grant() noexcept {
        leave(State::granted);
        post(*continuation_);
    }
    bool waiting() const noexcept { return state_ == State::waiting; }
    /// Whether it has waited, or does.
    bool started() const noexcept { return state_ != State::idle; }
    /// Whether it ended empty-handed, because its context was stopped.
    bool stopped() const noexcept { return state_ == State::stopped; }

  protected:
    enum class State : unsigned char { idle, waiting, granted, stopped };

    /// \param on_stop called with a waiting `Waiter&`; calls `withdraw`
    explicit Waiter(StopNode::Function on_stop) noexcept : StopNode(on_stop) {}
    Waiter(Waiter&&) noexcept = default;
    ~Waiter() { assert(!waiting() && "a waiting operation has to abandon its line"); }

    /// Appends this to `line`; `c` is posted when it leaves. Leaves at once if `c`'s context is
    /// stopped.
    template <class Op>
    void wait_in(IntrusiveList<Op>& line, Continuation& c) noexcept {
        continuation_ = &c;
        state_ = State::waiting;
        line.push_back(static_cast<Op&>(*this));
        if (c.context() != nullptr) c.context()->link(*this);
    }
    /// Leaves the line empty-handed, and is posted. \pre waiting()
    void withdraw() noexcept {
        leave(State::stopped);
        post(*continuation_);
    }
    /// Leaves the line for good, without being posted: for destructors. \return whether it was
    /// waiting
    bool abandon() noexcept {
        const bool was_waiting = waiting();
        if (was_waiting) leave(State::stopped);
        return was_waiting;
    }

  private:
    void leave(State state) noexcept {
        ListLink::unlink();
        StopNode::unlink();
        state_ = state;
    }

    Continuation* continuation_ = nullptr;  // Borrows: it owns this operation.
    State state_ = State::idle;
};

}  // namespace starling
