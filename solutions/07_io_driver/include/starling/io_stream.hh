// Streams: one request, many completions: a listener's connections, a connection's bytes.
//
//     kernel ──completion──► read-ahead ──take──► the task
//                 (bounded: when full, the stream pauses by a cancel, and re-arms when there is room)
//
// A stream belongs to its socket and ends when that is closed. Waiting on one takes nothing out of it,
// so stopping a waiter costs no system call and loses nothing: what arrives stays in the read-ahead for
// the next one. That is what makes a read deadline cheap.
//
//     await stream.wait();            until something is there: items, the end, or an error
//     while (!stream.empty()) …take() / pop()…
//
// Destroying a stream that is armed is fine: its last completion is awaited behind the scenes.
//
// Affinity: owner shard.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <starling/buffer_pool.hh>
#include <starling/io_op.hh>
#include <starling/operation.hh>

namespace starling {

namespace detail {
class StreamOp;
class AcceptStreamOp;
class RecvStreamOp;

/// Lets go of a stream: it goes when the kernel has let go, too.
struct Abandon {
    void operator()(StreamOp* stream) const noexcept;
};
}  // namespace detail

/// Waits until a stream has something to say. \affinity owner shard
class StreamWait : private StopNode {
  public:
    explicit StreamWait(detail::StreamOp& stream) noexcept : StopNode(&on_stop), stream_(stream) {}
    StreamWait(StreamWait&&) noexcept = default;

    bool ready();
    void start(Continuation& c);
    bool stopped() const noexcept;
    /// \throws Cancelled. An error of the stream is not thrown here: ask the stream.
    void finish();

    /// Ends the wait early, as a stop of its context does. \pre started, and not finished
    void stop() noexcept { on_stop(*this); }

  private:
    static void on_stop(StopNode& node) noexcept;
    detail::StreamOp& stream_;        // Borrows: the stream outlives its waiter.
    Continuation* waiter_ = nullptr;  // Borrows: it owns this operation.
    bool withdrawn_ = false;
};

/// The connections of a listening socket. \affinity owner shard
class AcceptStream {
  public:
    /// \param listener it must outlive the stream's last `wait`
    /// \param backlog_max how many accepted connections may wait here before the stream pauses
    explicit AcceptStream(IoFd& listener, std::size_t backlog_max = 64);

    /// Until there is a connection or an error. Arms the stream if it is not.
    StreamWait wait() noexcept;
    bool empty() const noexcept;
    /// The oldest connection; not valid if there is none.
    OwnedFd take() noexcept;
    /// A connection that nobody wanted after all: it becomes the oldest again.
    void give_back(OwnedFd connection) noexcept;
    /// -errno that ended the stream, 0 if none; reading clears it, and the next `wait` arms again. At
    /// -EMFILE and the like the caller pauses first, or it would spin.
    int take_error() noexcept;

  private:
    detail::AcceptStreamOp& op() const noexcept;
    std::unique_ptr<detail::StreamOp, detail::Abandon> op_;
};

/// The bytes of a connection. \affinity owner shard
class RecvStream {
  public:
    /// \param fd it must outlive the stream's last `wait`
    /// \param ahead_max how many buffers may wait here before the stream pauses
    explicit RecvStream(IoFd& fd, std::size_t ahead_max = 8);

    /// Until there are bytes, the end, or an error. Arms the stream if it is not.
    StreamWait wait() noexcept;
    bool empty() const noexcept;
    /// The oldest bytes, in place; empty if there are none.
    std::span<std::byte> front() const noexcept;
    /// Drops the first `n` bytes of `front()`.
    void consume(std::size_t n) noexcept;
    /// The oldest buffer, moved out; not valid if there is none.
    PooledBuffer take() noexcept;
    /// Bytes that nobody wanted after all: they become the oldest again.
    void give_back(PooledBuffer bytes) noexcept;
    /// The peer has ended its stream, and `empty()`.
    bool at_end() const noexcept;
    /// -errno that ended the stream, once `empty()`; 0 if none. It stays.
    int error() const noexcept;

  private:
    detail::RecvStreamOp& op() const noexcept;
    std::unique_ptr<detail::StreamOp, detail::Abandon> op_;
};

}  // namespace starling
