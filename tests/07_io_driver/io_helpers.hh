// What the cases on real kernels share: connected pairs, listeners, counting descriptors.
//
// Affinity: one thread.
#pragma once

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <starling/io_op.hh>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace starling::testing_support {

[[noreturn]] inline void fail_setup(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

/// Two ends of a stream.
inline std::pair<OwnedFd, OwnedFd> stream_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0) {
        fail_setup("socketpair");
    }
    return {OwnedFd(ends[0]), OwnedFd(ends[1])};
}

inline OwnedFd tcp_socket() {
    OwnedFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) fail_setup("socket");
    return fd;
}

/// A listening socket on loopback, on a port of the kernel's choice.
struct Listener {
    explicit Listener(int backlog = 128) : fd(tcp_socket()) {
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof address;
        if (::bind(fd.get(), generic(), size) < 0) fail_setup("bind");
        if (::getsockname(fd.get(), generic(), &size) < 0) fail_setup("getsockname");
        if (backlog > 0 && ::listen(fd.get(), backlog) < 0) fail_setup("listen");
    }
    sockaddr* generic() noexcept { return reinterpret_cast<sockaddr*>(&address); }
    /// A connection to it, made by a blocking call.
    OwnedFd connect() {
        OwnedFd client = tcp_socket();
        if (::connect(client.get(), generic(), sizeof address) < 0) fail_setup("connect");
        return client;
    }

    sockaddr_in address{};
    OwnedFd fd;
};

inline std::span<const std::byte> as_bytes(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Bytes by which one sees where they come from.
inline std::vector<std::byte> pattern(std::size_t size) {
    std::vector<std::byte> bytes(size);
    for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 131 + i / 251);
    return bytes;
}

/// Open descriptors of this process.
inline int count_fds() {
    DIR* dir = ::opendir("/proc/self/fd");
    if (dir == nullptr) fail_setup("/proc/self/fd");
    int count = -3;  // ".", "..", and the directory itself.
    while (::readdir(dir) != nullptr) ++count;
    ::closedir(dir);
    return count;
}

}  // namespace starling::testing_support
