#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <starling/readiness_driver.hh>
#include <system_error>

namespace starling {

namespace {

constexpr int kStreamRounds = 16;  // What one stream may take in a row.

#ifdef MSG_NOSIGNAL
constexpr int kNoSignal = MSG_NOSIGNAL;
#else
constexpr int kNoSignal = 0;  // There SO_NOSIGPIPE does it.
#endif

bool would_block(int result) noexcept { return result == -EAGAIN || result == -EWOULDBLOCK; }

int set_nonblocking(int fd) noexcept {
    const int flags = ::fcntl(fd, F_GETFL);
    if (flags < 0 || (flags & O_NONBLOCK) != 0) return flags;
    return ::fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int accept_one(int listener) noexcept {
#ifdef SOCK_NONBLOCK
    return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
    const int fd = ::accept(listener, nullptr, nullptr);
    if (fd >= 0) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    return fd;
#endif
}

/// connect(2) is asked once; later its outcome is.
int connect_or_ask(detail::FdState& fd, const IoRequest& r) noexcept {
    if (!fd.connecting) {
        const int result = ::connect(fd.fd, static_cast<const sockaddr*>(r.data), r.size);
        if (result == 0 || errno != EINPROGRESS) return result;
        fd.connecting = true;
        errno = EAGAIN;
        return -1;
    }
    int error = 0;
    socklen_t size = sizeof error;
    if (::getsockopt(fd.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return -1;
    fd.connecting = false;
    errno = error;
    return error == 0 ? 0 : -1;
}

int ask_ready(int fd, short events) noexcept {
    pollfd one{.fd = fd, .events = events, .revents = 0};
    const int count = ::poll(&one, 1, 0);
    if (count == 0) errno = EAGAIN;
    return count == 1 ? 0 : -1;
}

}  // namespace

void ReadinessDriver::attach(detail::FdState& fd) {
    stats_.calls += 2;
    if (set_nonblocking(fd.fd) < 0) {
        throw std::system_error(errno, std::generic_category(), "fcntl(O_NONBLOCK)");
    }
#ifdef SO_NOSIGPIPE
    const int on = 1;
    ::setsockopt(fd.fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    fd.key = fds_.insert(fd);
    try {
        watch(fd.fd, fd.key);
    } catch (...) {
        fds_.erase(fd.key);
        throw;
    }
}

void ReadinessDriver::detach(detail::FdState& fd) noexcept { fds_.erase(fd.key); }

/// `key` says whether it is in the list.
void ReadinessDriver::enqueue(IoOp& op) noexcept {
    if (op.key != 0) return;
    op.key = 1;
    work_.push(op);
}

void ReadinessDriver::submit(IoOp& op) {
    ++stats_.submissions;
    op.key = 0;
    detail::FdState& fd = op.fd();
    if (is_write(op.request().code) ? fd.writable : fd.readable) enqueue(op);
}

void ReadinessDriver::cancel(IoOp& op) {
    ++stats_.submissions;
    cancelled_ = true;
    enqueue(op);
}

bool ReadinessDriver::try_now(const IoOp& op, int& result) {
    detail::FdState& fd = op.fd();
    const IoCode code = op.request().code;
    if (!(is_write(code) ? fd.writable : fd.readable) || code == IoCode::connect) return false;
    result = perform(op);
    if (!would_block(result)) return result != -EINTR;
    (is_write(code) ? fd.writable : fd.readable) = false;
    return false;
}

void ReadinessDriver::on_ready(std::uint64_t key, bool readable, bool writable,
                               bool hung_up) noexcept {
    detail::FdState* fd = fds_.find(key);
    if (fd == nullptr) return;
    fd->readable |= readable || hung_up;
    fd->writable |= writable || hung_up;
    fd->hung_up |= hung_up;
    if (fd->reader != nullptr && fd->readable) enqueue(*fd->reader);
    if (fd->writer != nullptr && fd->writable) enqueue(*fd->writer);
}

void ReadinessDriver::poll() noexcept {
    TrampolineScope scope;
    cancelled_ = false;
    if (!std::exchange(waited_, false)) wait(TimePoint::min());
    IoOpQueue work = work_.take_all();
    for (IoOpQueue starved = starved_.take_all(); !starved.empty();) work.push(starved.pop());
    while (!work.empty()) {
        IoOp& op = work.pop();
        op.key = 0;
        advance(op);
    }
}

void ReadinessDriver::park(TimePoint deadline) noexcept {
    wait(before_sleep() ? deadline : TimePoint::min());
    waited_ = true;
}

void ReadinessDriver::finish() noexcept {
    for (int round = 0; in_flight() > 0 && round < 10; ++round) poll();
    assert(in_flight() == 0 && "a driver was destroyed before its operations had ended");
    assert(buffers_.available() == buffers_.count() && "a buffer outlives its driver");
}

void ReadinessDriver::advance(IoOp& op) noexcept {
    if (op.cancelling()) return deliver(op, {.result = -ECANCELED});
    switch (op.request().code) {
        case IoCode::accept_multi:
            return advance_accepts(op);
        case IoCode::recv_multi:
            return advance_receives(op);
        default:
            return advance_one(op);
    }
}

void ReadinessDriver::advance_one(IoOp& op) noexcept {
    detail::FdState& fd = op.fd();
    const int result = perform(op);
    if (!would_block(result) || (op.request().code == IoCode::connect && !fd.connecting)) {
        return deliver(op, {.result = result});
    }
    (is_write(op.request().code) ? fd.writable : fd.readable) = false;
}

void ReadinessDriver::advance_accepts(IoOp& op) noexcept {
    detail::FdState& fd = op.fd();
    for (int i = 0; i < kStreamRounds && !op.cancelling(); ++i) {
        const int result = perform(op);
        if (would_block(result)) {
            fd.readable = false;
            return;
        }
        deliver(op, {.result = result, .more = result >= 0});
        if (result < 0) return;
    }
    enqueue(op);
}

// A receive that did not fill its buffer has emptied the socket, unless the end came behind the bytes.
void ReadinessDriver::advance_receives(IoOp& op) noexcept {
    detail::FdState& fd = op.fd();
    for (int i = 0; i < kStreamRounds && !op.cancelling(); ++i) {
        const std::uint32_t buffer = buffers_.take_index();
        if (buffer == BufferPool::kNone) {
            op.key = 1;
            return starved_.push(op);
        }
        ++stats_.calls;
        const std::size_t size = buffers_.buffer_bytes();
        const ssize_t n = ::recv(fd.fd, buffers_.data(buffer), size, 0);
        if (n <= 0) {
            const int result = n == 0 ? 0 : -errno;
            buffers_.release_index(buffer);
            if (result == -EINTR) continue;
            if (!would_block(result)) return deliver(op, {.result = result});
            fd.readable = false;
            return;
        }
        if (static_cast<std::size_t>(n) < size && !fd.hung_up) fd.readable = false;
        deliver(op, {.result = static_cast<int>(n), .more = true, .buffer = buffer});
        if (!fd.readable && !op.cancelling()) return;
    }
    enqueue(op);
}

/// The system call. ≥ 0 or -errno.
int ReadinessDriver::perform(const IoOp& op) noexcept {
    const IoRequest& r = op.request();
    ++stats_.calls;
    ssize_t n = -1;
    switch (r.code) {
        case IoCode::accept:
        case IoCode::accept_multi:
            n = accept_one(r.fd);
            break;
        case IoCode::connect:
            n = connect_or_ask(op.fd(), r);
            break;
        case IoCode::recv:
            n = ::recv(r.fd, r.data, r.size, r.flags);
            break;
        case IoCode::send:
            n = ::send(r.fd, r.data, r.size, r.flags | kNoSignal);
            break;
        case IoCode::recvmsg:
            n = ::recvmsg(r.fd, static_cast<msghdr*>(r.data), r.flags);
            break;
        case IoCode::sendmsg:
            n = ::sendmsg(r.fd, static_cast<const msghdr*>(r.data), r.flags | kNoSignal);
            break;
        case IoCode::poll_read:
            n = ask_ready(r.fd, POLLIN);
            break;
        case IoCode::poll_write:
            n = ask_ready(r.fd, POLLOUT);
            break;
        default:
            errno = EINVAL;
    }
    return n >= 0 ? static_cast<int>(n) : -errno;
}

}  // namespace starling
