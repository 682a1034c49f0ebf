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
#include <string>
#include <string_view>

namespace starling {

/// \affinity any thread
class SocketAddress {
  public:
    /// No address: family AF_UNSPEC.
    SocketAddress() noexcept;
    /// Copies what the kernel returned. \pre size <= sizeof(sockaddr_storage)
    SocketAddress(const sockaddr* address, socklen_t size) noexcept;

    /// Reads the forms above. \throws std::invalid_argument that says which forms there are
    static SocketAddress parse(std::string_view text);
    /// \param host an address in digits, "localhost", or "*" \throws std::invalid_argument
    static SocketAddress ip(std::string_view host, std::uint16_t port);
    static SocketAddress loopback(std::uint16_t port = 0);
    /// \param path at most 107 bytes; with a leading '@' it is in the abstract name space
    /// \throws std::invalid_argument
    static SocketAddress unix_path(std::string_view path);
    /// This end of a socket; the other end. \throws std::system_error
    static SocketAddress local_of(int fd);
    static SocketAddress peer_of(int fd);

    int family() const noexcept { return any_.sa_family; }
    bool is_unix() const noexcept { return family() == AF_UNIX; }
    /// In host order; 0 for a Unix path.
    std::uint16_t port() const noexcept;
    const sockaddr* data() const noexcept { return &any_; }
    socklen_t size() const noexcept { return size_; }
    /// The form that `parse` reads.
    std::string to_string() const;

    friend bool operator==(const SocketAddress& a, const SocketAddress& b) noexcept {
        return a.to_string() == b.to_string();
    }

  private:
    union {
        sockaddr any_;
        sockaddr_in v4_;
        sockaddr_in6 v6_;
        sockaddr_un unix_;
    };
    socklen_t size_;
};

}  // namespace starling
