// Which kernel a driver runs on: the best that works here, or the one that was asked for.
#include <cerrno>
#include <optional>
#include <starling/driver.hh>
#include <system_error>

namespace starling {

namespace {

struct Choice {
    DriverKind kind;
    RingRung rung;
    const char* name;
    std::unique_ptr<Kernel> (*make)(const DriverOptions& options, RingRung rung);
};

constexpr Choice kChoices[] = {
#if __has_include(<liburing.h>)
    {DriverKind::io_uring, RingRung::deferred, "io_uring", detail::make_uring_kernel},
    {DriverKind::io_uring, RingRung::cooperative, "io_uring (cooperative)",
     detail::make_uring_kernel},
    {DriverKind::io_uring, RingRung::plain, "io_uring (plain)", detail::make_uring_kernel},
#endif
#if __has_include(<sys/epoll.h>)
    {DriverKind::epoll, RingRung::first, "epoll", detail::make_epoll_kernel},
#endif
#if __has_include(<sys/event.h>)
    {DriverKind::kqueue, RingRung::first, "kqueue", detail::make_kqueue_kernel},
#endif
};

}  // namespace

std::unique_ptr<Driver> make_driver(const DriverOptions& options) {
    constexpr const char* kLacking[] = {"no driver is built in", "io_uring is not built in",
                                        "epoll is not built in", "kqueue is not built in"};
    std::optional<std::system_error> wrong;  // With the best.
    for (const Choice& choice : kChoices) {
        if (options.kind != DriverKind::automatic && options.kind != choice.kind) continue;
        if (options.rung != RingRung::first && options.rung != choice.rung) continue;
        try {
            auto kernel = choice.make(options, choice.rung);
            std::string note;
            if (wrong) note = std::string(wrong->what()) + "; using " + choice.name + " instead";
            return std::make_unique<Driver>(std::move(kernel), options, choice.name, note);
        } catch (const std::system_error& error) {
            if (!wrong) wrong = error;
        }
    }
    if (wrong) throw *wrong;
    throw_io_error(kLacking[static_cast<int>(options.kind)], -ENOSYS);
}

}  // namespace starling
