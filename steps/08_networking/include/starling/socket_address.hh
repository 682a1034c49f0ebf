// SocketAddress: where a socket is: IPv4, IPv6 or a Unix path. A value.
//
//     127.0.0.1:8080     [::1]:8080     localhost:8080     unix:/run/echo.sock     unix:@abstract
//
// No names are looked up: that would block the thread. "localhost" is 127.0.0.1, "*" every address.
//
// Affinity: any thread.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <starling/kernel.hh>
#include <string>
#include <string_view>

namespace starling {

/// Where a socket is, in the form that the kernel wants. \affinity any thread
class SocketAddress {
  public:
    /// No address: family AF_UNSPEC.
    SocketAddress() noexcept : unix_{}, size_(sizeof any_.sa_family) {}

    /// Reads the forms above. \throws std::invalid_argument that says which forms there are
    static SocketAddress parse(std::string_view text);
    /// An IP address and a port. \param host an address in digits, "localhost", or "*"
    /// \param port in host order; 0 for any free one \throws std::invalid_argument
    static SocketAddress ip(std::string_view host, std::uint16_t port);
    /// This machine, as seen from itself: 127.0.0.1.
    static SocketAddress loopback(std::uint16_t port = 0) { return ip("127.0.0.1", port); }
    /// A Unix socket. \param path 1 to 107 bytes; with a leading '@' it is in the abstract name
    /// space
    /// \throws std::invalid_argument
    static SocketAddress unix_path(std::string_view path);
    /// This end of a socket. \throws std::system_error
    static SocketAddress local_of(int fd) { return ask("getsockname", ::getsockname, fd); }
    /// The other end of a connected socket. \throws std::system_error
    static SocketAddress peer_of(int fd) { return ask("getpeername", ::getpeername, fd); }

    /// AF_INET, AF_INET6, AF_UNIX or AF_UNSPEC.
    int family() const noexcept { return any_.sa_family; }
    /// Whether it is a path, or a name in the abstract name space.
    bool is_unix() const noexcept { return family() == AF_UNIX; }
    /// In host order; 0 for a Unix path.
    std::uint16_t port() const noexcept { return is_unix() ? 0 : ntohs(v4_.sin_port); }
    /// For bind(2), connect(2) and the like.
    const sockaddr* data() const noexcept { return &any_; }
    /// How many bytes of `data()` count.
    socklen_t size() const noexcept { return size_; }
    /// The form that `parse` reads.
    std::string to_string() const;

    /// Whether both are the same place.
    friend bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept {
        return a.to_string() == b.to_string();
    }

  private:
    friend class UdpSocket;  // The kernel writes a datagram's sender into one.
    static SocketAddress ask(const char* call, decltype(::getsockname)& get_name, int fd);
    /// Where the bytes of an IP address are.
    const void* ip_bytes() const noexcept {
        return family() == AF_INET ? static_cast<const void*>(&v4_.sin_addr) : &v6_.sin6_addr;
    }

    union {  // All begin with the family; v4 and v6 go on with the port.
        sockaddr any_;
        sockaddr_in v4_;
        sockaddr_in6 v6_;
        sockaddr_un unix_;
    };
    socklen_t size_;
};

namespace detail {
/// What a system call has returned. \throws std::system_error that names it, if it has failed
int checked(const char* call, int result);
/// \param type SOCK_STREAM or SOCK_DGRAM \throws std::system_error
OwnedFd open_socket(const SocketAddress& address, int type);
/// setsockopt(2) with a number. \throws std::system_error
void set_option(int fd, int level, int name, int value);
}  // namespace detail

}  // namespace starling
