// TcpStream: a connection. Reads and writes look like straight-line code; nothing blocks.
//
//     kernel ──► pool buffers ──► read-ahead ──► read(): copied into your memory
//                                      │   └──► read_buffer(): the buffer itself
//                                      └──────► readable(), buffered(), consume(): looked at in place
//     your memory ──► write_some(), write_all() ──► kernel
//
// A read takes bytes out of the read-ahead only when it returns them. One that is stopped, or whose
// deadline passes, has taken nothing: what arrived at the same moment is there for the next read. The
// peer's end of stream is an ordinary result (0 bytes); an error is an exception, and comes after the
// bytes that arrived before it.
//
// One read and one write at a time. A stream that waits is not moved. It also serves Unix sockets.
//
// Affinity: owner shard.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <starling/driver.hh>
#include <starling/io_fd.hh>
#include <starling/io_op.hh>
#include <starling/io_stream.hh>
#include <starling/socket_address.hh>
#include <starling/stream_deadlines.hh>
#include <starling/task.hh>
#include <starling/timeout.hh>
#include <string_view>

namespace starling {

class TcpStream;

/// What the reads share: wait until there is something to say. \affinity owner shard
class ReadWait {
  public:
    explicit ReadWait(TcpStream& stream);

    bool ready() { return wait_.ready(); }
    void start(Continuation& c);
    bool stopped() const noexcept { return !too_late_ && wait_.stopped(); }

  protected:
    /// \return whether there are bytes; false at the end of the stream
    /// \throws TimedOut, Cancelled, std::system_error
    bool finish_wait();

    TcpStream& stream_;  // Borrows: it outlives its reads.

  private:
    StreamWait wait_;
    bool too_late_ = false;  // The deadline had passed before it began.
};

/// \affinity owner shard
class ReadOperation : public ReadWait {
  public:
    ReadOperation(TcpStream& stream, std::span<std::byte> into) : ReadWait(stream), into_(into) {}
    std::size_t finish();

  private:
    std::span<std::byte> into_;
};

/// \affinity owner shard
class ReadBufferOperation : public ReadWait {
  public:
    using ReadWait::ReadWait;
    PooledBuffer finish();
};

/// \affinity owner shard
class ReadableOperation : public ReadWait {
  public:
    using ReadWait::ReadWait;
    bool finish() { return finish_wait(); }
};

/// One send, with the stream's deadline. \tparam Op SendOp or SendMsgOp
/// \affinity owner shard
template <class Op>
class WriteOperation {
  public:
    WriteOperation(TcpStream& stream, Op&& op) noexcept : stream_(stream), op_(std::move(op)) {}

    bool ready() { return op_.ready(); }
    void start(Continuation& c);
    bool stopped() const noexcept { return !too_late_ && op_.stopped(); }
    std::size_t finish();

  private:
    TcpStream& stream_;  // Borrows: it outlives its writes.
    Op op_;
    bool too_late_ = false;
};

struct ConnectOptions {
    Duration timeout = Duration::max();
    bool nodelay = true;
};

/// \affinity owner shard
class TcpStream {
  public:
    /// Connected to nothing.
    TcpStream() = default;
    /// Takes over a connected socket. \throws std::system_error
    TcpStream(Driver& driver, OwnedFd fd);
    TcpStream(TcpStream&&) noexcept = default;
    TcpStream& operator=(TcpStream&&) noexcept = default;
    /// Closes without waiting. Bytes that were received and not read make the kernel tell the peer so with
    /// a reset, which may overtake what was written: `close_gracefully` avoids that.
    ~TcpStream() = default;

    /// \throws std::system_error, TimedOut, Cancelled; std::logic_error where there is no driver
    static Task<TcpStream> connect(SocketAddress address, ConnectOptions options = {});

    bool valid() const noexcept { return fd_.valid(); }
    /// For getsockopt and the like; it stays this stream's.
    int native_handle() const noexcept { return fd_.get(); }

    // Reading. Each throws TimedOut, Cancelled, or std::system_error that names the operation.

