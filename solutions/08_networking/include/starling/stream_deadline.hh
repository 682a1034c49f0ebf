// StreamDeadline: when a stream's reads, or its writes, have to be over.
//
//     set(t)         often only a number is stored
//     begin(op)      an operation waits from now on
//       └─ timer ──► expired(): it is late, so it is stopped, and ends as whatever is stopped does;
//                    if it has been given more time, the timer is set again
//     end(op)        it waits no longer
//
// A deadline belongs to the stream and stays until it is set anew, so one deadline covers the many
// reads of one message. Moving it further away costs a store: the timer expires early and is set
// again then, once per timeout instead of once per request.
//
// Affinity: owner shard. Source: Go's net.Conn.
#pragma once

#include <memory>
#include <starling/frame_pool.hh>
#include <starling/operation.hh>
#include <starling/timeout.hh>
#include <starling/timer_service.hh>

namespace starling {

/// One direction's deadline. In memory of its own: a timer stays where it is when its stream moves.
/// \affinity owner shard
class StreamDeadline final : private Timer, public Pooled {
  public:
    /// The deadline that never comes.
    static constexpr TimePoint kNever = TimePoint::max();

    /// The operation that waits, and later ones, end at `deadline`.
    /// \throws std::logic_error if there is no TimerService
    void set(TimePoint deadline) {
        // BEGIN 8.4: the deadline moves
        //| Keep the deadline, and see that the timer expires by then. kNever needs no timer; one that
        //| is armed may stay.
        //= todo("8.4", "StreamDeadline::set");
        deadline_ = deadline;
        expire_in_time();
        // END 8.4
    }
    /// See `set`.
    TimePoint deadline() const noexcept { return deadline_; }
    /// `op` is about to start in `context`, which may be null: it has a `stop()`. If its time is
    /// over already, it learns so with the next poll. Borrows: `op` until `end`, `context` until
    /// the result is taken.
    template <class Op>
    void begin([[maybe_unused]] Op& op, Context* context) {
        context_ = context;
        // BEGIN 8.4: somebody waits
        //| Remember who waits and how it is stopped: `stop_` gets `op_` back, which has forgotten its
        //| type. It is not `late_` yet, whatever the one before was. From now on the timer matters.
        op_ = &op;
        stop_ = [](void* waiting) noexcept { static_cast<Op*>(waiting)->stop(); };
        late_ = false;
        expire_in_time();
        // END 8.4
    }
    /// `op` has ended, or goes.
    void end([[maybe_unused]] const void* op) noexcept {
        // BEGIN 8.4: nobody waits
        //| Forget it. Another may have begun since: that one still waits.
        if (op_ == op) op_ = nullptr;
        // END 8.4
    }
    /// Whether what began last was stopped here, and its task was not: of a task's stop it has to
    /// hear, whichever came first. \pre it was stopped, and its context is there
    bool late() const noexcept {
        return late_ && (context_ == nullptr || !context_->stop_requested());
    }

  private:
    void expired() noexcept override {
        if (op_ == nullptr) return;
        // BEGIN 8.4: the timer has expired
        //| Whoever waits is `late_`: ask it to stop (`stop_(op_)`). It goes on when it has ended, not
        //| here: it may have been faster. But if the deadline has moved away in the meantime, it still has
        //| to come. The clock to ask is the TimerService's: its `now()`.
        //= return todo_soft("8.4", "StreamDeadline::expired");
        if (deadline_ > service<TimerService>("a deadline").now()) return expire_in_time();
        late_ = true;
        stop_(op_);
        // END 8.4
    }
    /// Has the timer expire at the deadline or before.
    void expire_in_time() {
        if (deadline_ == kNever) return;
        // BEGIN 8.4: set the timer
        //| Arm this timer, unless it is armed and early enough: then it stays as it is.
        //= todo("8.4", "StreamDeadline::expire_in_time");
        if (armed() && Timer::deadline() <= deadline_) return;
        cancel();
        set_deadline(deadline_);
        service<TimerService>("a deadline").arm(*this);
        // END 8.4
    }

    TimePoint deadline_ = kNever;  // The timer's may be earlier.
    Context* context_ = nullptr;   // Borrows: until the result is taken.
    void* op_ = nullptr;           // Borrows: until `end`. What waits.
    [[maybe_unused]] void (*stop_)(void* op) noexcept = nullptr;  // Unused until 8.4.
    bool late_ = false;
};

/// An operation that ends at the deadline of its direction. \tparam Op it has a `stop()`
/// \affinity owner shard
template <class Op>
class StreamOperation {
  public:
    /// \param deadline Borrows: it outlives this.
    StreamOperation(StreamDeadline& deadline, Op&& op) noexcept
        : deadline_(deadline), op_(std::move(op)) {}
    /// It may be moved until it is started.
    StreamOperation(StreamOperation&&) noexcept = default;
    ~StreamOperation() { deadline_.end(&op_); }

    /// Whether there is nothing to wait for; then the deadline does not matter.
    bool ready() { return op_.ready(); }
    /// Begins. `c` is posted when it has ended. \pre not ready
    void start(Continuation& c) {
        // BEGIN 8.4: it waits
        //| Have the deadline know of `op_`, and of c's context, before it starts: this may be gone
        //| afterwards.
        deadline_.begin(op_, c.context());
        // END 8.4
        op_.start(c);
    }
    /// Whether it was stopped, and not by its deadline.
    bool stopped() const noexcept { return op_.stopped() && !deadline_.late(); }
    /// The result. \throws TimedOut; what the operation throws
    auto finish() {
        // BEGIN 8.4: it has ended
        //| It waits no longer. TimedOut if the deadline has stopped it: `op_` was stopped, and this was
        //| not. Otherwise its own result is the result: see below.
        deadline_.end(&op_);
        if (op_.stopped() && !stopped()) throw TimedOut();
        // END 8.4
        return op_.finish();
    }

  private:
    StreamDeadline& deadline_;  // Borrows: the stream's.
    Op op_;
};

}  // namespace starling
