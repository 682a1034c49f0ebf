#include <netinet/tcp.h>

#include <algorithm>
#include <array>
#include <starling/tcp_stream.hh>

namespace starling {

Task<TcpStream> TcpStream::connect(SocketAddress address, ConnectOptions options) {
    // BEGIN 8.1: connect
    //| `detail::open_socket` makes a socket for `address`. Have it owned from the start by a stream of this
    //| thread's driver, which closes it whatever goes wrong. Set `nodelay`, except on a Unix socket, which
    //| has none. Connect (io_op.hh), for `options.timeout` at most, and return the stream.
    //= todo("8.1", "TcpStream::connect");
    TcpStream stream(service<Driver>("TcpStream::connect"),
                     detail::open_socket(address, SOCK_STREAM));
    if (!address.is_unix()) stream.set_nodelay(options.nodelay);
    co_await timeout(ConnectOp(stream.fd_, address.data(), address.size()), options.timeout);
    co_return stream;
    // END 8.1
}

// Reading.

bool ReadableOperation::finish() {
    // BEGIN 8.2: what a read has come to
    //| Call `StreamOperation::finish` first, always: it ends the wait, which listens for a stop and a
    //| deadline until then, and throws if it was ended early. It was not, if there is something to say
    //| after all: bytes (true), an error (`throw_io_error("recv", ...)`), or the end (false).
    //= todo("8.2", "ReadableOperation::finish");
    StreamOperation::finish();
    if (!in_.empty()) return true;
    if (const int error = in_.error()) throw_io_error("recv", error);
    return false;
    // END 8.2
}

Task<std::size_t> TcpStream::read(std::span<std::byte> into) {
    assert(!into.empty() && "a read into nothing would look like the end of the stream");
    // BEGIN 8.2: read into the caller's memory
    //| Wait until the stream is `readable`. Copy as many of the oldest bytes (`in_->front()`) as fit,
    //| `consume` exactly those and return how many; 0 at the end of the stream.
    //= todo("8.2", "TcpStream::read");
    const bool more = co_await readable();
    if (!more) co_return 0;
    const std::span<std::byte> oldest = in_->front();
    const std::size_t size = std::min(oldest.size(), into.size());
    std::copy_n(oldest.data(), size, into.data());
    consume(size);
    co_return size;
    // END 8.2
}

Task<PooledBuffer> TcpStream::read_buffer() {
    // BEGIN 8.2: read without a copy
    //| The same, and the oldest bytes are returned with their buffer (`in_->take()`, which is not valid at
    //| the end).
    //= todo("8.2", "TcpStream::read_buffer");
    co_await readable();
    co_return in_->take();
    // END 8.2
}

// Writing.

Task<> TcpStream::write_all(std::span<const std::byte> bytes) {
    // BEGIN 8.3: all of it
    //| Send until nothing is left. One `write_some` may take less than it was given.
    //= todo("8.3", "TcpStream::write_all");
    while (!bytes.empty()) {
        const std::size_t sent = co_await write_some(bytes);
        bytes = bytes.subspan(sent);
    }
    // END 8.3
}

Task<> TcpStream::write_all(std::span<const std::string_view> pieces) {
    // BEGIN 8.3: the same for many pieces
    //| Send until no piece is left: the next ones, at most 16, with one SendMsgOp that ends at the write
    //| deadline, as `write_some` does with a SendOp. Its msghdr names an iovec for each piece (sendmsg(2)).
    //| A send may end in the middle of a piece: the next one begins there. An empty piece is a piece.
    //= todo("8.3", "TcpStream::write_all(pieces)");
    std::array<iovec, 16> vectors;
    std::size_t done = 0;  // Of the first piece.
    while (!pieces.empty()) {
        msghdr message{nullptr, 0, vectors.data(), 0, nullptr, 0, 0};
        std::size_t skip = done;
        for (std::string_view piece : pieces.first(std::min(pieces.size(), vectors.size()))) {
            piece.remove_prefix(std::exchange(skip, 0));
            vectors[message.msg_iovlen++] = {const_cast<char*>(piece.data()), piece.size()};
        }
        const std::size_t sent =
            co_await StreamOperation<SendMsgOp>(*write_deadline_, SendMsgOp(fd_, message));
        done += sent;
        while (!pieces.empty() && done >= pieces.front().size()) {
            done -= pieces.front().size();
            pieces = pieces.subspan(1);
        }
    }
    // END 8.3
}

void TcpStream::shutdown_write() {
    if (const int error = fd_.shutdown(SHUT_WR)) throw_io_error("shutdown", error);
}

// Ending.

CloseOp TcpStream::close() noexcept {
    // BEGIN 8.5: nobody reads any more
    //| Close, and not the descriptor alone: nothing that was received and not read is kept.
    //= return todo_soft("8.5", "TcpStream::close", fd_.close());
    in_.reset();
    return fd_.close();
    // END 8.5
}

Task<> TcpStream::close_gracefully(AnyDuration limit) {
    // BEGIN 8.5: let the peer read to the end
    //| Half-close; then wait for the peer's end of stream and drop what it still sends, but no longer than
    //| until the read deadline: that is `limit` from now, and others may move it meanwhile. It counts also
    //| if the peer sends so fast that nothing ever waits for it. A peer that has gone away already, or is
    //| too slow, is no error here. At last close. All that also when the task has been stopped: the peer
    //| reads to the end all the same, so `shield` what does not ignore a stop by itself, as `close` does.
    //= todo("8.5", "TcpStream::close_gracefully");
    try {
        shutdown_write();
        const TimerService& timers = service<TimerService>("close_gracefully");
        set_read_deadline(timers.after(limit));
        bool more = true;
        while (more && timers.now() <= read_deadline_->deadline()) {
            more = co_await shield(readable());
            consume(buffered().size());
        }
    } catch (const std::exception&) {
        // Gone or too slow: there is nothing left to be polite about.
    }
    co_await close();
    // END 8.5
}

void TcpStream::set_nodelay(bool on) {
    detail::set_option(fd_.get(), IPPROTO_TCP, TCP_NODELAY, on);
}

}  // namespace starling
