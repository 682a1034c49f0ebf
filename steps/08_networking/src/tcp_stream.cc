#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <starling/sleep.hh>
#include <starling/tcp_stream.hh>
#include <starling/todo.hh>

namespace starling {
namespace {

constexpr int kSendFlags = MSG_NOSIGNAL;  // A peer that is gone is an error, not a signal.

}  // namespace

TcpStream::TcpStream(Driver& driver, OwnedFd fd) : fd_(driver, std::move(fd)), in_(fd_) {}

Task<TcpStream> TcpStream::connect(SocketAddress address, ConnectOptions options) {
    Driver& driver = service<Driver>("TcpStream::connect");
    OwnedFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) throw_io_error("socket", -errno);
    TcpStream stream(driver, std::move(fd));
    if (options.nodelay && !address.is_unix()) stream.set_nodelay(true);
    ConnectOp connect(stream.fd_, address.data(), address.size());
    if (options.timeout == Duration::max()) {
        co_await connect;
    } else {
        co_await timeout(std::move(connect), options.timeout);
    }
    co_return stream;
}

// Reading.

ReadWait::ReadWait(TcpStream& stream) : stream_(stream), wait_(stream.in_->wait()) {}

void ReadWait::start(Continuation& c) {
    if (stream_.deadlines_ && !stream_.deadlines_->begin(Direction::read, {.wait = &wait_})) {
        too_late_ = true;
        return post(c);
    }
    wait_.start(c);
}

bool ReadWait::finish_wait() {
    const bool expired = stream_.deadlines_ && stream_.deadlines_->end(Direction::read);
    // BEGIN 8.2: what a read has come to
    // Say what the stream has, in this order: bytes (true), an error (`throw_io_error("recv", …)`), the
    // end (false). Only if it has none of them was the read ended early: TimedOut if `expired`, else
    // `wait_.finish()` throws what is due.
    todo("8.2", "ReadWait::finish_wait");
    // END 8.2
}

std::size_t ReadOperation::finish() {
    // BEGIN 8.2: read into the caller's memory
    // Copy as many of the oldest bytes as fit, take exactly those off the read-ahead and return how many;
    // 0 at the end of the stream.
    todo("8.2", "ReadOperation::finish");
    // END 8.2
}

PooledBuffer ReadBufferOperation::finish() {
    return finish_wait() ? stream_.in_->take() : PooledBuffer();
}

std::string_view TcpStream::buffered() const noexcept {
    const std::span<std::byte> oldest = in_->front();
    return {reinterpret_cast<const char*>(oldest.data()), oldest.size()};
}

// Writing.

WriteOperation<SendOp> TcpStream::write_some(std::span<const std::byte> bytes) {
    return {*this, SendOp(fd_, bytes, kSendFlags)};
}

Task<> TcpStream::write_all(std::span<const std::byte> bytes) {
    // BEGIN 8.3: all of it
    // Send until nothing is left. One `write_some` may take less than it was given.
    todo("8.3", "TcpStream::write_all");
    // END 8.3
}

Task<> TcpStream::write_all(std::span<const std::string_view> pieces) {
    constexpr std::size_t kVectorMax = 16;
    std::array<iovec, kVectorMax> vectors;
    std::size_t done = 0;  // Of the first piece.
    while (!pieces.empty()) {
        const std::size_t count = std::min(pieces.size(), kVectorMax);
        std::transform(pieces.begin(), pieces.begin() + count, vectors.begin(),
                       [](std::string_view p) {
                           return iovec{const_cast<char*>(p.data()), p.size()};
                       });
        vectors[0].iov_base = static_cast<char*>(vectors[0].iov_base) + done;
        vectors[0].iov_len -= done;
        msghdr message{};
        message.msg_iov = vectors.data();
        message.msg_iovlen = count;
        WriteOperation<SendMsgOp> send(*this, SendMsgOp(fd_, message, kSendFlags));
        const std::size_t sent = co_await send;
        // BEGIN 8.3: the same for many pieces
        // `sent` bytes have left, counted from `done` bytes into the first piece. Drop the pieces that are
        // sent completely, and empty ones behind them, from the front of `pieces`; `done` is what has
        // been sent of the first one that is left.
        todo("8.3", "TcpStream::write_all(pieces)");
        // END 8.3
    }
}

void TcpStream::shutdown_write() {
    const int error = fd_.shutdown(SHUT_WR);
    if (error < 0) throw_io_error("shutdown", error);
}

// Ending.

CloseOp TcpStream::close() noexcept {
    deadlines_.reset();
    in_.reset();
    return fd_.close();
}

Task<> TcpStream::close_gracefully(Duration limit) {
    // BEGIN 8.5: let the peer read to the end
    // Half-close; then wait for the peer's end of stream and drop what it still sends, but no longer than
    // until `limit` from now. A peer that has gone away already, or is too slow, is no error here. At
    // last close, also when the task has been stopped: `shield`.
    todo("8.5", "TcpStream::close_gracefully");
    // END 8.5
}

// About the connection.

void TcpStream::set_nodelay(bool on) {
    const int value = on ? 1 : 0;
    if (::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &value, sizeof value) != 0) {
        throw_io_error("setsockopt", -errno);
    }
}

StreamDeadlines& TcpStream::deadlines() {
    if (!deadlines_) deadlines_.reset(new StreamDeadlines);
    return *deadlines_;
}

}  // namespace starling
