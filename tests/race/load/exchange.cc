#include "exchange.hh"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace starling_load {
namespace {

constexpr std::size_t kCheckedEchoBytes = 64;
constexpr std::string_view kStatusLine = "HTTP/1.1 200";

std::string request_of(const Options& options) {
    std::string text;
    if (options.echo) {
        for (std::size_t i = 0; i < options.size; ++i) text += static_cast<char>('a' + i % 26);
        return text;
    }
    text =
        (options.body == 0 ? "GET " : "POST ") + options.path + " HTTP/1.1\r\nHost: localhost\r\n";
    if (options.body > 0) text += "Content-Length: " + std::to_string(options.body) + "\r\n";
    return text + "\r\n" + std::string(options.body, 'x');
}

void send_all(int fd, std::string_view data) {
    while (!data.empty()) {
        const ssize_t sent = send(fd, data.data(), data.size(), MSG_NOSIGNAL);
        if (sent < 0) fail(std::string("the server refused the first request: ") + strerror(errno));
        data.remove_prefix(static_cast<std::size_t>(sent));
    }
}

// Size of the whole answer once `received` holds its header; 0 before.
std::size_t size_from_header(const std::string& received) {
    const std::size_t end = received.find("\r\n\r\n");
    if (end == std::string::npos) return 0;
    constexpr std::string_view kName = "\r\nContent-Length:";
    for (std::size_t i = 0; i < end; ++i) {
        if (strncasecmp(received.c_str() + i, kName.data(), kName.size()) == 0) {
            return end + 4 + std::strtoull(received.c_str() + i + kName.size(), nullptr, 10);
        }
    }
    fail("the server's answer has no Content-Length, which this generator needs");
}

}  // namespace

int connect_to(const Options& options) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail(std::string("no socket: ") + strerror(errno) + "; fewer --connections, or ulimit -n");
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(options.port);
    while (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) < 0) {
        if (errno == EINTR) continue;
        fail("cannot connect to 127.0.0.1:" + std::to_string(options.port) + ": " +
             strerror(errno) + "; is the server running?");
    }
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

Exchange::Exchange(const Options& options) {
    const std::string request = request_of(options);
    for (std::size_t i = 0; i < options.pipeline; ++i) batch_ += request;
    if (options.echo) {
        answer_size_ = request.size();
        checked_ = request.substr(0, kCheckedEchoBytes);
    } else {
        checked_ = kStatusLine;
        learn_answer(options, request);
    }
}

void Exchange::learn_answer(const Options& options, const std::string& request) {
    const int fd = connect_to(options);
    send_all(fd, request);
    std::string received;
    while (answer_size_ == 0 || received.size() < answer_size_) {
        char part[16384];
        const ssize_t size = recv(fd, part, sizeof part, 0);
        if (size <= 0) fail("the server closed the connection instead of answering");
        received.append(part, static_cast<std::size_t>(size));
        if (answer_size_ == 0) answer_size_ = size_from_header(received);
    }
    if (!received.starts_with(kStatusLine)) {
        fail("the server answered \"" + received.substr(0, received.find('\r')) + "\", not 200");
    }
    if (received.size() > answer_size_) fail("the answer is longer than its Content-Length");
    close(fd);
}

}  // namespace starling_load
