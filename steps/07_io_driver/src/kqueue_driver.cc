// kqueue: the readiness driver of the BSDs and macOS. Empty where there is no <sys/event.h>.
#include <starling/driver_backends.hh>

#if __has_include(<sys/event.h>)

#include <sys/types.h>
// In this order: the BSDs' <sys/event.h> needs the types.
#include <sys/event.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <starling/readiness_driver.hh>
#include <system_error>

namespace starling {
namespace {

/// The queue, and its own event that ends a sleep. Shared with foreign threads, which may outlive the
/// driver. \affinity `unpark` any thread
class Queue final : public Unparker {
  public:
    Queue() : fd_(::kqueue()) {
        if (!fd_.valid()) throw std::system_error(errno, std::generic_category(), "kqueue");
        change(0, EVFILT_USER, EV_ADD | EV_CLEAR, 0, 0);
    }
    void unpark() noexcept override {
        struct kevent event;
        EV_SET(&event, 0, EVFILT_USER, 0, NOTE_TRIGGER, 0, nullptr);
        ::kevent(fd_.get(), &event, 1, nullptr, 0, nullptr);
    }
    void change(int ident, int filter, int flags, unsigned notes, std::uint64_t key) {
        struct kevent event;
        EV_SET(&event, static_cast<std::uintptr_t>(ident), static_cast<short>(filter),
               static_cast<unsigned short>(flags), notes, 0,
               reinterpret_cast<void*>(static_cast<std::uintptr_t>(key)));
        if (::kevent(fd_.get(), &event, 1, nullptr, 0, nullptr) < 0) {
            throw std::system_error(errno, std::generic_category(), "kevent");
        }
    }
    int fd() const noexcept { return fd_.get(); }

  private:
    OwnedFd fd_;
};

class KqueueDriver final : public ReadinessDriver {
  public:
    explicit KqueueDriver(const DriverOptions& options)
        : ReadinessDriver(options.buffers, options.buffer_bytes),
          queue_(std::make_shared<Queue>()) {}
    ~KqueueDriver() override { finish(); }

    const char* name() const noexcept override { return "kqueue"; }
    std::shared_ptr<Unparker> unparker() noexcept override { return queue_; }

  private:
    void watch(int fd, std::uint64_t key) override {
        stats_.calls += 2;
        queue_->change(fd, EVFILT_READ, EV_ADD | EV_CLEAR, 0, key);
        queue_->change(fd, EVFILT_WRITE, EV_ADD | EV_CLEAR, 0, key);
    }

    void wait(TimePoint deadline) noexcept override {
        timespec timeout{};
        if (deadline != TimePoint::min() && deadline != TimePoint::max()) {
            const Duration left = detail::time_left(deadline);
            timeout.tv_sec = left / std::chrono::seconds(1);
            timeout.tv_nsec = left % std::chrono::seconds(1) / std::chrono::nanoseconds(1);
        }
        ++stats_.enters;
        const int count = ::kevent(queue_->fd(), nullptr, 0, events_.data(),
                                   static_cast<int>(events_.size()),
                                   deadline == TimePoint::max() ? nullptr : &timeout);
        for (int i = 0; i < count; ++i) {
            const struct kevent& event = events_[static_cast<std::size_t>(i)];
            if (event.filter == EVFILT_USER) continue;
            on_ready(reinterpret_cast<std::uintptr_t>(event.udata), event.filter == EVFILT_READ,
                     event.filter == EVFILT_WRITE, (event.flags & EV_EOF) != 0);
        }
    }

    const std::shared_ptr<Queue> queue_;
    std::array<struct kevent, 256> events_;
};

}  // namespace

std::unique_ptr<Driver> detail::make_kqueue_driver(const DriverOptions& options,
                                                   std::string& why_not) {
    try {
        return std::make_unique<KqueueDriver>(options);
    } catch (const std::system_error& error) {
        why_not = error.what();
        return nullptr;
    }
}

}  // namespace starling

#else

std::unique_ptr<starling::Driver> starling::detail::make_kqueue_driver(const DriverOptions&,
                                                                       std::string& why_not) {
    why_not = "kqueue: this system has none";
    return nullptr;
}

#endif
