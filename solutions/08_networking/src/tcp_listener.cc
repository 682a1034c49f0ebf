#include <netinet/tcp.h>

#include <cassert>
#include <cerrno>
#include <starling/sleep.hh>
#include <starling/tcp_listener.hh>

namespace starling {
namespace {

// Errors of the process or the machine, which pass when something else is closed.
bool out_of_resources(int error) noexcept {
    return error == -EMFILE || error == -ENFILE || error == -ENOBUFS || error == -ENOMEM;
}

// Errors of the one connection that was about to be accepted (accept(2)).
bool connection_failed(int error) noexcept {
    return error == -ECONNABORTED || error == -EPROTO || error == -ENOPROTOOPT ||
           error == -ENETDOWN || error == -ENETUNREACH || error == -EHOSTDOWN ||
           error == -EHOSTUNREACH || error == -ETIMEDOUT || error == -EPERM;
}

}  // namespace

TcpListener TcpListener::bind(const SocketAddress& address, ListenOptions options) {
    OwnedFd fd = detail::open_socket(address, SOCK_STREAM);
    detail::set_option(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    detail::set_option(fd.get(), SOL_SOCKET, SO_REUSEPORT, options.reuse_port);
    if (!address.is_unix()) detail::set_option(fd.get(), IPPROTO_TCP, TCP_NODELAY, options.nodelay);
    detail::checked("bind", ::bind(fd.get(), address.data(), address.size()));
    detail::checked("listen", ::listen(fd.get(), options.backlog));
    return TcpListener(IoFd(service<Driver>("TcpListener"), std::move(fd)));
}

Task<TcpStream> TcpListener::accept() {
    // BEGIN 8.1: accept
    //| Until `try_accept` has a connection: wait for one. What ends the wait may be an error instead
    //| (`stream_.take_error()`), and there may be both: connections first. When `out_of_resources`, pause
    //| for kPause before asking again; when only that `connection_failed`, ask again; any other is
    //| thrown.
    //= todo("8.1", "TcpListener::accept");
    for (;;) {
        TcpStream connection = try_accept();
        if (connection.valid()) co_return connection;
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
    assert(fd_.valid() && "the listener was closed");
    if (!given_back_.empty()) {
        TcpStream last = std::move(given_back_.back());
        given_back_.pop_back();
        return last;
    }
    OwnedFd connection = stream_.take();
    return connection.valid() ? TcpStream(fd_.driver(), std::move(connection)) : TcpStream();
}

CloseOp TcpListener::close() noexcept {
    given_back_.clear();
    // BEGIN 8.5: nobody accepts any more
    //| Close, and not the listener alone: connections may have come for an accept that was stopped, or
    //| for nobody yet. `stream_` has them; it lets go of them when it goes.
    //= return todo_soft("8.5", "TcpListener::close", fd_.close());
    AcceptStream closing = std::move(stream_);
    return fd_.close();
    // END 8.5
}

}  // namespace starling
