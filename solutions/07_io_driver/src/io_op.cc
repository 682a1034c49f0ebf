#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <starling/driver.hh>
#include <starling/io_op.hh>
#include <system_error>

namespace starling {

OwnedFd::~OwnedFd() {
    if (fd_ >= 0) ::close(fd_);
}

// IoFd and its state.

IoFd::IoFd(Driver& driver, OwnedFd fd) {
    auto state = std::make_unique<detail::FdState>(driver, fd.get());
    driver.attach(*state);
    fd.release();
    state_ = state.release();
}

int IoFd::shutdown(int how) noexcept { return ::shutdown(get(), how) == 0 ? 0 : -errno; }

void detail::FdState::begin_close() noexcept {
    closing = true;
    if (end_close()) return;
    if (reader != nullptr) reader->cancel();
    if (writer != nullptr) writer->cancel();
}

bool detail::FdState::end_close() noexcept {
    if (!closing || reader != nullptr || writer != nullptr) return false;
    driver->detach(*this);
    ::close(fd);
    if (closer != nullptr) post(*closer);
    delete this;
    return true;
}

// IoOp: what operations and drivers do with each other.

IoOp::IoOp(IoFd& fd, const IoRequest& request) noexcept : request_(request), fd_(&fd.state()) {
    request_.fd = fd_->fd;
}

IoOp::IoOp(IoOp&& other) noexcept : request_(other.request_), fd_(other.fd_) {
    assert(!other.in_flight_ && "an operation was moved while the kernel knew it");
}

IoOp::~IoOp() { assert(!in_flight_ && "an operation was destroyed while the kernel knew it"); }

void IoOp::submit() {
    IoOp*& slot = is_write(request_.code) ? fd_->writer : fd_->reader;
    assert(slot == nullptr && "a descriptor has one reader and one writer at a time");
    cancelling_ = false;
    fd_->driver->submit(*this);
    slot = this;
    in_flight_ = true;
    ++fd_->driver->in_flight_;
}

void IoOp::cancel() {
    if (!in_flight_ || cancelling_) return;
    cancelling_ = true;
    fd_->driver->cancel(*this);
}

bool IoOp::try_now(int& result) {
    if (in_flight_ || (is_write(request_.code) ? fd_->writer : fd_->reader) != nullptr) return false;
    return fd_->driver->try_now(*this, result);
}

void Driver::deliver(IoOp& op, const IoCompletion& completion) noexcept {
    ++stats_.completions;
    if (completion.more) return op.complete(completion);
    detail::FdState& fd = *op.fd_;
    (is_write(op.request_.code) ? fd.writer : fd.reader) = nullptr;
    op.in_flight_ = false;
    --in_flight_;
    op.complete(completion);  // The operation may be gone now; its descriptor's state is not.
    fd.end_close();
}

// The one-shot operations.

void throw_io_error(const char* what, int result) {
    throw std::system_error(-result, std::system_category(), what);
}

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
    unlink();
    post(*waiter_);
}

bool OneShotOp::stopped() const noexcept {
    // BEGIN 7.4: cancel
    //| Whether it ended *because* it was stopped, see the table in io_op.hh.
    //= return todo_soft("7.4", "OneShotOp::stopped", false);
    return stop_requested_ && (result_ == -ECANCELED || result_ == -EINTR);
    // END 7.4
}

int OneShotOp::finish_as(const char* what) {
    if (result_ >= 0) return result_;
    if (stop_requested_ && stopped()) throw Cancelled{};
    throw_io_error(what, result_);
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
    std::exchange(fd_.state_, nullptr)->begin_close();
}

}  // namespace starling
