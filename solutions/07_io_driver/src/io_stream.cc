#include <cerrno>
#include <starling/driver.hh>
#include <starling/io_stream.hh>

namespace starling {

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
    keep(completion);
    if (abandoned_) return in_flight() ? void() : delete this;
    const int result = completion.result;
    const bool bytes = request().code == IoCode::recv_multi;
    const bool pause = result == -EINTR || (result == -ECANCELED && !fd().closing) ||
                       (bytes && result == -ENOBUFS);
    if (result < 0 && !pause) over = result;
    if (result == 0 && bytes) over = kEnd;
    if (count() >= ahead_max_) cancel();
    if (waiter_ == nullptr) return;
    if (ready()) {
        post(*std::exchange(waiter_, nullptr));
    } else if (!in_flight()) {
        submit();
    }
}

template <>
void detail::ItemStreamOp<OwnedFd>::keep(const IoCompletion& completion) noexcept {
    if (completion.result >= 0) items.emplace_back(completion.result);
}

template <>
void detail::ItemStreamOp<PooledBuffer>::keep(const IoCompletion& c) noexcept {
    if (c.buffer == IoCompletion::kNoBuffer) return;
    PooledBuffer buffer(fd().driver.buffers(), c.buffer, std::max(c.result, 0));
    if (!buffer.empty()) items.push_back(std::move(buffer));
}

}  // namespace starling
