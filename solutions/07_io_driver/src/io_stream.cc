#include <cerrno>
#include <starling/driver.hh>
#include <starling/io_stream.hh>

namespace starling {

// The operation.

void detail::StreamOp::wait(Continuation* waiter) {
    assert((waiter == nullptr || waiter_ == nullptr) && "a stream has one waiter");
    if (waiter != nullptr && !in_flight()) submit();
    waiter_ = waiter;
}

void detail::StreamOp::abandon() noexcept {
    abandoned_ = true;
    if (!in_flight()) {
        delete this;
    } else {
        cancel();
    }
}

void detail::StreamOp::complete(const IoCompletion& completion) noexcept {
    keep(completion, !abandoned_);
    if (abandoned_) {
        if (!in_flight()) delete this;
        return;
    }
    const int result = completion.result;
    const bool bytes = request().code == IoCode::recv_multi;
    const bool goes_on = result >= 0 || result == -EINTR || (bytes && result == -ENOBUFS) ||
                         (result == -ECANCELED && !fd().closing);  // A pause.
    if (!goes_on) error = result;
    if (bytes && result == 0) end = true;
    if (count() >= ahead_max_) cancel();
    if (waiter_ == nullptr) return;
    if (ready()) {
        post(*std::exchange(waiter_, nullptr));
    } else if (!in_flight()) {
        submit();
    }
}

template <>
void detail::ItemStreamOp<OwnedFd>::keep(const IoCompletion& completion, bool wanted) noexcept {
    OwnedFd connection(completion.result);
    if (wanted && connection.valid()) items.push_back(std::move(connection));
}

template <>
void detail::ItemStreamOp<PooledBuffer>::keep(const IoCompletion& c, bool wanted) noexcept {
    if (c.buffer == IoCompletion::kNoBuffer) return;
    PooledBuffer buffer(fd().driver.buffers(), c.buffer, std::max(c.result, 0));
    if (wanted && !buffer.empty()) items.push_back(std::move(buffer));
}

// Waiting.

void StreamWait::start(Continuation& c) {
    waiter_ = &c;
    if (ready()) return post(c);
    stream_.wait(&c);
    if (c.context() != nullptr) c.context()->link(*this);
}

void StreamWait::finish() {
    unlink();
    if (stopped()) throw Cancelled{};
}

void StreamWait::on_stop(StopNode& node) noexcept {
    auto& self = static_cast<StreamWait&>(node);
    if (self.withdrawn_ || self.ready()) return;  // The waiter is on its way.
    self.stream_.wait(nullptr);
    self.withdrawn_ = true;
    post(*self.waiter_);
}

}  // namespace starling
