#include <starling/todo.hh>
#if __has_include(<sys/eventfd.h>)

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <starling/wake_fd.hh>
#include <system_error>

namespace starling {

WakeFd::WakeFd() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_.valid()) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void WakeFd::unpark() noexcept {
    // BEGIN 7.5: wake a sleeping driver
    // Make the eventfd readable. A signal may interrupt the write; a full counter is readable already.
    return todo_soft("7.5", "WakeFd::unpark");
    // END 7.5
}

void WakeFd::drain() noexcept {
    // BEGIN 7.5: wake a sleeping driver
    // Make it not readable again, however many unparks there were. It may not be readable at all.
    return todo_soft("7.5", "WakeFd::drain");
    // END 7.5
}

}  // namespace starling

#endif
