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
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <starling/ring_driver.hh>
#include <string>
#include <vector>

namespace starling::testing_support {

class ScriptedRing final : public RingPort {
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
    int waits = 0;                          // Enters that slept.
    std::vector<std::uint32_t> buffers;     // Provided, not used yet, in order.

    // What the kernel shall do.
    int next_enter = 0;                     // A -errno: the next enter does nothing else.
    std::function<void()> on_enter;         // Runs inside every enter: completions may come here.
    void complete(std::uint64_t key, IoCompletion completion) { events_.push_back({key, completion}); }
    void complete(const IoOp& op, int result, bool more = false) {
        complete(op.key, {.result = result, .more = more});
    }

    /// How many requests with this code were taken.
    std::size_t count(IoCode code) const {
        return static_cast<std::size_t>(std::ranges::count_if(
            taken, [code](const Request& r) { return r.request.code == code; }));
    }

    const char* name() const noexcept override { return "a script"; }
    bool push(const IoRequest& request, std::uint64_t key) noexcept override {
        if (queue.size() == room_) return false;
        queue.push_back({request, key});
        return true;
    }
    std::uint32_t queued() const noexcept override {
        return static_cast<std::uint32_t>(queue.size());
    }
    int enter(bool wait, TimePoint) noexcept override {
        ++enters;
        waits += wait;
        if (next_enter != 0) return std::exchange(next_enter, 0);
        taken.insert(taken.end(), queue.begin(), queue.end());
        queue.clear();
        if (on_enter) on_enter();
        return 0;
    }
    bool wants_enter() const noexcept override { return false; }
    std::size_t reap(std::span<RingEvent> into) noexcept override {
        std::size_t count = 0;
        while (count < into.size() && !events_.empty()) {
            into[count++] = events_.front();
            events_.pop_front();
        }
        return count;
    }
    void provide(std::uint32_t index, std::span<std::byte>) noexcept override {
        buffers.push_back(index);
    }
    std::uint32_t provided_max() const noexcept override { return 4; }

  private:
    const std::uint32_t room_;
    std::deque<RingEvent> events_;
};

/// An operation that a test drives by hand and that writes down what it is told.
class ProbeOp final : public IoOp {
  public:
    ProbeOp(IoFd& fd, const IoRequest& request) : IoOp(fd, request) {}
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

/// A RingDriver on a ScriptedRing, and descriptors and operations for it.
class ScriptedIo {
    ScriptedRing* ring_;  // The driver owns it.

  public:
    explicit ScriptedIo(std::uint32_t room = 8)
        : ring_(new ScriptedRing(room)),
          kernel(*ring_),
          driver(*new RingDriver(std::unique_ptr<RingPort>(ring_),
                                 {.buffers = 8, .buffer_bytes = 64})) {
        keep(&driver);
    }

    ScriptedRing& kernel;
    RingDriver& driver;

    /// A descriptor of the driver's. It stands for a socket: the script decides what happens on it.
    IoFd& fd() {
        auto* fd = new IoFd(driver, OwnedFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
        keep(fd);
        return *fd;
    }
    /// An operation on a descriptor of its own.
    ProbeOp& op(IoCode code = IoCode::recv) {
        auto* op = new ProbeOp(fd(), {.code = code});
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
