// A second kernel below the driver, as small as it can be and as different as the contract allows: no
// registration, no readiness kept, nothing done on the spot; one poll(2) over everything in flight, and
// of each request one completion at a time, newest first. What runs on the reference and fails here
// relies on more than driver.hh promises.
//
// Affinity: owner shard.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <starling/driver.hh>
#include <system_error>
#include <vector>

namespace starling {

namespace {

bool ready(int fd, short events) noexcept {
    pollfd one{.fd = fd, .events = events, .revents = 0};
    return ::poll(&one, 1, 0) == 1;
}

int milliseconds(const timespec* timeout) noexcept {
    if (timeout == nullptr) return -1;
    return static_cast<int>(timeout->tv_sec * 1000 + (timeout->tv_nsec + 999'999) / 1'000'000);
}

class PollKernel final : public Kernel {
  public:
    bool waits() const noexcept override { return false; }
    void attach(int fd) override { std::erase(connecting_, fd); }
    bool push(const IoRequest& request, std::uint64_t key) noexcept override {
        if (request.code == IoCode::cancel) {
            for (Waiting& w : waiting_) w.cancelled |= w.key == request.target;
        } else {
            waiting_.push_back({request, key, false});
        }
        fresh_ = true;
        return true;
    }
    bool wants_enter() const noexcept override { return true; }
    void enter(const timespec* timeout) noexcept override {
        wait(fresh_ || !done_.empty() ? 0 : milliseconds(timeout));
        fresh_ = false;
        for (std::size_t i = waiting_.size(); i-- > 0;) {
            IoCompletion c = attempt(waiting_[i]);
            if (c.result == -EAGAIN || c.result == -EINTR) continue;  // Later.
            c.key = waiting_[i].key;
            done_.push_back(c);
            if (!c.more) waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
        }
    }
    void reap(std::vector<IoCompletion>& into) noexcept override { into.swap(done_); }
    void provide(std::uint32_t index, std::span<std::byte> memory) noexcept override {
        buffers_.emplace_back(index, memory);
    }

  private:
    struct Waiting {
        IoRequest request;
        std::uint64_t key;
        bool cancelled;
    };

    void wait(int ms) noexcept {
        if (ms == 0) return;
        std::vector<pollfd> fds;
        for (const Waiting& w : waiting_) {
            const short events = is_write(w.request.code) ? POLLOUT : POLLIN;
            fds.push_back({.fd = w.request.fd, .events = events, .revents = 0});
        }
        ::poll(fds.data(), fds.size(), ms);
    }

    /// A stream that is cancelled ends; another request is tried once more first: a success beats a stop.
    IoCompletion attempt(const Waiting& w) noexcept {
        const IoRequest& r = w.request;
        const bool stream = r.code == IoCode::recv_multi || r.code == IoCode::accept_multi;
        if (stream && w.cancelled) return {.result = -ECANCELED};
        ++stats.calls;
        if (r.code == IoCode::recv_multi) return receive(r.fd);
        const int result = r.code == IoCode::connect ? connect(r) : perform(r);
        if (result == -EAGAIN && w.cancelled) return {.result = -ECANCELED};
        return {.result = result, .more = result >= 0 && (stream || r.code == IoCode::poll_multi)};
    }

    IoCompletion receive(int fd) noexcept {
        if (!ready(fd, POLLIN)) return {.result = -EAGAIN};
        if (buffers_.empty()) return {.result = -ENOBUFS};
        const auto [index, memory] = buffers_.back();
        const ssize_t n = ::recv(fd, memory.data(), memory.size(), 0);
        if (n <= 0) return {.result = n == 0 ? 0 : -errno};
        buffers_.pop_back();
        return {.result = static_cast<int>(n), .more = true, .buffer = index};
    }

    int connect(const IoRequest& r) noexcept {
        if (std::erase(connecting_, r.fd) == 0) {
            if (::connect(r.fd, static_cast<const sockaddr*>(r.data), r.size) == 0) return 0;
            if (errno != EINPROGRESS) return errno == EAGAIN ? -ECONNREFUSED : -errno;
        }
        if (!ready(r.fd, POLLOUT)) {
            connecting_.push_back(r.fd);
            return -EAGAIN;
        }
        int error = 0;
        socklen_t size = sizeof error;
        ::getsockopt(r.fd, SOL_SOCKET, SO_ERROR, &error, &size);
        return -error;
    }

    static int perform(const IoRequest& r) noexcept {
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
            default:
                return ready(r.fd, r.code == IoCode::poll_write ? POLLOUT : POLLIN) ? 0 : -EAGAIN;
        }
        return n >= 0 ? static_cast<int>(n) : -errno;
    }

    std::vector<Waiting> waiting_;  // Oldest first.
    std::vector<int> connecting_;   // Whose connect(2) is under way.
    std::vector<IoCompletion> done_;
    std::vector<std::pair<std::uint32_t, std::span<std::byte>>> buffers_;  // Provided.
    bool fresh_ = false;  // Something was pushed since the last enter.
};

}  // namespace

std::unique_ptr<Driver> make_driver(const DriverOptions& options) {
    if (options.kind == DriverKind::kqueue) {
        throw std::system_error(ENOSYS, std::generic_category(), "kqueue: this system has none");
    }
    return std::make_unique<Driver>(std::make_unique<PollKernel>(), options, "poll",
                                    "this is the second implementation; using poll");
}

}  // namespace starling
