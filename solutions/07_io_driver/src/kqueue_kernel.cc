// kqueue: the readiness of the BSDs and macOS. Empty where there is no <sys/event.h>.
#include <starling/driver.hh>

#if __has_include(<sys/event.h>)

#include <sys/types.h>
// In this order: the BSDs' <sys/event.h> needs the types.
#include <sys/event.h>
#include <sys/socket.h>

#include <cerrno>
#include <starling/readiness_kernel.hh>

namespace starling {
namespace {

class KqueueKernel final : public ReadinessKernel {
  public:
    KqueueKernel() {
        if (!queue_.valid()) throw_io_error("kqueue", -errno);
    }

  private:
    void watch(int fd) override {
#ifdef SO_NOSIGPIPE
        const int on = 1;
        ::setsockopt(fd, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
        struct kevent both[2];
        const auto ident = static_cast<std::uintptr_t>(fd);
        EV_SET(&both[0], ident, EVFILT_READ, EV_ADD | EV_CLEAR, 0, 0, nullptr);
        EV_SET(&both[1], ident, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, 0, nullptr);
        ++stats.calls;
        if (::kevent(queue_.get(), both, 2, nullptr, 0, nullptr) < 0)
            throw_io_error("kevent", -errno);
    }

    void wait(const timespec* timeout) noexcept override {
        constexpr int kRoom = 256;
        struct kevent events[kRoom];
        const int count = ::kevent(queue_.get(), nullptr, 0, events, kRoom, timeout);
        for (int i = 0; i < count; ++i) {
            const struct kevent& event = events[i];
            on_ready(static_cast<int>(event.ident), event.filter == EVFILT_READ,
                     event.filter == EVFILT_WRITE, (event.flags & EV_EOF) != 0);
        }
    }

    const OwnedFd queue_{::kqueue()};
};

}  // namespace

std::unique_ptr<Kernel> detail::make_kqueue_kernel(const DriverOptions&, RingRung) {
    return std::make_unique<KqueueKernel>();
}

}  // namespace starling

#endif
