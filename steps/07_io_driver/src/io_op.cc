#include <cerrno>
#include <starling/driver.hh>
#include <starling/todo.hh>

namespace starling {

// IoFd and its state.

IoFd::IoFd(Driver& driver, OwnedFd fd) {
    driver.attach(fd.get());
    state_.reset(new detail::FdState{{}, driver, std::move(fd)});
}

void IoFd::Close::operator()(detail::FdState* state) const noexcept {
    state->closing = true;
    for (IoOp* op : state->ops) {
        if (op != nullptr) op->cancel();
    }
    state->end_close();
}

void detail::FdState::end_close() noexcept {
    if (!closing || busy()) return;
    Continuation* const waiter = closer;
    delete this;
    if (waiter != nullptr) post(*waiter);
}

// IoOp: what operations and drivers do with each other.

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
    // BEGIN 7.4: cancel
    // Have the driver cancel it: if it is in flight, and once only.
    return todo_soft("7.4", "IoOp::cancel");
    // END 7.4
}

int IoOp::try_now() noexcept {
    if (fd_->slot(request_.code) != nullptr) return -EAGAIN;  // Somebody else waits.
    return fd_->driver.kernel_->try_now(request_);
}

// The one-shot operations.

bool OneShotOp::withdraw() noexcept {
    // BEGIN 7.4: cancel
    // The task was asked to stop. The kernel may still own the buffer, so the waiter does not go on now
    // (that would be `true`), but when the last completion has come: see `complete`.
    return todo_soft("7.4", "OneShotOp::withdraw", false);
    // END 7.4
}

void OneShotOp::complete(const IoCompletion& completion) noexcept {
    if (completion.result == -EINTR && !cancelling()) return submit();
    result_ = completion.result;
    StoppableWait::unlink();
    post(*waiter_);
}

bool OneShotOp::stopped() const noexcept {
    // BEGIN 7.4: cancel
    // Whether it ended *because* it was stopped, see the table in io_op.hh.
    return todo_soft("7.4", "OneShotOp::stopped", false);
    // END 7.4
}

std::size_t OneShotOp::finish() {
    constexpr const char* kNames[] = {"accept",  "accept",  "connect", "recv", "recv", "send",
                                      "recvmsg", "sendmsg", "poll",    "poll"};  // By IoCode.
    if (result_ >= 0) return static_cast<std::size_t>(result_);
    // An error without a stop is just that, also as long as `stopped` is not written.
    if (stop_requested_ && stopped()) throw Cancelled{};
    throw_io_error(kNames[static_cast<std::size_t>(request().code)], result_);
}

}  // namespace starling
