#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <starling/readiness_kernel.hh>

namespace starling {

namespace {

constexpr int kStreamRounds = 8;  // What one stream may take in a row.

#ifndef MSG_NOSIGNAL
constexpr int MSG_NOSIGNAL = 0;  // There SO_NOSIGPIPE does it.
#endif

int ask_ready(int fd, short events) noexcept {
    pollfd one{.fd = fd, .events = events, .revents = 0};
    const int count = ::poll(&one, 1, 0);
    if (count == 0) errno = EAGAIN;
    return count == 1 ? 0 : -1;
}

/// connect(2) is asked once; later its outcome is.
int connect_or_ask(const IoRequest& r, bool& connecting) noexcept {
    int error = 0;
    if (connecting) {
        if (ask_ready(r.fd, POLLOUT) < 0) return -1;
        socklen_t size = sizeof error;
        if (::getsockopt(r.fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) error = errno;
    } else if (::connect(r.fd, static_cast<const sockaddr*>(r.data), r.size) < 0) {
        error = errno == EAGAIN ? ECONNREFUSED : errno;  // A Unix listener's backlog is full.
    }
    connecting = error == EINPROGRESS;
    errno = connecting ? EAGAIN : error;
    return error == 0 ? 0 : -1;
}

}  // namespace

void ReadinessKernel::attach(int fd) {
    if (fds_.size() <= static_cast<std::size_t>(fd)) fds_.resize(fd + 1);
    fds_[fd] = {};
    watch(fd);
}

int ReadinessKernel::try_now(const IoRequest& request) noexcept {
    Side& s = side(request);
    if (!s.ready || request.code == IoCode::connect) return -EAGAIN;
    const int result = attempt(s, request).result;
    return result == -EINTR ? -EAGAIN : result;
}

bool ReadinessKernel::push(const IoRequest& request, std::uint64_t key) noexcept {
    if (request.code == IoCode::cancel) {
        for (Side& s : fds_[request.fd].sides) {
            if (s.key == request.target) complete(s, {.result = -ECANCELED});
        }
        return true;
    }
    Side& s = side(request);
    s.request = request;
    s.key = key;
    advance(s);
    return true;
}

void ReadinessKernel::on_ready(int fd, bool readable, bool writable, bool hung_up) noexcept {
    Watched& w = fds_[fd];
    w.sides[0].ready |= readable;
    w.sides[1].ready |= writable;
    w.hung_up |= hung_up;
    for (Side& s : w.sides) advance(s);
}

void ReadinessKernel::enter(const timespec* timeout) noexcept {
    constexpr timespec kNotAtAll{};
    entered_ = true;
    wait(done_.empty() && greedy_.empty() ? timeout : &kNotAtAll);
    for (const int fd : std::exchange(greedy_, {})) advance(fds_[fd].sides[0]);  // Streams read.
}

/// Goes on with what waits there, as long as it is ready.
void ReadinessKernel::advance(Side& side) noexcept {
    for (int i = 0; side.key != 0 && side.ready; ++i) {
        if (i == kStreamRounds) return greedy_.push_back(side.request.fd);
        const IoCompletion completion = attempt(side, side.request);
        if (completion.result == -EAGAIN) return;
        complete(side, completion);
    }
}

void ReadinessKernel::complete(Side& side, IoCompletion completion) noexcept {
    completion.key = side.key;
    if (!completion.more) side.key = 0;
    done_.push_back(completion);
}

/// Makes the system call, if it takes one. -EAGAIN: it would block.
IoCompletion ReadinessKernel::attempt(Side& side, const IoRequest& r) noexcept {
    if (r.code == IoCode::poll_multi) {
        side.ready = false;  // Until the next edge.
        return {.result = 0, .more = true};
    }
    ++stats.calls;
    IoCompletion c;
    const ssize_t n = r.code == IoCode::recv_multi ? receive(r, c.buffer) : call(r);
    c.result = n < 0 ? -errno : static_cast<int>(n);
    c.more = c.buffer != IoCompletion::kNoBuffer || (n >= 0 && r.code == IoCode::accept_multi);
    if (c.result == -EAGAIN) side.ready = false;
    return c;
}

/// ≥ 0, or -1 and errno.
ssize_t ReadinessKernel::call(const IoRequest& r) noexcept {
    switch (r.code) {
        case IoCode::accept:
        case IoCode::accept_multi:
#ifdef SOCK_NONBLOCK
            return ::accept4(r.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
#else
            return ::accept(r.fd, nullptr, nullptr);
#endif
        case IoCode::connect:
            return connect_or_ask(r, fds_[r.fd].connecting);
        case IoCode::recv:
            return ::recv(r.fd, r.data, r.size, r.flags);
        case IoCode::send:
            return ::send(r.fd, r.data, r.size, r.flags | MSG_NOSIGNAL);
        case IoCode::recvmsg:
            return ::recvmsg(r.fd, static_cast<msghdr*>(r.data), r.flags);
        case IoCode::sendmsg:
            return ::sendmsg(r.fd, static_cast<msghdr*>(r.data), r.flags | MSG_NOSIGNAL);
        case IoCode::poll_write:
            return ask_ready(r.fd, POLLOUT);
        default:
            return ask_ready(r.fd, POLLIN);
    }
}

/// A receive that did not fill its buffer has emptied the socket, unless the end came behind the
/// bytes.
ssize_t ReadinessKernel::receive(const IoRequest& r, std::uint32_t& buffer) noexcept {
    if (buffers_.empty()) {
        errno = ENOBUFS;
        return -1;
    }
    const auto [index, memory] = buffers_.back();
    const ssize_t n = ::recv(r.fd, memory.data(), memory.size(), 0);
    if (n <= 0) return n;
    buffers_.pop_back();
    buffer = index;
    Watched& fd = fds_[r.fd];
    if (static_cast<std::size_t>(n) < memory.size() && !fd.hung_up) fd.sides[0].ready = false;
    return n;
}

}  // namespace starling
