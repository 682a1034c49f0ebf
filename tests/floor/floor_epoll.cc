// The epoll floor: how fast one thread can answer on this kernel by readiness.
//
//   epoll_wait ──► for each ready connection: one read, one write ──► epoll_wait
//
// Level-triggered, one read an event (a short read says that the socket is empty, so nothing is
// asked twice), the answer written at once from where it was read. Only a connection whose peer
// does not take its answers waits for EPOLLOUT, and is not read meanwhile. Source: epoll(7),
// epoll_ctl(2).
#include <sys/epoll.h>

#include <cerrno>
#include <vector>

#include "floor.hh"

namespace {

using namespace starling_floor;

constexpr int kEvents = 512;
constexpr std::size_t kReadSize = 65536;

struct Connection {
    int fd = -1;
    std::uint64_t owed = 0;     // HTTP: answers not sent yet.
    std::size_t part_sent = 0;  // HTTP: bytes of the first of them that are out already.
    RequestEnds ends;
    std::string rest;  // Echo: what the socket did not take.
};

class Server {
  public:
    explicit Server(const Options& options) : echo_(options.echo), input_(kReadSize) {
        poll_ = epoll_create1(EPOLL_CLOEXEC);
        if (poll_ < 0) fail("epoll_create1", errno);
        listener_ = listen_on_loopback(options.port, SOCK_NONBLOCK);
        watch(EPOLL_CTL_ADD, listener_, EPOLLIN, nullptr);
    }

    void run() {
        std::vector<epoll_event> events(kEvents);
        while (stop_requested == 0) {
            ++syscalls_;
            const int count = epoll_wait(poll_, events.data(), kEvents, -1);
            for (int i = 0; i < count; ++i) {
                const epoll_event& event = events[static_cast<std::size_t>(i)];
                if (event.data.ptr == nullptr) {
                    accept_all();
                } else {
                    serve(*static_cast<Connection*>(event.data.ptr), event.events);
                }
            }
        }
        print_totals(answers_, syscalls_);
    }

  private:
    void watch(int operation, int fd, std::uint32_t wanted, Connection* connection) {
        epoll_event event{};
        event.events = wanted;
        event.data.ptr = connection;
        ++syscalls_;
        if (epoll_ctl(poll_, operation, fd, &event) < 0) fail("epoll_ctl", errno);
    }

    void accept_all() {
        for (;;) {
            ++syscalls_;
            const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
            if (fd < 0) return;
            auto* connection = new Connection;
            connection->fd = fd;
            watch(EPOLL_CTL_ADD, fd, EPOLLIN, connection);
        }
    }

    void serve(Connection& connection, std::uint32_t ready) {
        if ((ready & EPOLLOUT) != 0) {
            if (!write_pending(connection)) return end(connection);
            if (is_idle(connection)) watch(EPOLL_CTL_MOD, connection.fd, EPOLLIN, &connection);
            return;
        }
        ++syscalls_;
        const ssize_t size = read(connection.fd, input_.data(), input_.size());
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (size <= 0) return end(connection);
        if (!answer(connection, static_cast<std::size_t>(size))) return end(connection);
        if (!is_idle(connection)) watch(EPOLL_CTL_MOD, connection.fd, EPOLLOUT, &connection);
    }

    // False when the connection is broken; here and below.
    bool answer(Connection& connection, std::size_t size) {
        if (!echo_) {
            connection.owed += connection.ends.count(input_.data(), size);
            return write_pending(connection);
        }
        ++answers_;
        const ssize_t sent = write_some(connection, input_.data(), size);
        if (sent < 0) return false;
        connection.rest.assign(input_.data() + sent, size - static_cast<std::size_t>(sent));
        return true;
    }

    bool write_pending(Connection& connection) {
        if (!connection.rest.empty()) {
            const ssize_t sent =
                write_some(connection, connection.rest.data(), connection.rest.size());
            if (sent < 0) return false;
            connection.rest.erase(0, static_cast<std::size_t>(sent));
        }
        while (connection.owed > 0) {
            const auto count = connection.owed < kCoalesced ? connection.owed : kCoalesced;
            const std::size_t wanted = count * kResponse.size() - connection.part_sent;
            const ssize_t sent =
                write_some(connection, responses_.data() + connection.part_sent, wanted);
            if (sent < 0) return false;
            const std::size_t done = connection.part_sent + static_cast<std::size_t>(sent);
            connection.owed -= done / kResponse.size();
            answers_ += done / kResponse.size();
            connection.part_sent = done % kResponse.size();
            if (static_cast<std::size_t>(sent) < wanted) return true;
        }
        return true;
    }

    ssize_t write_some(const Connection& connection, const char* data, std::size_t size) {
        ++syscalls_;
        const ssize_t sent = send(connection.fd, data, size, MSG_NOSIGNAL);
        return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
    }

    static bool is_idle(const Connection& connection) {
        return connection.owed == 0 && connection.rest.empty();
    }

    static void end(Connection& connection) {
        close(connection.fd);
        delete &connection;
    }

    const bool echo_;
    int poll_ = -1;
    int listener_ = -1;
    std::vector<char> input_;  // Shared: what was read is answered before the next read.
    const std::string responses_ = repeated_response();
    std::uint64_t answers_ = 0;
    std::uint64_t syscalls_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse_options(argc, argv);
    stop_on_signals();
    Server(options).run();
}
