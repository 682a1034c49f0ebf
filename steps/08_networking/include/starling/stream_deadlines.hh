// StreamDeadlines: when a stream's reads and writes have to be over. One timer for both directions.
//
//     set(read, t)     often only a number is stored
//     begin(read, op)  an operation waits from now on
//       └─ timer ──►   resume(): what is late is stopped, and ends like anything that is stopped;
//                      for what still has time, the timer is set again
//     end(read)        it waits no longer. Was it the deadline?
//
// A deadline belongs to the stream and stays until it is set anew, so one deadline covers the many reads
// of one message. Moving it further away costs a store: the timer fires early and is set again then,
// once per timeout instead of once per request.
//
// Affinity: owner shard. Source: Go's net.Conn.
#pragma once

#include <array>
#include <starling/frame_pool.hh>
#include <starling/io_op.hh>
#include <starling/io_stream.hh>
#include <starling/timer_service.hh>

namespace starling {

enum class Direction : std::uint8_t { read, write };

/// \affinity owner shard
class StreamDeadlines final : private Continuation, public Pooled {
  public:
    static constexpr TimePoint kNever = TimePoint::max();

    /// An operation that can be ended early. Borrows: until `end`.
    struct Waiting {
        StreamWait* wait = nullptr;
        OneShotOp* op = nullptr;
        void stop() const noexcept {
            if (wait != nullptr) wait->stop();
            if (op != nullptr) op->stop();
        }
        explicit operator bool() const noexcept { return wait != nullptr || op != nullptr; }
    };

    /// Operations of this direction end at `deadline`, those that wait already and later ones.
    /// \throws std::logic_error if there is no TimerService
    void set(Direction direction, TimePoint deadline);
    /// An operation is about to wait. \return false if its time is over: it must not be started
    bool begin(Direction direction, Waiting operation) noexcept;
    /// It has ended. \return whether that was the deadline's doing
    bool end(Direction direction) noexcept;

    /// Frees `self`, which no operation uses: now, or as soon as no queue holds it.
    static void release(StreamDeadlines* self) noexcept;

  private:
    struct Side {
        TimePoint deadline = kNever;
        Waiting waiting;
        bool expired = false;
    };
    /// The timer has fired.
    void resume() noexcept override;
    /// Has the timer fire at `deadline` or before.
    void fire_by(TimePoint deadline);

    Timer timer_;
    std::array<Side, 2> sides_;  // By Direction.
    bool released_ = false;
};

}  // namespace starling
