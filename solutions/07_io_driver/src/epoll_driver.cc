// epoll: Linux's readiness driver. One registration per descriptor, edge-triggered, both directions.
#include <starling/driver_backends.hh>

#if __has_include(<sys/epoll.h>)

#include <sys/epoll.h>

#include <array>
#include <cerrno>
#include <starling/readiness_driver.hh>
#include <starling/wake_fd.hh>
#include <system_error>

namespace starling {
namespace {

class EpollDriver final : public ReadinessDriver {
  public:
    explicit EpollDriver(const DriverOptions& options)
        : ReadinessDriver(options.buffers, options.buffer_bytes),
          epoll_(::epoll_create1(EPOLL_CLOEXEC)),
          wake_(std::make_shared<WakeFd>()) {
        if (!epoll_.valid()) {
            throw std::system_error(errno, std::generic_category(), "epoll_create1");
        }
        add(wake_->fd(), EPOLLIN, kWakeKey);  // Level-triggered: it stays ready until drained.
    }
    ~EpollDriver() override { finish(); }

    const char* name() const noexcept override { return "epoll"; }
    std::shared_ptr<Unparker> unparker() noexcept override { return wake_; }

  private:
    void watch(int fd, std::uint64_t key) override {
        add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, key);
    }

    void add(int fd, std::uint32_t events, std::uint64_t key) {
        epoll_event event{.events = events, .data = {.u64 = key}};
        ++stats_.calls;
        if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) < 0) {
            throw std::system_error(errno, std::generic_category(), "epoll_ctl");
        }
    }

    void wait(TimePoint deadline) noexcept override {
        ++stats_.enters;
        const int count = sleep(deadline);  // EINTR: an early return, which everybody expects.
        for (int i = 0; i < count; ++i) {
            const epoll_event& event = events_[static_cast<std::size_t>(i)];
            if (event.data.u64 == kWakeKey) {
                ++stats_.calls;
                wake_->drain();
                continue;
            }
            on_ready(event.data.u64, (event.events & EPOLLIN) != 0, (event.events & EPOLLOUT) != 0,
                     (event.events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0);
        }
    }

    int sleep(TimePoint deadline) noexcept {
        const int size = static_cast<int>(events_.size());
        if (deadline == TimePoint::min()) return ::epoll_wait(epoll_.get(), events_.data(), size, 0);
        if (deadline == TimePoint::max()) return ::epoll_wait(epoll_.get(), events_.data(), size, -1);
        const auto left = detail::time_left(deadline);
        const timespec timeout{.tv_sec = left / std::chrono::seconds(1),
                               .tv_nsec = left % std::chrono::seconds(1) / std::chrono::nanoseconds(1)};
        const int count = ::epoll_pwait2(epoll_.get(), events_.data(), size, &timeout, nullptr);
        if (count >= 0 || errno != ENOSYS) return count;
        const auto ms = std::chrono::ceil<std::chrono::milliseconds>(left).count();
        return ::epoll_wait(epoll_.get(), events_.data(), size,
                            static_cast<int>(std::min<std::int64_t>(ms, 1 << 30)));
    }

    OwnedFd epoll_;
    const std::shared_ptr<WakeFd> wake_;
    std::array<epoll_event, 256> events_;
};

}  // namespace

std::unique_ptr<Driver> detail::make_epoll_driver(const DriverOptions& options,
                                                  std::string& why_not) {
    try {
        return std::make_unique<EpollDriver>(options);
    } catch (const std::system_error& error) {
        why_not = error.what();
        return nullptr;
    }
}

}  // namespace starling

#else

std::unique_ptr<starling::Driver> starling::detail::make_epoll_driver(const DriverOptions&,
                                                                      std::string& why_not) {
    why_not = "epoll: this system has none";
    return nullptr;
}

#endif
