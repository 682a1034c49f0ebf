#include <unistd.h>

#include <cerrno>
#include <starling/kernel.hh>
#include <starling/wake_fd.hh>
#include <starling/todo.hh>

#if __has_include(<sys/eventfd.h>)
#include <sys/eventfd.h>
#else
#include <fcntl.h>
#endif

namespace starling {

WakeFd::WakeFd() {
#if __has_include(<sys/eventfd.h>)
    fd_ = OwnedFd(write_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!fd_.valid()) throw_io_error("eventfd", -errno);
#else
    int ends[2];
    if (::pipe(ends) < 0) throw_io_error("pipe", -errno);
    fd_ = OwnedFd(ends[0]);
    pipe_end_ = OwnedFd(write_fd_ = ends[1]);
    for (const int end : ends) ::fcntl(end, F_SETFL, O_NONBLOCK);
#endif
}

void WakeFd::unpark() noexcept {
    // BEGIN 7.5: wake a sleeping driver
    // Write to `write_fd_`, so that the eventfd is readable. A signal may interrupt that; a full
    // counter is readable already.
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
