#include <cerrno>
#include <starling/driver.hh>
#include <starling/io_stream.hh>

namespace starling {

void detail::StreamOp::wait(Continuation* waiter) {
    assert((waiter == nullptr || waiter_ == nullptr) && "a stream has one waiter");
    if (waiter != nullptr && !in_flight()) submit();
    waiter_ = waiter;
}

void detail::StreamOp::Abandon::operator()(StreamOp* op) const noexcept {
    assert(op->waiter_ == nullptr && "a stream was closed or destroyed while a task waits on it");
    op->abandoned_ = true;
    if (op->in_flight()) return op->cancel();
    delete op;
}

void detail::StreamOp::complete(const IoCompletion& completion) noexcept {
    const int result = completion.result;
    const bool bytes = request().code == IoCode::recv_multi;
    StreamItem item{OwnedFd(bytes ? -1 : result), {}};
    if (completion.buffer != IoCompletion::kNoBuffer) {
        item.bytes = PooledBuffer(fd().driver.buffers(), completion.buffer, std::max(result, 0));
    }
    if (abandoned_ && !in_flight()) return delete this;
    if (abandoned_) return;
    if (item.connection.valid() || !item.bytes.empty()) items.push_back(std::move(item));
    const bool pause = !fd().closing &&
                       (result == -EINTR || result == -ECANCELED || (bytes && result == -ENOBUFS));
    if (result < 0 && !pause) over = result;
    if (result == 0 && bytes) over = kEnd;
    if (items.size() >= ahead_max_) cancel();
    if (waiter_ == nullptr) return;
    if (ready()) {
        post(*std::exchange(waiter_, nullptr));
    } else if (!in_flight()) {
        submit();
    }
}

}  // namespace starling
