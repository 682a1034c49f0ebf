// epoll: Linux's readiness. One registration per descriptor, edge-triggered, both directions.
#include <starling/driver.hh>

#if __has_include(<sys/epoll.h>)

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <starling/readiness_kernel.hh>

namespace starling {
namespace {

class EpollKernel final : public ReadinessKernel {
  public:
    EpollKernel() {
        if (!epoll_.valid()) throw_io_error("epoll_create1", -errno);
    }

  private:
    void watch(int fd) override {
        epoll_event event{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data = {.fd = fd}};
        ++stats.calls;
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
            throw_io_error("epoll_ctl", -errno);
        }
    }

    void wait(const timespec* timeout) noexcept override {
        const int room = static_cast<int>(events_.size());
        const int ms = milliseconds(timeout);
        int count =
            ms > 0 ? ::epoll_pwait2(epoll_.get(), events_.data(), room, timeout, nullptr) : -1;
        if (ms <= 0 || (count < 0 && errno == ENOSYS)) {  // Linux has the other since 5.11.
            count = ::epoll_wait(epoll_.get(), events_.data(), room, ms);
        }
        for (int i = 0; i < count; ++i) {  // EINTR: an early return, which everybody expects.
            const epoll_event& event = events_[static_cast<std::size_t>(i)];
            on_ready(event.data.fd, (event.events & EPOLLIN) != 0, (event.events & EPOLLOUT) != 0,
                     (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
        }
    }

    /// Rounded up; at most an hour: to return early is fine.
    static int milliseconds(const timespec* timeout) noexcept {
        if (timeout == nullptr) return -1;
        const long ms =
            std::min(timeout->tv_sec, 3600L) * 1000 + (timeout->tv_nsec + 999'999) / 1'000'000;
        return static_cast<int>(ms);
    }

    const OwnedFd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
    std::array<epoll_event, 256> events_;
};

}  // namespace

std::unique_ptr<Kernel> detail::make_epoll_kernel(const DriverOptions&, RingRung) {
    return std::make_unique<EpollKernel>();
}

}  // namespace starling

#endif
