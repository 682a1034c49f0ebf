// Driver: the proactor. It takes operations, and later gives back completions.
//
//     submit ─► push ─ full? ─► backlog ─┐        reap ─► key ─► SlotTable ─► op.complete
//                 ▲──────────────────────┘ at the next poll         └─ not there: late, ignored
//
//     op.key   in a list?   means                                     who moves it on
//     0        no           idle                                      submit
//     0        yes          waits: for room, or a buffer (starved)    flush → pushed, or cancelled
//     ≠ 0      no           the kernel has it, or soon will           its last completion → 0
//
//     any thread: unpark() ─► [ WakeFd ] ─readable─► the kernel ─► on_wake() ─► drain()
//
// The kernel below is io_uring, epoll, kqueue or a script (kernel.hh); nobody above can tell,
// except by counting system calls. A turn of the loop costs one: what tasks have submitted since
// the last `poll` goes down with the same `enter` that fetches completions.
//
// Invariants: an operation is completed from `poll`, never inside `submit` or `cancel`. Nothing is
// ever dropped: not an operation when a queue is full, not a cancel. `poll` never blocks; `park`
// submits what waits, then sleeps until a completion, an unpark or the deadline.
//
// Affinity: owner shard: made, used and destroyed on one thread. `unparker()`'s result any thread.
// Source: io_uring(7), "Efficient IO with io_uring" (Axboe).
#pragma once

#include <cstdint>
#include <memory>
#include <starling/buffer_pool.hh>
#include <starling/env.hh>
#include <starling/event_source.hh>
#include <starling/inbox.hh>
#include <starling/io_op.hh>
#include <starling/kernel.hh>
#include <starling/slot_table.hh>
#include <string>
#include <vector>

namespace starling {

/// Which kernel interface; `automatic` takes the best that works here.
enum class DriverKind : std::uint8_t { automatic, io_uring, epoll, kqueue };

/// The rungs of io_uring's setup ladder, best first. `first` takes the first that works.
enum class RingRung : std::uint8_t { first, deferred, cooperative, plain };

/// What `make_driver` shall make.
struct DriverOptions {
    DriverKind kind = DriverKind::automatic;  ///< One that does not work here is an error.
    RingRung rung = RingRung::first;          ///< io_uring: one rung only, for tests.
    std::uint32_t entries = 256;              ///< io_uring: submissions per system call.
    std::uint32_t buffers = 8192;             ///< For streams: 1 to 65,536; made when needed.
    std::uint32_t buffer_bytes = 32768;       ///< Of one buffer: at least 1.
};

/// An eventfd that its owner's kernel watches. Drivers and foreign threads share it by reference
/// count, so that a wake-up that comes late finds a descriptor that is still its own.
/// \source eventfd(2) \affinity `unpark` any thread; the rest owner shard
class WakeFd final : public Unparker {
  public:
    /// \throws std::system_error
    WakeFd();
    /// Makes the descriptor readable. One system call. Errno stays as it was.
    void unpark() noexcept override;
    /// Makes it not readable until the next `unpark`.
    void drain() noexcept;
    /// What becomes readable.
    int fd() const noexcept { return fd_.get(); }

  private:
    OwnedFd fd_, pipe_end_;  // The second one: where there is no eventfd.
    int write_fd_;           // One of them.
};

/// Takes operations, gives back completions. \affinity owner shard
class Driver final : public EventSource, public Parker {
  public:
    static constexpr ServiceSlot kSlot = ServiceSlot::io;  ///< See `service`.
    static constexpr const char* kName = "an I/O driver";  ///< See `service`.

    /// \param kernel io_uring, epoll, …, or a script
    /// \param name, note see `name()`, `note()`; `name` is a literal
    explicit Driver(std::unique_ptr<Kernel> kernel, const DriverOptions& options = {},
                    const char* name = "a script", std::string note = {});
    /// \pre nothing is in flight, except what was let go (streams, descriptors): that is ended here
    ~Driver() override;

    /// For people: "io_uring", "epoll".
    const char* name() const noexcept { return name_; }
    /// Why it is not the first choice, as a sentence; empty if it is.
    const std::string& note() const noexcept { return note_; }
    /// What streams receive into.
    BufferPool& buffers() noexcept { return buffers_; }
    /// What it has cost so far.
    const IoStats& stats() const noexcept { return kernel_->stats; }
    /// Operations in flight.
    std::size_t in_flight() const noexcept { return in_flight_; }

    bool active() const noexcept override { return in_flight_ > 0; }
    void poll() noexcept override;
    bool before_sleep() noexcept override { return backlog_.empty() && cancels_.empty(); }
    void park(TimePoint deadline) noexcept override;
    std::shared_ptr<Unparker> unparker() noexcept override { return wake_; }

    // What descriptors and operations call.

    /// Takes a new descriptor: sets its blocking mode, begins to watch it.
    /// \throws std::system_error
    void attach(int fd);
    /// Begins. Completions come from `poll`.
    void submit(IoOp& op);
    /// Asks to end it early. Its last completion still comes: -ECANCELED, or a faster success.
    void cancel(IoOp& op);

  private:
    friend class IoOp;
    static constexpr std::uint64_t kWakeKey = 1;  // Generation 0: no slot's key.
    static constexpr std::uint32_t kProvidedAtFirst = 16;

    bool push(IoOp& op);
    void flush() noexcept;
    void provide() noexcept;
    void enter(TimePoint deadline = TimePoint::min()) noexcept;
    void handle(const IoCompletion& completion) noexcept;
    void deliver(IoOp& op, const IoCompletion& completion) noexcept;
    void arm_wake() noexcept;
    void on_wake(bool more) noexcept;

    const std::unique_ptr<Kernel> kernel_;
    const char* const name_;
    const std::string note_;
    BufferPool buffers_;
    const std::shared_ptr<WakeFd> wake_ = std::make_shared<WakeFd>();
    bool wake_armed_ = false;
    SlotTable<IoOp> slots_;        // What the kernel has, by key.
    IntrusiveList<IoOp> backlog_;  // Waits for room in the submission queue.
    IntrusiveList<IoOp> starved_;  // recv_multi without a buffer anywhere: until one is given back.
    std::vector<IoRequest> cancels_;    // Wait for room, too.
    std::vector<IoCompletion> events_;  // Of one poll.
    std::size_t in_flight_ = 0;
    std::uint32_t provided_ = 0;         // Buffers in the kernel's hands…
    std::uint32_t provided_target_ = 0;  // …and how many it should have: more when it ran out.
};

/// The driver that `options` ask for; `automatic` takes the best that works here: io_uring's rungs,
/// then epoll or kqueue. Call it on the thread that will use it.
/// \throws std::system_error whose text says what is missing, if what was asked for does not work
///         here
std::unique_ptr<Driver> make_driver(const DriverOptions& options = {});

namespace detail {
/// The kernels there are. Each function is there where its system header is.
/// \param rung not `first` \throws std::system_error that says why it does not work here
std::unique_ptr<Kernel> make_uring_kernel(const DriverOptions& options, RingRung rung);
std::unique_ptr<Kernel> make_epoll_kernel(const DriverOptions& options, RingRung);
std::unique_ptr<Kernel> make_kqueue_kernel(const DriverOptions& options, RingRung);
}  // namespace detail

/// This thread's driver. \throws std::logic_error if there is none
inline Driver& this_driver(const char* who) { return service<Driver>(who); }

}  // namespace starling
