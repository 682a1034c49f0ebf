#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <starling/sleep.hh>
#include <starling/tcp_listener.hh>

namespace starling {
namespace {

void set_option(int fd, int level, int name) {
    const int on = 1;
    if (::setsockopt(fd, level, name, &on, sizeof on) != 0) throw_io_error("setsockopt", -errno);
}

// A path that an earlier process left behind keeps its name taken.
void remove_stale_socket(const SocketAddress& address) noexcept {
    const char* path = reinterpret_cast<const sockaddr_un*>(address.data())->sun_path;
    struct stat info{};
    if (path[0] != '\0' && ::lstat(path, &info) == 0 && S_ISSOCK(info.st_mode)) ::unlink(path);
}

// Errors of the process or the machine, which pass when something else is closed.
bool out_of_resources(int error) noexcept {
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

// Errors of the one connection that was about to be accepted (accept(2)).
bool connection_failed(int error) noexcept {
    return error == -ECONNABORTED || error == -EPROTO || error == -ENETDOWN ||
           error == -EHOSTUNREACH || error == -ENETUNREACH || error == -EPERM;
}

}  // namespace

TcpListener TcpListener::bind(const SocketAddress& address, ListenOptions options) {
    Driver& driver = service<Driver>("TcpListener");
    OwnedFd fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) throw_io_error("socket", -errno);
    if (address.is_unix()) {
        if (options.reuse_address) remove_stale_socket(address);
    } else {
        if (options.reuse_address) set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR);
        if (options.reuse_port) set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT);
        if (options.nodelay) set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY);
    }
    if (::bind(fd.get(), address.data(), address.size()) != 0) throw_io_error("bind", -errno);
    if (::listen(fd.get(), options.backlog) != 0) throw_io_error("listen", -errno);
    return TcpListener(IoFd(driver, std::move(fd)));
}

Task<TcpStream> TcpListener::accept() {
    // BEGIN 8.1: accept
    //| Until there is a connection: wait for one. What ends the wait may be an error instead
    //| (`stream_.take_error()`): when `out_of_resources`, pause for kPause before asking again; when
    //| only that `connection_failed`, ask again; any other is thrown. A connection becomes a TcpStream
    //| of the listener's driver.
    //= todo("8.1", "TcpListener::accept");
    for (;;) {
        OwnedFd connection = stream_.take();
        if (connection.valid()) co_return TcpStream(fd_.driver(), std::move(connection));
        const int error = stream_.take_error();
        if (out_of_resources(error)) {
            co_await sleep(kPause);
        } else if (error != 0 && !connection_failed(error)) {
            throw_io_error("accept", error);
        }
        co_await stream_.wait();
    }
    // END 8.1
}

TcpStream TcpListener::try_accept() {
    OwnedFd connection = stream_.take();
    if (connection.valid()) return TcpStream(fd_.driver(), std::move(connection));
    const int error = stream_.take_error();
    if (error != 0 && !out_of_resources(error) && !connection_failed(error)) {
        throw_io_error("accept", error);
    }
    return {};
}

CloseOp TcpListener::close() noexcept {
    // BEGIN 8.5: nobody accepts any more
    //| Close, and not the listener alone: connections may have come for an accept that was stopped, or
    //| for nobody yet. `stream_` has them; it lets go of them when it goes.
    //= return todo_soft("8.5", "TcpListener::close", fd_.close());
    AcceptStream closing = std::move(stream_);
    return fd_.close();
    // END 8.5
}

}  // namespace starling
