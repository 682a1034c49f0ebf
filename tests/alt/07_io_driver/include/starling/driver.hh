// A second driver, which decides everything anew: names are numbers that are counted on and looked
// up in a map; every request, a cancel too, waits in one queue until the next poll hands it over;
// wake-ups come through a pipe. What passes on the reference and fails here relies on more than the
// contract.
//
// Affinity: owner shard; `unparker()`'s result any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <starling/buffer_pool.hh>
#include <starling/env.hh>
#include <starling/event_source.hh>
#include <starling/inbox.hh>
#include <starling/io_op.hh>
#include <starling/kernel.hh>
#include <string>
#include <unordered_map>
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
    std::uint32_t buffers = 8192;             ///< For receive streams, at most; made when needed.
    std::uint32_t buffer_bytes = 32768;       ///< Of one buffer.
};

class WakeFd final : public Unparker {
  public:
    WakeFd();
    void unpark() noexcept override;
    void drain() noexcept;
    int fd() const noexcept { return out_.get(); }

  private:
    OwnedFd out_, in_;
};

class Driver final : public EventSource, public Parker {
  public:
    static constexpr ServiceSlot kSlot = ServiceSlot::io;
    static constexpr const char* kName = "an I/O driver";

    explicit Driver(std::unique_ptr<Kernel> kernel, const DriverOptions& options = {},
                    const char* name = "a script", std::string note = {});
    ~Driver() override;

    const char* name() const noexcept { return name_; }
    const std::string& note() const noexcept { return note_; }
    BufferPool& buffers() noexcept { return buffers_; }
    const IoStats& stats() const noexcept { return kernel_->stats; }
    std::size_t in_flight() const noexcept { return in_flight_; }

    bool active() const noexcept override { return in_flight_ > 0; }
    void poll() noexcept override;
    bool before_sleep() noexcept override { return asks_.empty() && withdrawn_.empty(); }
    void park(TimePoint deadline) noexcept override;
    std::shared_ptr<Unparker> unparker() noexcept override { return wake_; }

    void attach(int fd);
    void submit(IoOp& op);
    void cancel(IoOp& op);

  private:
    friend class IoOp;
    static constexpr std::uint64_t kWakeKey = 1;
    static constexpr std::uint32_t kProvided = 64;
    struct Ask {
        IoRequest request;
        std::uint64_t key;
    };

    void hand_over() noexcept;
    void enter(TimePoint deadline) noexcept;
    void handle(const IoCompletion& completion) noexcept;

    const std::unique_ptr<Kernel> kernel_;
    const char* const name_;
    const std::string note_;
    BufferPool buffers_;
    const std::shared_ptr<WakeFd> wake_ = std::make_shared<WakeFd>();
    bool watched_ = false;  // The kernel looks at wake_.
    std::uint64_t last_key_ = kWakeKey;
    std::unordered_map<std::uint64_t, IoOp*> ops_;
    std::deque<Ask> asks_;                  // Not handed over yet, oldest first.
    std::vector<std::uint64_t> withdrawn_;  // Cancelled before they were handed over.
    std::size_t in_flight_ = 0;
    std::uint32_t provided_ = 0;
};

/// The driver that `options` ask for; `automatic` takes the best that works here: io_uring's rungs,
/// then epoll or kqueue. Call it on the thread that will use it.
/// \throws std::system_error whose text says what is missing, if what was asked for does not work
///         here
std::unique_ptr<Driver> make_driver(const DriverOptions& options = {});

namespace detail {
/// The kernels there are. Each function is there where its system header is.
/// \throws std::system_error that says why it does not work here
std::unique_ptr<Kernel> make_uring_kernel(const DriverOptions& options, RingRung rung);
std::unique_ptr<Kernel> make_epoll_kernel(const DriverOptions& options, RingRung);
std::unique_ptr<Kernel> make_kqueue_kernel(const DriverOptions& options, RingRung);
}  // namespace detail

/// This thread's driver. \throws std::logic_error if there is none
inline Driver& this_driver(const char* who) { return service<Driver>(who); }

}  // namespace starling
