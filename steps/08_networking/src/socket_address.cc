#include <arpa/inet.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstring>
#include <starling/socket_address.hh>
#include <stdexcept>
#include <system_error>

namespace starling {
namespace {

[[noreturn]] void throw_bad_address(std::string_view text) {
    throw std::invalid_argument("\"" + std::string(text) +
                                "\" is no address; write 127.0.0.1:8080, [::1]:8080, "
                                "localhost:8080 or unix:/path");
}

using GetName = int (*)(int, sockaddr*, socklen_t*);

SocketAddress ask(GetName get_name, int fd, const char* what) {
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    auto* address = reinterpret_cast<sockaddr*>(&storage);
    if (get_name(fd, address, &size) != 0) {
        throw std::system_error(errno, std::generic_category(), what);
    }
    return {address, size};
}

}  // namespace

SocketAddress::SocketAddress() noexcept : unix_{}, size_(sizeof(sa_family_t)) {}

SocketAddress::SocketAddress(const sockaddr* address, socklen_t size) noexcept : unix_{}, size_(size) {
    std::memcpy(&unix_, address, std::min<std::size_t>(size, sizeof unix_));
}

SocketAddress SocketAddress::parse(std::string_view text) {
    constexpr std::string_view kUnix = "unix:";
    if (text.starts_with(kUnix)) return unix_path(text.substr(kUnix.size()));
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) throw_bad_address(text);
    std::string_view host = text.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        throw_bad_address(text);  // An IPv6 address needs brackets: its last part is no port.
    }
    const char* const end = text.data() + text.size();
    std::uint16_t port = 0;
    const auto parsed = std::from_chars(text.data() + colon + 1, end, port);
    if (parsed.ec != std::errc() || parsed.ptr != end) throw_bad_address(text);
    return ip(host, port);
}

SocketAddress SocketAddress::ip(std::string_view host, std::uint16_t port) {
    const std::string digits(host == "localhost" ? "127.0.0.1" : host == "*" ? "0.0.0.0" : host);
    SocketAddress address;
    if (::inet_pton(AF_INET, digits.c_str(), &address.v4_.sin_addr) == 1) {
        address.v4_.sin_family = AF_INET;
        address.v4_.sin_port = htons(port);
        address.size_ = sizeof address.v4_;
        return address;
    }
    address = SocketAddress();
    if (::inet_pton(AF_INET6, digits.c_str(), &address.v6_.sin6_addr) != 1) throw_bad_address(host);
    address.v6_.sin6_family = AF_INET6;
    address.v6_.sin6_port = htons(port);
    address.size_ = sizeof address.v6_;
    return address;
}

SocketAddress SocketAddress::loopback(std::uint16_t port) { return ip("127.0.0.1", port); }

SocketAddress SocketAddress::unix_path(std::string_view path) {
    SocketAddress address;
    if (path.empty() || path.size() >= sizeof address.unix_.sun_path) {
        throw std::invalid_argument("a Unix socket's path has 1 to 107 bytes");
    }
    address.unix_.sun_family = AF_UNIX;
    path.copy(address.unix_.sun_path, path.size());
    const bool abstract = path[0] == '@';
    if (abstract) address.unix_.sun_path[0] = '\0';
    // A path ends with a zero byte, which counts; an abstract name has none.
    address.size_ = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() +
                                           (abstract ? 0 : 1));
    return address;
}

SocketAddress SocketAddress::local_of(int fd) { return ask(&::getsockname, fd, "getsockname"); }

SocketAddress SocketAddress::peer_of(int fd) { return ask(&::getpeername, fd, "getpeername"); }

std::uint16_t SocketAddress::port() const noexcept {
    if (family() == AF_INET) return ntohs(v4_.sin_port);
    return family() == AF_INET6 ? ntohs(v6_.sin6_port) : std::uint16_t{0};
}

std::string SocketAddress::to_string() const {
    char text[INET6_ADDRSTRLEN] = "";
    switch (family()) {
        case AF_INET:
            ::inet_ntop(AF_INET, &v4_.sin_addr, text, sizeof text);
            return std::string(text) + ":" + std::to_string(port());
        case AF_INET6:
            ::inet_ntop(AF_INET6, &v6_.sin6_addr, text, sizeof text);
            return "[" + std::string(text) + "]:" + std::to_string(port());
        case AF_UNIX: {
            const std::size_t length = size_ - std::min<std::size_t>(size_, offsetof(sockaddr_un, sun_path));
            std::string path(unix_.sun_path, std::min(length, sizeof unix_.sun_path));
            if (!path.empty() && path[0] == '\0') {
                path[0] = '@';
            } else {
                path = path.c_str();  // Up to the zero byte.
            }
            return "unix:" + path;
        }
        default: return "no address";
    }
}

}  // namespace starling
