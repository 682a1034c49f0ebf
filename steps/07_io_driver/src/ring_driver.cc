#include <starling/todo.hh>
#if __has_include(<sys/eventfd.h>)

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <starling/ring_driver.hh>
#include <system_error>

namespace starling {

namespace {
constexpr std::uint32_t kProvidedAtFirst = 64;
constexpr int kReapsPerPoll = 32;  // Bounds a poll.
}  // namespace

RingDriver::RingDriver(std::unique_ptr<RingPort> port, const DriverOptions& options)
    : Driver(options.buffers, options.buffer_bytes),
      port_(std::move(port)),
      wake_(std::make_shared<WakeFd>()),
      provided_target_(std::min(kProvidedAtFirst, port_->provided_max())) {}

// What is still in flight here belongs to streams that were let go: their cancels end them at once.
RingDriver::~RingDriver() {
    for (int round = 0; in_flight() > 0 && round < 100; ++round) {
        poll();
        if (in_flight() > 0) park(Clock::steady().now() + std::chrono::milliseconds(10));
    }
    assert(in_flight() == 0 && "a driver was destroyed before its operations had ended");
    assert(buffers_.available() + provided_ == buffers_.count() && "a buffer outlives its driver");
}

// The kernel waits by itself, and only does so for descriptors that may block.
void RingDriver::attach(detail::FdState& fd) {
    const int flags = ::fcntl(fd.fd, F_GETFL);
    ++stats_.calls;
    if (flags < 0) throw std::system_error(errno, std::generic_category(), "io_uring: attach");
    if ((flags & O_NONBLOCK) == 0) return;
    ++stats_.calls;
    ::fcntl(fd.fd, F_SETFL, flags & ~O_NONBLOCK);
}

// Submitting.

/// One request on its way: a key of its own, and a place in the queue. False if that is full.
bool RingDriver::push(IoOp& op) {
    // BEGIN 7.2: submit
    // Name the operation (`op.key`) and push its request. On false the operation has no key.
    (void)op;
    todo("7.2", "RingDriver::push");
    // END 7.2
}

void RingDriver::submit(IoOp& op) {
    ++stats_.submissions;
    if (starves(op)) return;
    // BEGIN 7.2: submit
    // Nothing is dropped and nobody overtakes: when the queue is full, one `enter` may make room; if
    // it does not, or others wait already, the operation waits in the backlog for the next `poll`.
    // No completion is looked at here.
    (void)op;
    todo("7.2", "RingDriver::submit");
    // END 7.2
}

/// Before each `enter`: what waited for room goes first.
void RingDriver::flush() noexcept {
    feed_starved();
    while (!cancels_.empty() && push_cancel(cancels_.back())) cancels_.pop_back();
    // BEGIN 7.2: submit
    // Push what is in the backlog, oldest first, until the queue is full again. An operation that was
    // cancelled while it waited here never goes to the kernel: `deliver` it -ECANCELED.
    return todo_soft("7.2", "RingDriver::flush");
    // END 7.2
}

// Cancelling.

bool RingDriver::push_cancel(std::uint64_t key) noexcept {
    return port_->push({.code = IoCode::cancel, .target = key}, 0);
}

void RingDriver::cancel(IoOp& op) {
    ++stats_.submissions;
    cancelled_ = true;
    // BEGIN 7.4: cancel
    // Ask the kernel to end `op`: the operation stays as it is until its last completion says how
    // it ended. When the queue is full the cancel waits in `cancels_`, and is never dropped. An
    // operation in the backlog is not the kernel's yet: `flush` deals with it.
    (void)op;
    todo("7.4", "RingDriver::cancel");
    // END 7.4
}

// Reaping.

/// One completion from the kernel.
void RingDriver::handle(const RingEvent& event) noexcept {
    if (event.key == kWakeKey) return on_wake(event.completion.more);
    if (event.completion.buffer != IoCompletion::kNoBuffer) --provided_;
    // BEGIN 7.3: reap
    // Find whose it is and `deliver` it. The name is given back with the last completion, *before*
    // that is delivered: the operation may start again, or be gone, when `deliver` returns. What
    // names nobody is late, or a cancel's own; a buffer that came with it goes back to the pool.
    (void)event;
    return todo_soft("7.3", "RingDriver::handle");
    // END 7.3
}

std::size_t RingDriver::reap() noexcept {
    std::array<RingEvent, 64> events;
    std::size_t total = 0;
    bool ran_out = false;
    for (int i = 0; i < kReapsPerPoll; ++i) {
        const std::size_t count = port_->reap(events);
        for (std::size_t k = 0; k < count; ++k) {
            ran_out |= events[k].completion.result == -ENOBUFS;
            handle(events[k]);
        }
        total += count;
        if (count < events.size()) break;
    }
    if (ran_out) provided_target_ = std::min(2 * provided_target_, port_->provided_max());
    return total;
}

// The turn.

void RingDriver::enter(bool wait, TimePoint deadline) noexcept {
    ++stats_.enters;
    port_->enter(wait, deadline);  // Its errors mean "later", and later comes: see RingPort::enter.
}

void RingDriver::poll() noexcept {
    TrampolineScope scope;
    cancelled_ = false;
    flush();
    provide();
    if (port_->queued() > 0) {
        enter(false, {});
        reap();
    } else if (reap() == 0 && port_->wants_enter()) {
        enter(false, {});
        reap();
    }
}

void RingDriver::park(TimePoint deadline) noexcept {
    if (!wake_armed_) arm_wake();
    enter(wake_armed_ && before_sleep(), deadline);  // Nobody sleeps whom nobody could wake.
}

// Waking.

void RingDriver::arm_wake() noexcept {
    // BEGIN 7.5: wake a sleeping driver
    // Have the kernel watch `wake_`: push a poll_multi with the key kWakeKey, and note in
    // `wake_armed_` whether that worked.
    return todo_soft("7.5", "RingDriver::arm_wake");
    // END 7.5
}

void RingDriver::on_wake(bool more) noexcept {
    // BEGIN 7.5: wake a sleeping driver
    // A completion for kWakeKey: see to it that the next sleep is a sleep, and that the next
    // unpark ends it. The next `park` arms again when `wake_armed_` is false.
    (void)more;
    return todo_soft("7.5", "RingDriver::on_wake");
    // END 7.5
}

// Buffers.

/// A receive stream without a buffer anywhere: it waits until a reader gives one back.
bool RingDriver::starves(IoOp& op) noexcept {
    if (op.request().code != IoCode::recv_multi) return false;
    if (provided_ > 0 || buffers_.available() > 0) return false;
    op.key = 0;
    starved_.push(op);
    return true;
}

void RingDriver::feed_starved() noexcept {
    IoOpQueue starved = starved_.take_all();
    while (!starved.empty()) {
        IoOp& op = starved.pop();
        if (op.cancelling() || !starves(op)) backlog_.push(op);
    }
}

/// Few buffers go round at first, so that they stay in the cache; more when the kernel ran out.
void RingDriver::provide() noexcept {
    while (provided_ < provided_target_) {
        const std::uint32_t index = buffers_.take_index();
        if (index == BufferPool::kNone) return;
        port_->provide(index, {buffers_.data(index), buffers_.buffer_bytes()});
        ++provided_;
    }
}

}  // namespace starling

#endif
