#include <fcntl.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <starling/driver.hh>

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

Driver::~Driver() {
    for (int round = 0; in_flight_ > 0 && round < 100; ++round) {
        park(Clock::steady().now() + std::chrono::milliseconds(10));
        poll();
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

void Driver::submit(IoOp& op) {
    ++kernel_->stats.submissions;
    op.key = ++last_key_;
    ops_[op.key] = &op;
    asks_.push_back({op.request(), op.key});
}

void Driver::cancel(IoOp& op) {
    ++kernel_->stats.submissions;
    const auto unsaid = std::erase_if(asks_, [&](const Ask& ask) { return ask.key == op.key; });
    if (unsaid > 0) return withdrawn_.push_back(op.key);
    asks_.push_back({{.code = IoCode::cancel, .fd = op.request().fd, .target = op.key}, 0});
}

// A full queue goes down at once; what still finds no room waits for the next turn.
void Driver::hand_over() noexcept {
    for (; provided_ < kProvided && buffers_.available() > 0; ++provided_) {
        const std::uint32_t index = buffers_.take_index();
        kernel_->provide(index, buffers_.memory(index));
    }
    const auto taken = [this] { return kernel_->push(asks_.front().request, asks_.front().key); };
    for (; !asks_.empty(); asks_.pop_front()) {
        if (taken()) continue;
        enter(TimePoint::min());
        if (!taken()) return;
    }
}

void Driver::enter(TimePoint deadline) noexcept {
    ++kernel_->stats.enters;
    if (deadline == TimePoint::max()) return kernel_->enter(nullptr);
    const Duration left =
        deadline == TimePoint::min() ? Duration::zero() : deadline - Clock::steady().now();
    const auto ns = std::chrono::ceil<std::chrono::nanoseconds>(std::max(left, Duration::zero()));
    const timespec timeout{.tv_sec = ns.count() / 1'000'000'000,
                           .tv_nsec = ns.count() % 1'000'000'000};
    kernel_->enter(&timeout);
}

void Driver::poll() noexcept {
    TrampolineScope scope;
    hand_over();
    if (kernel_->wants_enter()) enter(TimePoint::min());
    std::vector<IoCompletion> completions;
    kernel_->reap(completions);
    for (const std::uint64_t key : std::exchange(withdrawn_, {})) {
        completions.push_back({.result = -ECANCELED, .key = key});
    }
    for (const IoCompletion& completion : completions) handle(completion);
}

void Driver::handle(const IoCompletion& completion) noexcept {
    if (completion.key == kWakeKey) {
        wake_->drain();
        watched_ = completion.more;
        return;
    }
    if (completion.buffer != IoCompletion::kNoBuffer) --provided_;
    const auto found = ops_.find(completion.key);
    if (found == ops_.end()) {
        if (completion.buffer != IoCompletion::kNoBuffer) buffers_.release_index(completion.buffer);
        return;
    }
    ++kernel_->stats.completions;
    IoOp& op = *found->second;
    if (completion.more) return op.complete(completion);
    ops_.erase(found);
    detail::FdState& fd = op.fd();
    fd.slot(op.request().code) = nullptr;
    op.key = 0;
    op.in_flight_ = false;
    --in_flight_;
    const bool closing = fd.closing;
    op.complete(completion);
    if (closing) fd.end_close();
}

void Driver::park(TimePoint deadline) noexcept {
    hand_over();
    if (!watched_) {
        watched_ = kernel_->push({.code = IoCode::poll_multi, .fd = wake_->fd()}, kWakeKey);
    }
    enter(watched_ && before_sleep() ? deadline : TimePoint::min());
}

WakeFd::WakeFd() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) throw_io_error("pipe2", -errno);
    out_ = OwnedFd(ends[0]);
    in_ = OwnedFd(ends[1]);
}

void WakeFd::unpark() noexcept {
    const int saved_errno = errno;
    while (::write(in_.get(), "!", 1) < 0 && errno == EINTR) {
    }
    errno = saved_errno;
}

void WakeFd::drain() noexcept {
    char bytes[256];
    while (::read(out_.get(), bytes, sizeof bytes) > 0 || errno == EINTR) {
    }
}

}  // namespace starling
