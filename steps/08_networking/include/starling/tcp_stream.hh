// TcpStream: a connection. Reads and writes look like straight-line code; nothing blocks.
//
//     kernel ──► pool buffers ──► read-ahead ──► read(): copied into your memory
//                                      │   └──► read_buffer(): the buffer itself
//                                      └──────► readable(), buffered(), consume(): in place
//     your memory ──► write_some(), write_all() ──► kernel
//
// A read takes bytes out of the read-ahead only when it returns them. One that is stopped, or whose
// deadline passes, has taken nothing: what arrived at the same moment is there for the next read.
// The peer's end of stream is an ordinary result (0 bytes); an error is an exception, and comes
// after the bytes that arrived before it.
//
// One read and one write at a time. A stream that waits is not moved. It also serves Unix sockets.
//
// Affinity: owner shard.
#pragma once

#include <cassert>
#include <optional>
#include <span>
#include <starling/driver.hh>
#include <starling/io_op.hh>
#include <starling/io_stream.hh>
#include <starling/socket_address.hh>
#include <starling/stream_deadline.hh>
#include <starling/task.hh>

namespace starling {

/// Waits until a stream has something to say. \affinity owner shard
class ReadableOperation : public StreamOperation<StreamWait> {
  public:
    /// \param in Borrows: it outlives this, like `deadline`.
    ReadableOperation(RecvStream& in, StreamDeadline& deadline)
        : StreamOperation(deadline, in.wait()), in_(in) {}
    /// \return whether there are bytes; false at the end of the stream
    /// \throws TimedOut, Cancelled, std::system_error
    bool finish();

  private:
    RecvStream& in_;
};

/// How to connect.
struct ConnectOptions {
    AnyDuration timeout = Duration::max();  ///< For the connection to come about.
    bool nodelay = true;                    ///< As `TcpStream::set_nodelay`.
};

/// A connection. Destroying it closes without waiting. Bytes that were received and not read make
/// the kernel tell the peer so with a reset, which may overtake what was written:
/// `close_gracefully` avoids that. \affinity owner shard
class TcpStream {
  public:
    /// Connected to nothing.
    TcpStream() = default;
    /// Takes over a connected socket. \throws std::system_error
    TcpStream(Driver& driver, OwnedFd fd)
        : fd_(driver, std::move(fd)),
          in_(fd_),
          read_deadline_(new StreamDeadline),
          write_deadline_(new StreamDeadline) {}

    /// A connection to `address`. \throws std::system_error, TimedOut, Cancelled; std::logic_error
    /// where there is no driver or no TimerService
    static Task<TcpStream> connect(SocketAddress address, ConnectOptions options = {});

    /// Whether it is a connection, and not closed.
    bool valid() const noexcept { return fd_.valid(); }

    // Reading. Each throws TimedOut, Cancelled, or std::system_error that names the operation.

    /// Copies what is there, at least one byte; returns how many, 0 at the end of the stream.
    /// \param into not empty; Borrows: until the task has ended
    Task<std::size_t> read(std::span<std::byte> into);
    /// The same for characters.
    Task<std::size_t> read(std::span<char> into) { return read(std::as_writable_bytes(into)); }
    /// A buffer of the driver's pool with the next bytes; not valid at the end of the stream. Give
    /// it back (destroy it) soon: the pool is everybody's.
    Task<PooledBuffer> read_buffer();
    /// Waits until something is there: true if `buffered` has bytes, false at the end of the
    /// stream.
    ReadableOperation readable() {
        assert(valid() && "a read of a stream that is not connected, or was closed");
        return {*in_, *read_deadline_};
    }
    /// Bytes that have arrived, in place; not all of them need be in one piece. Valid until
    /// consumed.
    std::string_view buffered() const noexcept {
        return {reinterpret_cast<const char*>(in_->front().data()), in_->front().size()};
    }
    /// Drops the first `n` bytes of `buffered()`.
    void consume(std::size_t n) noexcept { in_->consume(n); }
    /// Bytes that nobody wanted after all: the next read returns them first.
    void give_back(PooledBuffer bytes) noexcept { in_->give_back(std::move(bytes)); }

    // Writing. Each throws TimedOut, Cancelled, or std::system_error that names the operation. When
    // a write_all has thrown, nobody knows how much the peer has got: close the stream.

    /// Sends some of `bytes`, which is not empty; returns how many.
    /// \param bytes Borrows: until the operation has ended
    StreamOperation<SendOp> write_some(std::span<const std::byte> bytes) {
        return {*write_deadline_, SendOp(fd_, bytes)};
    }
    /// Sends all of it. \param bytes Borrows: until the task has ended
    Task<> write_all(std::span<const std::byte> bytes);
    /// The same for text.
    Task<> write_all(std::string_view text) { return write_all(std::as_bytes(std::span(text))); }
    /// Sends all pieces, in order, as few packets. \param pieces Borrows: until the task has ended
    Task<> write_all(std::span<const std::string_view> pieces);

    /// Says that no more will be written (half-close): the peer reads an end of stream, and may go
    /// on writing. \throws std::system_error
    void shutdown_write();

    // Deadlines. What needs no waiting is done even after them.

    /// Reads that wait end at `deadline`, with TimedOut; StreamDeadline::kNever for none.
    /// \throws std::logic_error where there is no TimerService
    void set_read_deadline(TimePoint deadline) { read_deadline_->set(deadline); }
    /// The same for writes.
    void set_write_deadline(TimePoint deadline) { write_deadline_->set(deadline); }

    // Ending.

    /// Cancels what is in flight, waits until the kernel has let go, closes. \pre no task waits
    CloseOp close() noexcept;
    /// Half-closes, then reads and drops what the peer still sends, until it ends its stream too or
    /// the read deadline has come, which is `limit` from now until somebody sets another; then
    /// closes. What was written arrives. Runs to its end when its task is stopped. Where there is no
    /// TimerService it waits for nobody: it half-closes and closes.
    Task<> close_gracefully(AnyDuration limit = std::chrono::seconds(1));

    // About the connection. Each throws std::system_error.

    /// Whether small writes leave at once instead of being collected (Nagle's algorithm).
    void set_nodelay(bool on);
    /// This end.
    SocketAddress local_address() const { return SocketAddress::local_of(fd_.get()); }
    /// The other end.
    SocketAddress peer_address() const { return SocketAddress::peer_of(fd_.get()); }

  private:
    IoFd fd_;
    std::optional<RecvStream> in_;
    std::unique_ptr<StreamDeadline> read_deadline_;
    std::unique_ptr<StreamDeadline> write_deadline_;
};

}  // namespace starling
