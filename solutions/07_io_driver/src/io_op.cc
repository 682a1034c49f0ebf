#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <starling/driver.hh>
#include <system_error>

namespace starling {

void throw_io_error(const char* what, int result) {
    throw std::system_error(-result, std::system_category(), what);
}

OwnedFd::~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
}

// IoFd and its state.

IoFd::IoFd(Driver& driver, OwnedFd fd) {
    driver.attach(fd.get());
    state_.reset(new detail::FdState(driver, std::move(fd)));
}

int IoFd::shutdown(int how) noexcept { return ::shutdown(get(), how) == 0 ? 0 : -errno; }

void detail::FdState::begin_close() noexcept {
    closing = true;
    if (reader != nullptr) reader->cancel();
    if (writer != nullptr) writer->cancel();
    end_close();
}

void detail::FdState::end_close() noexcept {
    if (!closing || reader != nullptr || writer != nullptr) return;
    Continuation* waiter = closer;
    delete this;
    if (waiter != nullptr) post(*waiter);
}

// IoOp: what operations and drivers do with each other.

IoOp::IoOp(IoFd& fd, IoCode code, const void* data, std::size_t size, int flags) noexcept
    : request_{.code = code,
               .fd = fd.get(),
               .flags = flags,
               .size = static_cast<std::uint32_t>(std::min<std::size_t>(size, 1U << 30)),
               .data = const_cast<void*>(data)},
      fd_(&fd.state()) {}

void IoOp::submit() {
    IoOp*& slot = fd_->slot(request_.code);
    assert(slot == nullptr && "a descriptor has one reader and one writer at a time");
    cancelling_ = false;
    fd_->driver.submit(*this);
    slot = this;
    in_flight_ = true;
    ++fd_->driver.in_flight_;
}

void IoOp::cancel() {
    if (!in_flight_ || cancelling_) return;
    cancelling_ = true;
    fd_->driver.cancel(*this);
}

bool IoOp::try_now(int& result) {
    return fd_->slot(request_.code) == nullptr && fd_->driver.try_now(request_, result);
}

// The one-shot operations.

void OneShotOp::start(Continuation& c) {
    waiter_ = &c;
    submit();
    if (c.context() != nullptr) c.context()->link(*this);
}

void OneShotOp::on_stop(StopNode& node) noexcept {
    // BEGIN 7.4: cancel
    //| The task was asked to stop. The kernel may still own the buffer, so the waiter goes on only
    //| when the last completion has come: see `complete`.
    //= (void)node;
    //= return todo_soft("7.4", "OneShotOp::on_stop");
    auto& self = static_cast<OneShotOp&>(node);
    self.stop_requested_ = true;
    self.cancel();
    // END 7.4
}

void OneShotOp::complete(const IoCompletion& completion) noexcept {
    if (completion.result == -EINTR && !stop_requested_) return submit();
    result_ = completion.result;
    done_ = true;
    StopNode::unlink();
    post(*waiter_);
}

bool OneShotOp::stopped() const noexcept {
    // BEGIN 7.4: cancel
    //| Whether it ended *because* it was stopped, see the table in io_op.hh.
    //= return todo_soft("7.4", "OneShotOp::stopped", false);
    return stop_requested_ && (result_ == -ECANCELED || result_ == -EINTR);
    // END 7.4
}

std::size_t OneShotOp::finish() {
    constexpr const char* kNames[] = {"accept",  "accept",  "connect", "recv", "recv", "send",
                                      "recvmsg", "sendmsg", "poll",    "poll"};  // By IoCode.
    if (result_ >= 0) return static_cast<std::size_t>(result_);
    if (stop_requested_ && stopped()) throw Cancelled{};
    throw_io_error(kNames[static_cast<std::size_t>(request().code)], result_);
}

// Closing.

bool CloseOp::ready() {
    if (!fd_.valid()) return true;
    if (fd_.state().reader != nullptr || fd_.state().writer != nullptr) return false;
    fd_ = IoFd();
    return true;
}

void CloseOp::start(Continuation& c) {
    if (ready()) return post(c);
    fd_.state().closer = &c;
    fd_ = IoFd();
}

}  // namespace starling
