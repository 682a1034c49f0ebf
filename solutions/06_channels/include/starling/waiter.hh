// Waiter: an operation that stands in a line until what it waits for is there.
//
//     state     meaning                                moved on by
//     idle      was never started                      start → waiting, or granted at once
//     waiting   in a line, and in a stop list          serve → granted; a stop → stopped
//     granted   has what it wanted; is posted          nobody: a stop comes too late
//     stopped   left the line empty-handed; is posted  ready, start: it is awaited again
//
// An operation is asked two questions. `ready`, of a newcomer: can you have it at once, with nobody
// before you? `try_now`, of the first in the line: it is your turn; if it is there, take it. That
// is all in which channels, semaphores and gates differ.
//
// Whoever changes something calls `serve`, which asks those who have waited longest, and takes it
// on their behalf while they still sleep. So a newcomer cannot snatch what they were woken for, and
// nobody is woken in vain: hand over, do not wake and retry.
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

/// What all waiting operations of this layer share. \affinity owner shard
/// \tparam Op derives from it. It has `ready()` and `try_now()`, see above, and `line()`, in which
/// it waits.
template <class Op>
class Waiter {
    struct Place;

  public:
    /// First come, first served.
    using Line = IntrusiveList<Place>;

    /// Waits, unless it is ready by now.
    void start(Continuation& c) {
        assert(state_ != State::waiting && "an operation has one waiter");
        Op& self = static_cast<Op&>(*this);
        if (self.ready()) {
            state_ = State::granted;
            return post(c);
        }
        // BEGIN 6.2: waiters, first come first served
        //| Make `place_` (std::construct_at) for `self` and `c`, and enter it: at the end of the line,
        //| and in the stop list of c's context, if it has one. If that was stopped already, `end_early`
        //| is called from inside `link`: everything else has to be settled by then.
        //= todo("6.2", "Waiter::start");
        std::construct_at(&place_, self, c);
        state_ = State::waiting;
        self.line().push_back(place_);
        if (c.context() != nullptr) c.context()->link(place_);
        // END 6.2
    }
    /// Whether it ended empty-handed, because its context was stopped.
    bool stopped() const noexcept { return state_ == State::stopped; }
    /// \throws Cancelled if stopped
    void finish() const {
        if (stopped()) [[unlikely]]
            throw Cancelled{};
    }

    /// Something has changed: whoever can have now what it waits for gets it, and is posted.
    /// O(those served).
    static void serve(Line& line) noexcept {
        if (!line.empty()) [[unlikely]]
            serve_some(line);
    }

  protected:
    Waiter() noexcept {}  // NOLINT: place_ is made by start.
    /// Nobody moves a waiter that waits.
    Waiter(Waiter&&) noexcept {}  // NOLINT
    /// A place that is in no list needs no destructor.
    ~Waiter() {
        if (state_ == State::waiting) [[unlikely]]
            abandon();
    }
    /// For `ready`, if it is awaited again: forgets that it was stopped.
    void renew() noexcept {
        if (stopped()) [[unlikely]]
            state_ = State::granted;
    }
    /// Whether it was.
    bool started() const noexcept { return state_ != State::idle; }

  private:
    enum class State : unsigned char { idle, waiting, granted, stopped };

    /// In a line and in a stop list.
    struct Place : ListLink, StopNode {
        Place(Op& waiting, Continuation& c) noexcept
            : StopNode([](StopNode& node) noexcept { static_cast<Place&>(node).op.end_early(); }),
              op(waiting),
              line(waiting.line()),
              continuation(c) {}
        Op& op;                      // Borrows: this is part of it.
        Line& line;                  // Borrows: it outlives those who wait.
        Continuation& continuation;  // Borrows: it owns the operation.
    };

    // Apart, so that `serve` is one comparison (BM_Channel_SendRecv: 6 ns instead of 7).
    static void serve_some(Line& line) noexcept {
        // BEGIN 6.2: waiters, first come first served
        //| From the front of the line, until it is nobody's turn (`try_now`) or nobody is left: the
        //| first one leaves the line, granted, and its continuation is posted. None may run before
        //| the loop is over.
        //= return todo_soft("6.2", "Waiter::serve_some");
        TrampolineScope nobody_runs;
        while (!line.empty() && line.front().op.try_now()) {
            Place& first = line.front();
            first.op.leave(State::granted);
            post(first.continuation);
        }
        // END 6.2
    }
    void leave(State state) noexcept {
        // BEGIN 6.2: waiters, first come first served
        //| Out of both lists, into this state. Both bases of `place_` have an `unlink`: say which, as in
        //| `place_.ListLink::unlink()`.
        //= return todo_soft("6.2", "Waiter::leave");
        place_.ListLink::unlink();
        place_.StopNode::unlink();
        state_ = state;
        // END 6.2
    }
    /// Leaves the line empty-handed and without being posted.
    void abandon() noexcept {
        leave(State::stopped);
        serve(place_.line);  // It may have been the one that held up the rest.
    }
    /// The context was stopped while it waits. Never called once it was granted.
    void end_early() noexcept {
        // BEGIN 6.4: an operation that is stopped
        //| It leaves the line empty-handed, and is posted; after that `*this` may be gone.
        //= return todo_soft("6.4", "Waiter::end_early");
        abandon();
        post(place_.continuation);
        // END 6.4
    }

    union {
        Place place_;  ///< From start on.
    };
    State state_ = State::idle;
};

}  // namespace starling