    /// Copies what is there, at least one byte; returns how many, 0 at the end of the stream.
    /// \param into not empty; Borrows: until the operation has ended
    ReadOperation read(std::span<std::byte> into) { return {*this, into}; }
    ReadOperation read(std::span<char> into) { return {*this, std::as_writable_bytes(into)}; }
    /// A buffer of the driver's pool with the next bytes; not valid at the end of the stream. Give it
    /// back (destroy it) soon: the pool is everybody's.
    ReadBufferOperation read_buffer() { return ReadBufferOperation(*this); }
    /// Waits until something is there: true if `buffered` has bytes, false at the end of the stream.
    ReadableOperation readable() { return ReadableOperation(*this); }
    /// Bytes that have arrived, in place; not all of them need be in one piece. Valid until consumed.
    std::string_view buffered() const noexcept;
    /// Drops the first `n` bytes of `buffered()`.
    void consume(std::size_t n) noexcept { in_->consume(n); }
    /// Bytes that nobody wanted after all: the next read returns them first.
    void give_back(PooledBuffer bytes) noexcept { in_->give_back(std::move(bytes)); }

    // Writing. Each throws TimedOut, Cancelled, or std::system_error that names the operation. When a
    // write_all has thrown, nobody knows how much the peer has got: close the stream.

    /// Sends some of `bytes`, which is not empty; returns how many.
    WriteOperation<SendOp> write_some(std::span<const std::byte> bytes);
    /// Sends all of it. \param bytes Borrows: until the task has ended
    Task<> write_all(std::span<const std::byte> bytes);
    Task<> write_all(std::string_view text) { return write_all(std::as_bytes(std::span(text))); }
    /// Sends all pieces, in order, as few packets. \param pieces Borrows: until the task has ended
    Task<> write_all(std::span<const std::string_view> pieces);

    /// Says that no more will be written (half-close): the peer reads an end of stream, and may go on
    /// writing. \throws std::system_error
    void shutdown_write();

    // Deadlines; StreamDeadlines::kNever for none. Bytes that are there are returned even after it.

    void set_read_deadline(TimePoint deadline) { deadlines().set(Direction::read, deadline); }
    void set_write_deadline(TimePoint deadline) { deadlines().set(Direction::write, deadline); }

    // Ending.

    /// Cancels what is in flight, waits until the kernel has let go, closes.
    CloseOp close() noexcept;
    /// Half-closes, then reads and drops what the peer still sends, until it ends its stream too or
    /// `limit` is over; then closes. What was written arrives. Runs to its end when its task is stopped.
    Task<> close_gracefully(Duration limit = std::chrono::seconds(1));

    // About the connection. \throws std::system_error

    /// Whether small writes leave at once instead of being collected (Nagle's algorithm).
    void set_nodelay(bool on);
    SocketAddress local_address() const { return SocketAddress::local_of(fd_.get()); }
    SocketAddress peer_address() const { return SocketAddress::peer_of(fd_.get()); }

  private:
    friend class ReadWait;
    friend class ReadOperation;
    friend class ReadBufferOperation;
    template <class Op>
    friend class WriteOperation;
    struct Release {
        void operator()(StreamDeadlines* d) const noexcept { StreamDeadlines::release(d); }
    };
    StreamDeadlines& deadlines();

    IoFd fd_;
    std::optional<RecvStream> in_;
    std::unique_ptr<StreamDeadlines, Release> deadlines_;  // Made by the first deadline.
};

template <class Op>
void WriteOperation<Op>::start(Continuation& c) {
    if (stream_.deadlines_ && !stream_.deadlines_->begin(Direction::write, {.op = &op_})) {
        too_late_ = true;
        return post(c);
    }
    op_.start(c);
}

template <class Op>
std::size_t WriteOperation<Op>::finish() {
    const bool expired = stream_.deadlines_ && stream_.deadlines_->end(Direction::write);
    if (expired && (too_late_ || op_.stopped())) throw TimedOut();
    return op_.finish();
}

}  // namespace starling
