#include <arpa/inet.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <starling/io_op.hh>
#include <starling/socket_address.hh>
#include <stdexcept>

namespace starling {
namespace {

[[noreturn]] void throw_bad_address(std::string_view text) {
    throw std::invalid_argument(
        "\"" + std::string(text) +
        "\" is no address; a host is 127.0.0.1, ::1, localhost or *, with a port 127.0.0.1:8080 or "
        "[::1]:8080, and a Unix socket is a path of at most 107 bytes, unix:/path");
}

}  // namespace

SocketAddress SocketAddress::parse(std::string_view text) {
    if (text.starts_with("unix:")) return unix_path(text.substr(5));
    const std::size_t colon = text.rfind(':');
    std::string_view host = text.substr(0, colon);
    const bool brackets = host.starts_with('[') && host.ends_with(']');
    if (brackets) host = host.substr(1, host.size() - 2);
    // An IPv6 address needs brackets: its last part is no port.
    if (brackets != (host.find(':') != std::string_view::npos)) throw_bad_address(text);
    const std::string_view digits = text.substr(colon + 1);
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(digits.begin(), digits.end(), port);
    if (error != std::errc() || end != digits.end()) throw_bad_address(text);
    return ip(host, port);
}

SocketAddress SocketAddress::ip(std::string_view host, std::uint16_t port) {
    const std::string digits(host == "localhost" ? "127.0.0.1" : host == "*" ? "0.0.0.0" : host);
    const bool six = digits.find(':') != std::string::npos;
    SocketAddress address;
    address.any_.sa_family = six ? AF_INET6 : AF_INET;
    address.v4_.sin_port = htons(port);
    address.size_ = six ? sizeof address.v6_ : sizeof address.v4_;
    auto* const bytes = const_cast<void*>(address.ip_bytes());
    if (::inet_pton(address.family(), digits.c_str(), bytes) != 1) throw_bad_address(host);
    return address;
}

SocketAddress SocketAddress::unix_path(std::string_view path) {
    SocketAddress address;
    if (path.empty() || path.size() >= sizeof address.unix_.sun_path) throw_bad_address(path);
    address.unix_.sun_family = AF_UNIX;
    path.copy(address.unix_.sun_path, path.size());
    const bool abstract = path[0] == '@';
    if (abstract) address.unix_.sun_path[0] = '\0';
    // A path ends with a zero byte, which counts; an abstract name has none.
    address.size_ = socklen_t{offsetof(sockaddr_un, sun_path)} + socklen_t(path.size()) + !abstract;
    return address;
}

SocketAddress SocketAddress::ask(const char* call, decltype(::getsockname)& get_name, int fd) {
    SocketAddress address;
    address.size_ = sizeof address.unix_;
    detail::checked(call, get_name(fd, &address.any_, &address.size_));
    return address;
}

std::string SocketAddress::to_string() const {
    if (family() == AF_UNSPEC) return "no address";
    if (is_unix()) {
        // The kernel counts a zero byte for which there may have been no room.
        const std::size_t size = std::min<std::size_t>(size_, sizeof unix_);
        std::string path(unix_.sun_path, size - offsetof(sockaddr_un, sun_path));
        if (path.starts_with('\0')) path[0] = '@';
        return "unix:" + path.substr(0, path.find('\0'));
    }
    char host[INET6_ADDRSTRLEN];
    ::inet_ntop(family(), ip_bytes(), host, sizeof host);
    const std::string name = family() == AF_INET ? host : "[" + std::string(host) + "]";
    return name + ":" + std::to_string(port());
}

int detail::checked(const char* call, int result) {
    if (result < 0) throw_io_error(call, -errno);
    return result;
}

OwnedFd detail::open_socket(const SocketAddress& address, int type) {
    return OwnedFd(checked("socket", ::socket(address.family(), type | SOCK_CLOEXEC, 0)));
}

void detail::set_option(int fd, int level, int name, int value) {
    checked("setsockopt", ::setsockopt(fd, level, name, &value, sizeof value));
}

}  // namespace starling
