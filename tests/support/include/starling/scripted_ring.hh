// ScriptedRing: a kernel that does what a test tells it, so that every corner can be visited.
//
//     driver ── push ──► queue ── enter ──► taken         the test looks at both
//     driver ◄── reap ── events ◄── complete(…) ── the test
//
//     ScriptedIo io(4);                       // a driver over a ring with room for 4 requests
//     ProbeOp& op = io.op(IoCode::recv);
//     op.submit();
//     io.driver.poll();
//     io.kernel.complete(op, 5);              // "5 bytes have come"
//     io.driver.poll();
//
// What ScriptedIo makes is never destroyed: in the middle of an exercise an operation may stay in
// flight for ever, and that is not what the case is about. Each case is a process of its own.
//
// Affinity: one thread.
#pragma once

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <memory>
#include <span>
#include <starling/driver.hh>
#include <string>
#include <vector>

namespace starling::testing_support {

class ScriptedRing final : public Kernel {
  public:
    struct Request {
        IoRequest request;
        std::uint64_t key;
    };

    explicit ScriptedRing(std::uint32_t room) : room_(room) {}

    // What the driver has done.
    std::vector<Request> queue;  // Pushed, not yet taken by an enter.
    std::vector<Request> taken;  // Taken, ever, in order.
    int enters = 0;
    int waits = 0;                       // Enters that slept.
    std::vector<std::uint32_t> buffers;  // Provided, not used yet, in order.

    // What the kernel shall do.
    int next_enter = 0;              // A -errno: the next enter does nothing else.
    int busy_enters = 0;             // So many of the coming enters do nothing.
    std::function<void()> on_enter;  // Runs inside every enter: completions may come here.
    void complete(std::uint64_t key, IoCompletion completion) {
        completion.key = key;
        events_.push_back(completion);
    }
    void complete(const IoOp& op, int result, bool more = false) {
        complete(op.key, {.result = result, .more = more});
    }

    /// How many requests with this code were taken.
    std::size_t count(IoCode code) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            taken, [code](const Request& r) { return r.request.code == code; }));
    }

    bool push(const IoRequest& request, std::uint64_t key) noexcept override {
        if (queue.size() == room_) return false;
        queue.push_back({request, key});
        return true;
    }
    bool wants_enter() const noexcept override { return !queue.empty(); }
    void enter(const timespec* timeout) noexcept override {
        ++enters;
        waits += timeout == nullptr || timeout->tv_sec > 0 || timeout->tv_nsec > 0;
        if (std::exchange(next_enter, 0) != 0) return;
        if (busy_enters > 0) {
            --busy_enters;
            return;
        }
        taken.insert(taken.end(), queue.begin(), queue.end());
        queue.clear();
        if (on_enter) on_enter();
    }
    void reap(std::vector<IoCompletion>& into) noexcept override { into.swap(events_); }
    void provide(std::uint32_t index, std::span<std::byte>) noexcept override {
        buffers.push_back(index);
    }

  private:
    const std::uint32_t room_;
    std::vector<IoCompletion> events_;
};

/// An operation that a test drives by hand and that writes down what it is told.
class ProbeOp final : public IoOp {
  public:
    ProbeOp(IoFd& fd, IoCode code) : IoOp(fd, code) {}
    using IoOp::cancel;
    using IoOp::submit;

    std::vector<int> results;
    std::function<void(const IoCompletion&)> then;  // Runs inside `complete`.

  private:
    void complete(const IoCompletion& completion) noexcept override {
        results.push_back(completion.result);
        if (then) then(completion);
    }
};

/// A Driver on a ScriptedRing, and descriptors and operations for it.
class ScriptedIo {
    ScriptedRing* ring_;  // The driver owns it.

  public:
    explicit ScriptedIo(std::uint32_t room = 8,
                        const DriverOptions& options = {.buffers = 8, .buffer_bytes = 64})
        : ring_(new ScriptedRing(room)),
          kernel(*ring_),
          driver(*new Driver(std::unique_ptr<Kernel>(ring_), options)) {
        keep(&driver);
    }

    ScriptedRing& kernel;
    Driver& driver;

    /// A descriptor of the driver's. It stands for a socket: the script decides what happens on it.
    IoFd& fd() {
        auto* fd = new IoFd(driver, OwnedFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
        keep(fd);
        return *fd;
    }
    /// An operation on a descriptor of its own.
    ProbeOp& op(IoCode code = IoCode::recv) {
        auto* op = new ProbeOp(fd(), code);
        keep(op);
        return *op;
    }

  private:
    static void keep(void* object) {  // So that a leak detector knows that this is meant.
        static auto* kept = new std::vector<void*>;
        kept->push_back(object);
    }
};

}  // namespace starling::testing_support
