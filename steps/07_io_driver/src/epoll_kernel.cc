// epoll: Linux's readiness. One registration per descriptor, edge-triggered, both directions.
#include <starling/driver.hh>

#if __has_include(<sys/epoll.h>)

#include <sys/epoll.h>

#include <algorithm>
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
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0) return;
        // A duplicate of the same socket may have been closed under the same number.
        if (errno == EEXIST && ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) == 0) return;
        throw_io_error("epoll_ctl", -errno);
    }

    void wait(const timespec* timeout) noexcept override {
        constexpr int kRoom = 256;
        epoll_event events[kRoom];
        const long ms = timeout == nullptr ? -1  // Rounded up, and at most an hour.
                                           : std::min(timeout->tv_sec, 3600L) * 1000 +
                                                 (timeout->tv_nsec + 999'999) / 1'000'000;
        int count = ms > 0 ? ::epoll_pwait2(epoll_.get(), events, kRoom, timeout, nullptr) : -1;
        if (ms <= 0 || (count < 0 && errno == ENOSYS)) {  // Linux has the other since 5.11.
            count = ::epoll_wait(epoll_.get(), events, kRoom, static_cast<int>(ms));
        }
        for (int i = 0; i < count; ++i) {  // EINTR: an early return, which everybody expects.
            const unsigned now = events[i].events;
            constexpr unsigned kBoth = EPOLLRDHUP | EPOLLHUP | EPOLLERR;
            on_ready(events[i].data.fd, (now & (EPOLLIN | kBoth)) != 0,
                     (now & (EPOLLOUT | kBoth)) != 0, (now & EPOLLRDHUP) != 0);
        }
    }

    const OwnedFd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
};

}  // namespace

std::unique_ptr<Kernel> detail::make_epoll_kernel(const DriverOptions&, RingRung) {
    return std::make_unique<EpollKernel>();
}

}  // namespace starling

#endif
