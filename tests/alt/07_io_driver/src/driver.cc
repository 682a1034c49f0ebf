// A second driver, as small as it can be and as different as the contract allows: no registration, no
// readiness kept, one poll(2) over everything in flight, newest first, one completion an operation and
// turn. What runs on the reference and fails here relies on more than driver.hh promises.
//
// Affinity: owner shard.
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <starling/driver.hh>
#include <starling/wake_fd.hh>
#include <system_error>
#include <vector>

namespace starling {
namespace {

class PollDriver final : public Driver {
  public:
    explicit PollDriver(const DriverOptions& options)
        : Driver(options.buffers, options.buffer_bytes), wake_(std::make_shared<WakeFd>()) {}
    ~PollDriver() override {
        while (!ops_.empty()) poll();
    }

    const char* name() const noexcept override { return "poll"; }
    std::shared_ptr<Unparker> unparker() noexcept override { return wake_; }
    void attach(detail::FdState& fd) override {
        const int flags = ::fcntl(fd.fd, F_GETFL);
        if (flags < 0) throw std::system_error(errno, std::generic_category(), "fcntl");
        ::fcntl(fd.fd, F_SETFL, flags | O_NONBLOCK);
    }
    void detach(detail::FdState&) noexcept override {}
    void submit(IoOp& op) override {
        ++stats_.submissions;
        ops_.push_back(&op);
        fresh_ = true;
    }
    void cancel(IoOp&) override {
        ++stats_.submissions;
        fresh_ = true;
    }
    bool before_sleep() noexcept override { return !fresh_; }

    void poll() noexcept override {
        TrampolineScope scope;
        fresh_ = false;
        const std::vector<IoOp*> ops(ops_.rbegin(), ops_.rend());
        for (IoOp* op : ops) {
            const IoCompletion c = attempt(*op);
            if (c.result == -EAGAIN || c.result == -EINTR) continue;  // Later.
            if (!c.more) std::erase(ops_, op);
            deliver(*op, c);
        }
    }

    void park(TimePoint deadline) noexcept override {
        std::vector<pollfd> fds{{.fd = wake_->fd(), .events = POLLIN, .revents = 0}};
        for (IoOp* op : ops_) {
            const short events = is_write(op->request().code) ? POLLOUT : POLLIN;
            const bool starved = op->request().code == IoCode::recv_multi && buffers_.available() == 0;
            if (!starved) fds.push_back({.fd = op->request().fd, .events = events, .revents = 0});
        }
        ++stats_.enters;
        ::poll(fds.data(), fds.size(), fresh_ ? 0 : milliseconds_to(deadline));
        wake_->drain();
    }

  private:
    static int milliseconds_to(TimePoint deadline) noexcept {
        if (deadline == TimePoint::max()) return -1;
        return static_cast<int>(
            std::chrono::ceil<std::chrono::milliseconds>(detail::time_left(deadline)).count());
    }

    /// A stream that is cancelled ends; another operation is tried once more first: a success beats a stop.
    IoCompletion attempt(IoOp& op) noexcept {
        const IoCode code = op.request().code;
        const bool stream = code == IoCode::recv_multi || code == IoCode::accept_multi;
        if (stream && op.cancelling()) return {.result = -ECANCELED};
        ++stats_.calls;
        if (code == IoCode::recv_multi) return receive(op.request().fd);
        const int result = perform(op);
        if (result == -EAGAIN && op.cancelling()) return {.result = -ECANCELED};
        return {.result = result, .more = stream && result >= 0};
    }

    IoCompletion receive(int fd) noexcept {
        const std::uint32_t buffer = buffers_.take_index();
        if (buffer == BufferPool::kNone) return {.result = -EAGAIN};
        const ssize_t n = ::recv(fd, buffers_.data(buffer), buffers_.buffer_bytes(), 0);
        if (n > 0) return {.result = static_cast<int>(n), .more = true, .buffer = buffer};
        const int result = n == 0 ? 0 : -errno;
        buffers_.release_index(buffer);
        return {.result = result};
    }

    static int perform(IoOp& op) noexcept {
        const IoRequest& r = op.request();
        ssize_t n = -1;
        switch (r.code) {
            case IoCode::accept:
            case IoCode::accept_multi:
                n = ::accept4(r.fd, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
                break;
            case IoCode::recv:
                n = ::recv(r.fd, r.data, r.size, r.flags);
                break;
            case IoCode::send:
                n = ::send(r.fd, r.data, r.size, r.flags | MSG_NOSIGNAL);
                break;
            case IoCode::recvmsg:
                n = ::recvmsg(r.fd, static_cast<msghdr*>(r.data), r.flags);
                break;
            case IoCode::sendmsg:
                n = ::sendmsg(r.fd, static_cast<const msghdr*>(r.data), r.flags | MSG_NOSIGNAL);
                break;
            case IoCode::connect:
                return connect(op.fd(), r);
            default:
                return ready(r.fd, r.code == IoCode::poll_write ? POLLOUT : POLLIN) ? 0 : -EAGAIN;
        }
        return n >= 0 ? static_cast<int>(n) : -errno;
    }

    static bool ready(int fd, short events) noexcept {
        pollfd one{.fd = fd, .events = events, .revents = 0};
        return ::poll(&one, 1, 0) == 1;
    }

    static int connect(detail::FdState& fd, const IoRequest& r) noexcept {
        if (!fd.connecting) {
            if (::connect(fd.fd, static_cast<const sockaddr*>(r.data), r.size) == 0) return 0;
            if (errno != EINPROGRESS) return errno == EAGAIN ? -ECONNREFUSED : -errno;
            fd.connecting = true;
        }
        if (!ready(fd.fd, POLLOUT)) return -EAGAIN;
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(fd.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        fd.connecting = false;
        return -error;
    }

    const std::shared_ptr<WakeFd> wake_;
    std::vector<IoOp*> ops_;  // Borrows: operations in flight.
    bool fresh_ = false;      // Something was submitted or cancelled since the last poll.
};

}  // namespace

std::unique_ptr<Driver> make_driver(const DriverOptions& options) {
    if (options.kind == DriverKind::kqueue) {
        throw std::system_error(ENOSYS, std::generic_category(), "kqueue: this system has none");
    }
    std::unique_ptr<Driver> driver = std::make_unique<PollDriver>(options);
    driver->note_ = "this is the second implementation; using poll";
    return driver;
}

}  // namespace starling
