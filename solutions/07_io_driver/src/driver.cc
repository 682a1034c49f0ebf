#include <array>
#include <cerrno>
#include <starling/driver.hh>
#include <starling/driver_backends.hh>
#include <system_error>

namespace starling {

namespace {

constexpr std::array kLadder{RingRung::deferred, RingRung::cooperative, RingRung::plain};

std::unique_ptr<Driver> make_ring(const DriverOptions& options, std::string& why_not) {
    if (options.rung != RingRung::first) {
        return detail::make_uring_driver(options, options.rung, why_not);
    }
    for (RingRung rung : kLadder) {
        std::string why;
        auto driver = detail::make_uring_driver(options, rung, why);
        if (driver != nullptr) return driver;
        if (why_not.empty()) why_not = why;
    }
    return nullptr;
}

}  // namespace

std::unique_ptr<Driver> make_driver(const DriverOptions& options) {
    std::string why_not;
    std::unique_ptr<Driver> driver;
    switch (options.kind) {
        case DriverKind::io_uring:
            driver = make_ring(options, why_not);
            break;
        case DriverKind::epoll:
            driver = detail::make_epoll_driver(options, why_not);
            break;
        case DriverKind::kqueue:
            driver = detail::make_kqueue_driver(options, why_not);
            break;
        case DriverKind::automatic: {
            std::string unused;
            driver = make_ring(options, why_not);
            if (driver == nullptr) driver = detail::make_epoll_driver(options, unused);
            if (driver == nullptr) driver = detail::make_kqueue_driver(options, unused);
        }
    }
    if (driver == nullptr) throw std::system_error(ENOSYS, std::generic_category(), why_not);
    if (!why_not.empty()) driver->note_ = why_not + "; using " + driver->name() + " instead";
    return driver;
}

}  // namespace starling
