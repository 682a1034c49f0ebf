// What both floors share: their options, the listening socket, the answer, and finding the end of
// a request. A floor is the least a server can do on this kernel: no tasks, no timers, no limits,
// no parsing beyond the blank line that ends a request. What a real server costs is the distance
// from it (./workshop race).
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace starling_floor {

// The same header fields and body as http_echo's /health, byte for byte but for the time.
inline constexpr std::string_view kResponse =
    "HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Type: text/plain\r\n"
    "Content-Length: 3\r\n\r\nok\n";
// As many pipelined requests are answered by one send.
inline constexpr std::size_t kCoalesced = 64;

inline std::string repeated_response() {
    std::string block;
    for (std::size_t i = 0; i < kCoalesced; ++i) block += kResponse;
    return block;
}

struct Options {
    bool echo = false;  // Send back what comes, instead of answering HTTP.
    std::uint16_t port = 0;
};

[[noreturn]] inline void fail(const char* operation, int error) {
    std::fprintf(stderr, "floor: %s: %s\n", operation, std::strerror(error));
    std::exit(1);
}

inline Options parse_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--mode") {
            options.echo = std::string_view(argv[i + 1]) == "echo";
        } else if (name == "--port") {
            options.port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
        } else {
            std::fprintf(stderr, "usage: %s [--mode http|echo] [--port N, 0 for any]\n", argv[0]);
            std::exit(2);
        }
    }
    return options;
}

// A listening socket on loopback; prints the port. Accepted sockets inherit TCP_NODELAY.
inline int listen_on_loopback(std::uint16_t port, int extra_flags) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | extra_flags, 0);
    if (fd < 0) fail("socket", errno);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) fail("bind", errno);
    if (listen(fd, 4096) < 0) fail("listen", errno);
    socklen_t size = sizeof address;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    std::printf("port %u\n", ntohs(address.sin_port));
    std::fflush(stdout);
    return fd;
}

inline volatile sig_atomic_t stop_requested = 0;

inline void stop_on_signals() {
    struct sigaction action {};
    action.sa_handler = [](int) { stop_requested = 1; };
    sigaction(SIGTERM, &action, nullptr);
    sigaction(SIGINT, &action, nullptr);
}

// The last line of output: the harness divides one by the other.
inline void print_totals(std::uint64_t answers, std::uint64_t syscalls) {
    std::printf("{\"answers\": %llu, \"syscalls\": %llu}\n",
                static_cast<unsigned long long>(answers),
                static_cast<unsigned long long>(syscalls));
}

// Counts the blank lines that end requests, also those split between two reads.
class RequestEnds {
  public:
    std::size_t count(const char* data, std::size_t size) {
        std::size_t found = 0;
        if (carry_size_ != 0) {
            char seam[2 * kOverlap];
            const std::size_t head = size < kOverlap ? size : kOverlap;
            std::memcpy(seam, carry_, carry_size_);
            std::memcpy(seam + carry_size_, data, head);
            found += ends_within(seam, carry_size_ + head);
        }
        found += ends_within(data, size);
        keep_tail(data, size);
        return found;
    }

  private:
    static constexpr std::size_t kOverlap = 3;  // A blank line has four bytes.

    // No early exits: the compiler turns this loop into vector code.
    static std::size_t ends_within(const char* p, std::size_t size) {
        std::size_t found = 0;
        for (std::size_t i = 0; i + kOverlap < size; ++i) {
            found += static_cast<std::size_t>((p[i] == '\r') & (p[i + 1] == '\n') &
                                              (p[i + 2] == '\r') & (p[i + 3] == '\n'));
        }
        return found;
    }

    void keep_tail(const char* data, std::size_t size) {
        if (size >= 4 && std::memcmp(data + size - 4, "\r\n\r\n", 4) == 0) {
            carry_size_ = 0;  // The usual case: the read ends where a request ends.
            return;
        }
        char both[2 * kOverlap];
        std::size_t n = 0;
        if (size < kOverlap) {
            std::memcpy(both, carry_, carry_size_);
            n = carry_size_;
        }
        const std::size_t take = size < kOverlap ? size : kOverlap;
        std::memcpy(both + n, data + size - take, take);
        n += take;
        carry_size_ = n < kOverlap ? n : kOverlap;
        std::memcpy(carry_, both + n - carry_size_, carry_size_);
    }

    char carry_[kOverlap] = {};
    std::size_t carry_size_ = 0;
};

}  // namespace starling_floor
