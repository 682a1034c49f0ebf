// Streams: one request, many completions: a listener's connections, a connection's bytes.
//
//     kernel ──completion──► read-ahead ──take──► the task
//              bounded: when full, the stream pauses by a cancel, and re-arms when there is room
//
// A stream belongs to its socket and ends when that is closed. Waiting on one takes nothing out of
// it, so stopping a waiter costs no system call and loses nothing: what arrives stays in the
// read-ahead for the next one. That is what makes a read deadline cheap.
//
//     await stream.wait();            until something is there: items, the end, or an error
//     while (!stream.empty()) …take()…
//
// Destroying a stream that is armed is fine: its last completion is awaited behind the scenes.
//
// Affinity: owner shard.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <starling/buffer_pool.hh>
#include <starling/io_op.hh>
#include <starling/operation.hh>
#include <vector>

namespace starling {

namespace detail {

/// What a stream reads ahead: one of the two.
struct StreamItem {
    OwnedFd connection;
    PooledBuffer bytes;
};

/// A stream's read-ahead, its waiter, and an end of life of its own. \affinity owner shard
class StreamOp final : public IoOp, public Pooled {
  public:
    StreamOp(IoFd& fd, IoCode code, std::size_t ahead_max) noexcept
        : IoOp(fd, code), ahead_max_(static_cast<std::uint32_t>(ahead_max)) {}
    /// Whether there is an item, the end, or an error.
    bool ready() const noexcept { return !items.empty() || over != 0; }
    /// Posts `waiter` when it is `ready`, null: nobody. Arms the stream if it is not.
    void wait(Continuation* waiter);
    /// Whether somebody waits who has not been posted yet.
    bool has_waiter() const noexcept { return waiter_ != nullptr; }
    /// How a stream lets go of it: it is freed as soon as the kernel has let go, too.
    struct Abandon {
        void operator()(StreamOp* op) const noexcept;
    };

    static constexpr int kEnd = 1;
    int over = 0;                   // kEnd, or the -errno that ended it.
    std::vector<StreamItem> items;  // Oldest first; few.

  private:
    void complete(const IoCompletion& completion) noexcept override;

    Continuation* waiter_ = nullptr;  // Borrows: until it is posted or withdraws.
    const std::uint32_t ahead_max_;
    bool abandoned_ = false;
};

}  // namespace detail

/// Waits until a stream has something to say. \affinity owner shard
class StreamWait : public StoppableWait<StreamWait> {
  public:
    /// For streams: see `Stream::wait`.
    explicit StreamWait(detail::StreamOp& stream) noexcept : stream_(stream) {}

    /// Whether the stream has something to say.
    bool ready() const noexcept { return stream_.ready(); }
    /// Posts `c` when it has, or when c's context is stopped.
    void start(Continuation& c) {
        if (ready()) return post(c);
        stream_.wait(&c);
        wait(c);
    }
    /// Whether it was stopped, and nothing has come since. `finish` throws then, and only then: an
    /// error of the stream is not thrown here, ask the stream.
    bool stopped() const noexcept { return StoppableWait::stopped() && !ready(); }

  private:
    friend StoppableWait<StreamWait>;
    bool withdraw() noexcept {
        // BEGIN 7.4: stop a wait
        //| The stream goes on, so there is nothing to cancel: it only has to forget the waiter, who
        //| goes on at once (that is `true`). But who has been posted already, by a stop or by the
        //| stream, is on its way: false. The stream may not be `ready` any more by then: somebody
        //| else may have taken what had come.
        //= return todo_soft("7.4", "StreamWait::withdraw", false);
        if (!stream_.has_waiter()) return false;
        stream_.wait(nullptr);
        return true;
        // END 7.4
    }

    detail::StreamOp& stream_;  // Borrows: the stream outlives its waiter.
};

/// What both streams offer. \affinity owner shard
class Stream {
  public:
    /// Until there is an item, the end, or an error. Arms the stream if it is not.
    StreamWait wait() noexcept { return StreamWait(*op_); }
    /// Whether no item is there.
    bool empty() const noexcept { return op_->items.empty(); }

  protected:
    /// Not armed before the first `wait`. \param ahead_max how many items may wait here before the
    /// stream pauses
    Stream(IoFd& fd, IoCode code, std::size_t ahead_max)
        : op_(new detail::StreamOp(fd, code, ahead_max)) {}
    /// The oldest item, moved out; not valid if there is none.
    detail::StreamItem pop() noexcept {
        if (empty()) return {};
        detail::StreamItem oldest = std::move(op_->items.front());
        op_->items.erase(op_->items.begin());
        return oldest;
    }
    /// Read-ahead and state. Null after a move.
    std::unique_ptr<detail::StreamOp, detail::StreamOp::Abandon> op_;
};

/// The connections of a listening socket. \affinity owner shard
class AcceptStream : public Stream {
  public:
    /// \param listener it must outlive the stream's last `wait`
    /// \param backlog_max how many accepted connections may wait here before the stream pauses
    explicit AcceptStream(IoFd& listener, std::size_t backlog_max = 64)
        : Stream(listener, IoCode::accept_multi, backlog_max) {}
    /// The oldest connection; not valid if there is none.
    OwnedFd take() noexcept { return pop().connection; }
    /// -errno that ended the stream, 0 if none; reading clears it, and the next `wait` arms again.
    /// At -EMFILE and the like the caller pauses first, or it would spin.
    int take_error() noexcept { return std::exchange(op_->over, 0); }
};

/// The bytes of a connection. \affinity owner shard
class RecvStream : public Stream {
  public:
    /// \param fd it must outlive the stream's last `wait`
    /// \param ahead_max how many buffers may wait here before the stream pauses
    explicit RecvStream(IoFd& fd, std::size_t ahead_max = 8)
        : Stream(fd, IoCode::recv_multi, ahead_max) {}
    /// The oldest bytes, with their buffer; not valid if there are none.
    PooledBuffer take() noexcept { return pop().bytes; }
    /// Bytes that nobody wanted after all: they become the oldest again. There may be none left.
    void give_back(PooledBuffer bytes) noexcept {
        if (bytes.empty()) return;
        op_->items.insert(op_->items.begin(), detail::StreamItem{{}, std::move(bytes)});
    }

    /// The oldest bytes, in place; empty if there are none.
    std::span<std::byte> front() const noexcept {
        return empty() ? std::span<std::byte>() : op_->items.front().bytes.bytes();
    }
    /// Drops the first `n` bytes of `front()`. \pre n <= front().size()
    void consume(std::size_t n) noexcept {
        if (n == front().size()) {
            take();
        } else {
            op_->items.front().bytes.consume(n);
        }
    }
    /// The peer has ended its stream, and `empty()`.
    bool at_end() const noexcept { return empty() && op_->over == op_->kEnd; }
    /// -errno that ended the stream, once `empty()`; 0 if none. It stays.
    int error() const noexcept { return empty() ? std::min(op_->over, 0) : 0; }
};

}  // namespace starling
