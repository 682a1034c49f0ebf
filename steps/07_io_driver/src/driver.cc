#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <starling/driver.hh>
#include <starling/todo.hh>

#if __has_include(<sys/eventfd.h>)
#include <sys/eventfd.h>
#else
#include <fcntl.h>
#endif

namespace starling {

Driver::Driver(std::unique_ptr<Kernel> kernel, const DriverOptions& options, const char* name,
               std::string note)
    : kernel_(std::move(kernel)),
      name_(name),
      note_(std::move(note)),
      buffers_(std::clamp(options.buffers, 1U, Kernel::kBuffersMax),
               std::max(options.buffer_bytes, 1U)) {
    kernel_->attach(wake_->fd());
}

// What is still in flight here belongs to streams that were let go: their cancels end them at once.
Driver::~Driver() {
    for (int round = 0; in_flight_ > 0 && round < 100; ++round) {
        poll();
        if (in_flight_ > 0) park(Clock::steady().now() + std::chrono::milliseconds(10));
    }
    assert(in_flight_ == 0 && "a driver was destroyed before its operations had ended");
    assert(buffers_.available() + provided_ == buffers_.count() && "a buffer outlives its driver");
}

void Driver::attach(int fd) {
    int nonblocking = !kernel_->waits();
    ++kernel_->stats.calls;
    if (::ioctl(fd, FIONBIO, &nonblocking) < 0) throw_io_error("ioctl(FIONBIO)", -errno);
    kernel_->attach(fd);
}

// Submitting.

/// One request on its way: a key of its own, and a place in the queue. False if that is full.
bool Driver::push(IoOp& op) {
    // BEGIN 7.2: submit
    // Name the operation (`op.key`) and push its request. On false the operation has no key.
    (void)op, (void)slots_;
    todo("7.2", "Driver::push");
    // END 7.2
}

void Driver::submit(IoOp& op) {
    ++kernel_->stats.submissions;
    if (op.request().code == IoCode::recv_multi) {
        provided_target_ = std::max(provided_target_, kProvidedAtFirst);
        if (provided_ == 0 && buffers_.available() == 0) return starved_.push_back(op);
    }
    // BEGIN 7.2: submit
    // Nothing is dropped and nobody overtakes: when the queue is full, one `enter` may make room; if
    // it does not, or others wait already, the operation waits in the backlog for the next `poll`.
    // Nobody is completed here: no `reap`, and no `flush`, which may complete somebody.
    (void)op;
    todo("7.2", "Driver::submit");
    // END 7.2
}

/// Before each `enter`: what waited goes first.
void Driver::flush() noexcept {
    if (provided_ > 0 || buffers_.available() > 0) backlog_.splice_back(starved_);
    while (!cancels_.empty() && kernel_->push(cancels_.back(), 0)) cancels_.pop_back();
    // BEGIN 7.2: submit
    // Push what is in the backlog, oldest first, until the queue is full again. An operation that was
    // cancelled while it waited here never goes to the kernel: `deliver` it -ECANCELED, in this poll,
    // or in a later one if somebody before it finds no room. It leaves the list first: behind
    // `deliver` it may be gone.
    return todo_soft("7.2", "Driver::flush");
    // END 7.2
}

void Driver::enter(TimePoint deadline) noexcept {
    ++kernel_->stats.enters;
    if (deadline == TimePoint::max()) return kernel_->enter(nullptr);
    timespec timeout{};
    if (deadline != TimePoint::min()) {
        const Duration left = std::max(deadline - Clock::steady().now(), Duration::zero());
        timeout.tv_sec = left / std::chrono::seconds(1);
        timeout.tv_nsec = left % std::chrono::seconds(1) / std::chrono::nanoseconds(1);
    }
    kernel_->enter(&timeout);
}

// Cancelling.

void Driver::cancel(IoOp& op) {
    ++kernel_->stats.submissions;
    if (op.linked()) {  // It may starve: in the backlog the next poll finds it.
        op.unlink();
        backlog_.push_back(op);
    }
    const IoRequest request{.code = IoCode::cancel, .fd = op.request().fd, .target = op.key};
    // BEGIN 7.4: cancel
    // Ask the kernel to end `op`: push `request`, with the key 0. (The cancel has a completion of its
    // own; with op's key it would be taken for op's last one.) The operation stays as it is until its
    // last completion says how it ended. When the queue is full the cancel waits in `cancels_`,
    // and is never dropped. An operation without a key is not the kernel's yet: `flush` deals with it.
    (void)request;
    todo("7.4", "Driver::cancel");
    // END 7.4
}

// The turn.

void Driver::poll() noexcept {
    TrampolineScope scope;
    flush();
    provide();
    if (kernel_->wants_enter()) enter();
    events_.clear();
    kernel_->reap(events_);
    for (const IoCompletion& completion : events_) handle(completion);
}

/// One completion from the kernel.
void Driver::handle(const IoCompletion& completion) noexcept {
    if (completion.key == kWakeKey) return on_wake(completion.more);
    if (completion.buffer != IoCompletion::kNoBuffer) --provided_;
    if (completion.result == -ENOBUFS) {
        provided_target_ = std::min(provided_target_ + 1, Kernel::kProvidedMax);
    }
    // BEGIN 7.3: reap
    // Find whose it is and `deliver` it. The name is given back with the last completion, *before*
    // that is delivered: the operation may start again, or be gone, when `deliver` returns. What
    // names nobody is late, or a cancel's own; a buffer that came with it goes back to the pool.
    (void)completion;
    return todo_soft("7.3", "Driver::handle");
    // END 7.3
}

/// Gives `op` a completion; the last one ends it.
void Driver::deliver(IoOp& op, const IoCompletion& completion) noexcept {
    ++kernel_->stats.completions;
    if (completion.more) return op.complete(completion);
    detail::FdState& fd = op.fd();
    fd.slot(op.request().code) = nullptr;
    op.in_flight_ = false;
    --in_flight_;
    const bool closing = fd.closing;
    op.complete(completion);  // This may destroy the operation; an IoFd as well, if there is one.
    if (closing) fd.end_close();
}

void Driver::park(TimePoint deadline) noexcept {
    if (!wake_armed_) arm_wake();
    const bool may_sleep = wake_armed_ && before_sleep();  // Nobody sleeps whom nobody could wake.
    enter(may_sleep ? deadline : TimePoint::min());
}

// Waking.

void Driver::arm_wake() noexcept {
    // BEGIN 7.5: wake a sleeping driver
    // Have the kernel watch `wake_`: push a poll_multi with the key kWakeKey, and note in
    // `wake_armed_` whether that worked.
    return todo_soft("7.5", "Driver::arm_wake");
    // END 7.5
}

void Driver::on_wake(bool more) noexcept {
    // BEGIN 7.5: wake a sleeping driver
    // A completion for kWakeKey: see to it that the next sleep is a sleep, and that the next
    // unpark ends it. The next `park` arms again when `wake_armed_` is false.
    (void)more;
    return todo_soft("7.5", "Driver::on_wake");
    // END 7.5
}

WakeFd::WakeFd() {
#if __has_include(<sys/eventfd.h>)
    fd_ = OwnedFd(write_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd_.valid()) throw_io_error("eventfd", -errno);
#else
    int ends[2];
    if (::pipe(ends) < 0) throw_io_error("pipe", -errno);
    fd_ = OwnedFd(ends[0]);
    pipe_end_ = OwnedFd(write_fd_ = ends[1]);
    for (const int end : ends) ::fcntl(end, F_SETFL, O_NONBLOCK);
#endif
}

void WakeFd::unpark() noexcept {
    // BEGIN 7.5: wake a sleeping driver
    // Write to `write_fd_`, so that the eventfd is readable. A signal may interrupt that; a full
    // counter is readable already.
    return todo_soft("7.5", "WakeFd::unpark");
    // END 7.5
}

void WakeFd::drain() noexcept {
    // BEGIN 7.5: wake a sleeping driver
    // Make it not readable again, however many unparks there were. It may not be readable at all.
    return todo_soft("7.5", "WakeFd::drain");
    // END 7.5
}

// Buffers.

/// Few buffers go round at first, so that they stay in the cache; more when the kernel ran out.
void Driver::provide() noexcept {
    for (; provided_ < provided_target_ && buffers_.available() > 0; ++provided_) {
        const std::uint32_t index = buffers_.take_index();
        kernel_->provide(index, buffers_.memory(index));
    }
}

}  // namespace starling
