// Driver: the proactor. It takes operations, and later gives back completions.
//
//     task ── submit ──► driver ──► kernel            nothing has happened yet
//     task ◄── post ──── poll() ◄── kernel            every completion, also of a cancel
//
// Three implementations: io_uring is completion-shaped by itself; epoll and kqueue say when a
// descriptor is ready, and the driver then makes the system call. Above this header nobody can tell,
// except by counting system calls.
//
// Invariants: an operation is completed from `poll`, never inside `submit` or `cancel`. Nothing is
// ever dropped: not an operation when a queue is full, not a cancel. `poll` never blocks; `park`
// submits what waits, then sleeps until a completion, an unpark or the deadline.
//
// Affinity: owner shard: made, used and destroyed on one thread. `unparker()`'s result any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <starling/buffer_pool.hh>
#include <starling/env.hh>
#include <starling/event_source.hh>
#include <starling/io_request.hh>
#include <string>

namespace starling {

enum class DriverKind : std::uint8_t { automatic, io_uring, epoll, kqueue };

/// The rungs of io_uring's setup ladder, best first. `first` takes the first that works.
enum class RingRung : std::uint8_t { first, deferred, cooperative, plain };

struct DriverOptions {
    DriverKind kind = DriverKind::automatic;
    RingRung rung = RingRung::first;  // io_uring: one rung only, for tests.
    std::uint32_t entries = 256;      // io_uring: submissions per system call.
    std::uint32_t buffers = 8192;     // For receive streams; reserved, touched when used.
    std::uint32_t buffer_bytes = 8192;
};

/// What it has cost so far. \affinity owner shard
struct IoStats {
    std::uint64_t enters = 0;       // io_uring_enter, epoll_wait, kevent.
    std::uint64_t calls = 0;        // Other system calls: recv, send, epoll_ctl, …
    std::uint64_t submissions = 0;  // Requests taken, cancels included.
    std::uint64_t completions = 0;  // Given back.

    std::uint64_t syscalls() const noexcept { return enters + calls; }
};

namespace detail {
/// From now to `deadline`, which may be long past; for timeouts.
inline Duration time_left(TimePoint deadline) noexcept {
    const TimePoint now = Clock::steady().now();
    return deadline <= now ? Duration::zero() : deadline - now;
}
}  // namespace detail

/// \affinity owner shard
class Driver : public EventSource, public Parker {
  public:
    static constexpr ServiceSlot kSlot = ServiceSlot::io;
    static constexpr const char* kName = "an I/O driver";

    /// For people: "io_uring (deferred task running)", "epoll".
    virtual const char* name() const noexcept = 0;
    /// Why it is not the first choice, as a sentence; empty if it is.
    const std::string& note() const noexcept { return note_; }

    BufferPool& buffers() noexcept { return buffers_; }
    const IoStats& stats() const noexcept { return stats_; }
    /// Operations in flight.
    std::size_t in_flight() const noexcept { return in_flight_; }
    bool active() const noexcept override { return in_flight_ > 0; }

    // What operations call.

    /// Takes a new descriptor: sets its blocking mode, begins to watch it. \throws std::system_error
    virtual void attach(detail::FdState& fd) = 0;
    /// Forgets it; it is closed next. \pre nothing of it is in flight
    virtual void detach(detail::FdState& fd) noexcept = 0;
    /// Does it on the spot if that needs no waiting and costs no more than queueing it.
    virtual bool try_now(const IoOp& op, int& result) {
        (void)op, (void)result;
        return false;
    }
    /// Begins. Completions come from `poll`.
    virtual void submit(IoOp& op) = 0;
    /// Asks to end it early. Its last completion still comes: -ECANCELED, or a success that was faster.
    virtual void cancel(IoOp& op) = 0;

  protected:
    Driver(std::uint32_t buffers, std::uint32_t buffer_bytes) : buffers_(buffers, buffer_bytes) {}

    /// Gives `op` a completion; the last one ends it.
    void deliver(IoOp& op, const IoCompletion& completion) noexcept;

    BufferPool buffers_;
    IoStats stats_;
    std::string note_;

  private:
    friend class IoOp;
    friend std::unique_ptr<Driver> make_driver(const DriverOptions& options);
    std::size_t in_flight_ = 0;
};

/// The driver that `options` ask for; `automatic` takes the best that works here: io_uring's rungs, then
/// epoll or kqueue. Call it on the thread that will use it.
/// \throws std::system_error whose text says what is missing, if a kind or rung that was asked for does
///         not work here
std::unique_ptr<Driver> make_driver(const DriverOptions& options = {});

/// This thread's driver. \throws std::logic_error if there is none
inline Driver& this_driver(const char* who) { return service<Driver>(who); }

}  // namespace starling
