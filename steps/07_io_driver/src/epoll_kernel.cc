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
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
            throw_io_error("epoll_ctl", -errno);
        }
    }

    void wait(const timespec* timeout) noexcept override {
        constexpr int kRoom = 256;
        epoll_event events[kRoom];
        int count = ::epoll_pwait2(epoll_.get(), events, kRoom, timeout, nullptr);
        if (count < 0 && errno == ENOSYS) {  // Linux has it since 5.11; the other one counts in ms.
            const timespec limit =
                timeout != nullptr ? *timeout : timespec{.tv_sec = 3600, .tv_nsec = 0};
            const auto ms =
                std::min(limit.tv_sec, 3600L) * 1000 + (limit.tv_nsec + 999'999) / 1'000'000;
            count = ::epoll_wait(epoll_.get(), events, kRoom, static_cast<int>(ms));
        }
        for (int i = 0; i < count; ++i) {  // EINTR: an early return, which everybody expects.
            const epoll_event& event = events[i];
            on_ready(event.data.fd, (event.events & EPOLLIN) != 0, (event.events & EPOLLOUT) != 0,
                     (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
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
