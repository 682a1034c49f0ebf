#include <cerrno>
#include <deque>
#include <starling/driver.hh>
#include <starling/io_stream.hh>

namespace starling {
namespace detail {

/// What the two streams share: a waiter, arming, pausing, and an end of life of its own.
/// \affinity owner shard
class StreamOp : public IoOp, public Pooled {
  public:
    /// Whether there is an item, the end, or an error.
    virtual bool ready() const noexcept = 0;

    void arm() {
        if (!in_flight()) submit();
    }
    void set_waiter(Continuation* waiter) noexcept {
        assert((waiter == nullptr || waiter_ == nullptr) && "a stream has one waiter");
        waiter_ = waiter;
    }
    /// The stream's owner lets go. Frees this as soon as the kernel has.
    void abandon() noexcept {
        abandoned_ = true;
        if (!in_flight()) return destroy();
        cancel();
    }

  protected:
    using IoOp::IoOp;
    ~StreamOp() = default;

    bool abandoned() const noexcept { return abandoned_; }
    /// After every completion: frees, pauses, wakes or arms again, as it takes.
    void settle(bool full) noexcept {
        if (abandoned_) {
            if (!in_flight()) destroy();
            return;
        }
        if (full) cancel();
        if (waiter_ == nullptr) return;
        if (ready()) {
            post(*std::exchange(waiter_, nullptr));
        } else {
            arm();
        }
    }

  private:
    virtual void destroy() noexcept = 0;
    Continuation* waiter_ = nullptr;  // Borrows: until it is posted or withdraws.
    bool abandoned_ = false;
};

class AcceptStreamOp final : public StreamOp {
  public:
    AcceptStreamOp(IoFd& fd, std::size_t backlog_max)
        : StreamOp(fd, {.code = IoCode::accept_multi}), backlog_max_(backlog_max) {}
    bool ready() const noexcept override { return !backlog.empty() || error != 0; }

    std::deque<OwnedFd> backlog;
    int error = 0;

  private:
    void complete(const IoCompletion& c) noexcept override {
        if (c.result >= 0) {
            OwnedFd connection(c.result);
            if (!abandoned()) backlog.push_back(std::move(connection));
        } else if (c.result != -EINTR && (c.result != -ECANCELED || fd().closing)) {
            error = c.result;
        }
        settle(backlog.size() >= backlog_max_);
    }
    void destroy() noexcept override { delete this; }
    const std::size_t backlog_max_;
};

class RecvStreamOp final : public StreamOp {
  public:
    RecvStreamOp(IoFd& fd, std::size_t ahead_max)
        : StreamOp(fd, {.code = IoCode::recv_multi}),
          ahead(fd.driver().buffers()),
          ahead_max_(ahead_max) {}
    bool ready() const noexcept override { return ahead.size() > 0 || end || error != 0; }

    BufferQueue ahead;
    int error = 0;
    bool end = false;

  private:
    void complete(const IoCompletion& c) noexcept override {
        if (c.buffer != IoCompletion::kNoBuffer) take(c.buffer, c.result);
        if (c.result == 0) {
            end = true;
        } else if (c.result < 0 && c.result != -ENOBUFS && c.result != -EINTR &&
                   (c.result != -ECANCELED || fd().closing)) {
            error = c.result;
        }
        settle(ahead.size() >= ahead_max_);
    }
    void take(std::uint32_t buffer, int bytes) noexcept {
        if (bytes > 0 && !abandoned()) {
            ahead.push_back(buffer, static_cast<std::uint32_t>(bytes));
        } else {
            fd().driver->buffers().release_index(buffer);
        }
    }
    void destroy() noexcept override { delete this; }
    const std::size_t ahead_max_;
};

void Abandon::operator()(StreamOp* stream) const noexcept { stream->abandon(); }

}  // namespace detail

// Waiting.

bool StreamWait::ready() { return stream_.ready(); }

void StreamWait::start(Continuation& c) {
    waiter_ = &c;
    if (stream_.ready()) return post(c);
    stream_.arm();
    stream_.set_waiter(&c);
    if (c.context() != nullptr) c.context()->link(*this);
}

bool StreamWait::stopped() const noexcept { return withdrawn_ && !stream_.ready(); }

void StreamWait::finish() {
    unlink();
    if (stopped()) throw Cancelled{};
}

void StreamWait::on_stop(StopNode& node) noexcept {
    auto& self = static_cast<StreamWait&>(node);
    if (self.withdrawn_ || self.stream_.ready()) return;  // The waiter is on its way.
    self.stream_.set_waiter(nullptr);
    self.withdrawn_ = true;
    post(*self.waiter_);
}

// AcceptStream.

AcceptStream::AcceptStream(IoFd& listener, std::size_t backlog_max)
    : op_(new detail::AcceptStreamOp(listener, backlog_max)) {}
detail::AcceptStreamOp& AcceptStream::op() const noexcept {
    return static_cast<detail::AcceptStreamOp&>(*op_);
}
StreamWait AcceptStream::wait() noexcept { return StreamWait(*op_); }
bool AcceptStream::empty() const noexcept { return op().backlog.empty(); }
OwnedFd AcceptStream::take() noexcept {
    if (empty()) return OwnedFd();
    OwnedFd connection = std::move(op().backlog.front());
    op().backlog.pop_front();
    return connection;
}
void AcceptStream::give_back(OwnedFd connection) noexcept {
    op().backlog.push_front(std::move(connection));
}
int AcceptStream::take_error() noexcept { return std::exchange(op().error, 0); }

// RecvStream.

RecvStream::RecvStream(IoFd& fd, std::size_t ahead_max)
    : op_(new detail::RecvStreamOp(fd, ahead_max)) {}
detail::RecvStreamOp& RecvStream::op() const noexcept {
    return static_cast<detail::RecvStreamOp&>(*op_);
}
StreamWait RecvStream::wait() noexcept { return StreamWait(*op_); }
bool RecvStream::empty() const noexcept { return op().ahead.size() == 0; }
std::span<std::byte> RecvStream::front() const noexcept {
    return empty() ? std::span<std::byte>() : op().ahead.front();
}
void RecvStream::consume(std::size_t n) noexcept {
    assert(n <= front().size());
    if (n > 0) op().ahead.consume(n);
}
PooledBuffer RecvStream::take() noexcept { return empty() ? PooledBuffer() : op().ahead.pop(); }
void RecvStream::give_back(PooledBuffer bytes) noexcept {
    if (!bytes.empty()) op().ahead.push_front(std::move(bytes));
}
bool RecvStream::at_end() const noexcept { return empty() && op().end; }
int RecvStream::error() const noexcept { return empty() ? op().error : 0; }

}  // namespace starling
