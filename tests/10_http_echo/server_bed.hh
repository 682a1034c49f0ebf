// What the tests of connections and servers share: real sockets, a virtual clock (a deadline of ten
// seconds passes in a millisecond), and a handler for each way to misbehave.
//
// Affinity: one thread.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <starling/executor.hh>
#include <starling/http_server.hh>
#include <starling/net_world.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/todo.hh>

namespace starling::testing_support {

/// Answers /at-once in place, /slow after three seconds, and echoes bodies that need a coroutine;
/// or does `instead`.
class SlowHandler final : public HttpHandler {
  public:
    bool answer(HttpExchange& x) override {
        if (x.head().path() != "/at-once") return false;
        x.send(200, "text/plain", "now");
        return true;
    }
    Task<> handle(HttpExchange& x) override {
        ++begun;
        if (instead) co_return co_await instead(x);
        const std::string path(x.head().path());
        if (path == "/throws") throw std::runtime_error("a handler's bug");
        if (path == "/silent") co_return;
        if (path == "/slow") co_await sleep(std::chrono::seconds(3));
        if (path == "/short") x.begin(200, "text/plain", 5);
        if (path == "/stream") {
            x.begin(200, "text/plain", {});
            co_await x.write("piece");
            co_return;
        }
        std::string body;
        for (;;) {
            const std::string_view piece = co_await x.read();
            if (piece.empty()) break;
            body += piece;
        }
        if (path == "/short") {
            co_await x.write("four");
        } else {
            x.send(200, "text/plain", body.empty() ? "later" : body);
        }
    }
    int begun = 0;
    std::function<Task<>(HttpExchange&)> instead;
};

inline Task<> pass(Duration time) { co_await sleep(time); }
/// Lets the server do what it can do now.
inline Task<> settle() { return pass(std::chrono::milliseconds(1)); }

/// One server on one shard, and clients that are plain sockets. A server that was not stopped, or
/// not to its end, lives until its tasks have ended: so the case says why it fails, and nothing
/// worse.
struct ServerBed {
    explicit ServerBed(HttpServerOptions options = {}) : inside_(new Inside(options)) {}
    ~ServerBed() {
        const bool failed = std::uncaught_exceptions() > 0;
        const bool at_work = inside_->at_work();
        if (at_work && detail::TodoRecords::instance().empty()) {
            ADD_FAILURE()
                << "the server was not stopped to its end; these tasks still run: "
                << this_executor("a ServerBed").live_task_names()
                << "\n  Ask yourself: what does each await in stop() throw, and when, and "
                   "what has not been done then?";
        }
        if (!at_work && !failed) return;
        auto keep = [inside = std::move(inside_)]() -> Task<> {
            try {
                Promise<void> never;
                co_await never.get_future();  // Until the test ends all tasks.
            } catch (const Cancelled&) {
            }
            Executor& executor = this_executor("a ServerBed");
            constexpr int kTurnsMax = 1000;
            for (int i = 0; i < kTurnsMax && executor.live_tasks() > 1; ++i) {
                co_await shield(yield());
            }
        };
        spawn(std::move(keep), {.name = "the server's keeper"}).detach();
    }
    ServerBed(const ServerBed&) = delete;

    PlainSocket connect() { return PlainSocket::connect(address_); }
    /// Whether its listener is not closed.
    bool has_listener() const {
        try {
            return server.local_address() == address_;
        } catch (const std::system_error&) {
            return false;
        }
    }
    /// The server's end of that client's connection; -1 if there is none.
    static int fd_to(const PlainSocket& client) {
        const SocketAddress address = SocketAddress::local_of(client.get());
        for (int fd = 0; fd < 1024; ++fd) {
            sockaddr_storage peer{};
            socklen_t size = sizeof peer;
            const bool connected =
                ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &size) == 0;
            if (connected && SocketAddress::peer_of(fd) == address) return fd;
        }
        return -1;
    }
    /// Whether the accept loop runs.
    static bool accepts() {
        const std::string tasks = this_executor("a ServerBed").live_task_names();
        return tasks.find("http accept") != tasks.npos;
    }
    /// The server's own, which a test may break; -1 if nobody listens there.
    int listening_fd() const {
        for (int fd = 0; fd < 1024; ++fd) {
            int listens = 0;
            socklen_t size = sizeof listens;
            const bool known =
                ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens != 0;
            if (known && SocketAddress::local_of(fd) == address_) return fd;
        }
        return -1;
    }

  private:
    struct Inside {
        explicit Inside(const HttpServerOptions& options) : server(handler, options) {}
        /// Whether there are tasks that refer to it.
        bool at_work() const { return server.open_connections() > 0 || accepts(); }
        SlowHandler handler;
        HttpServer server;
    };
    std::unique_ptr<Inside> inside_;

  public:
    SlowHandler& handler = inside_->handler;
    HttpServer& server = inside_->server;

  private:
    const SocketAddress address_ = server.local_address();
};

/// One connection without a server: 10.4 does not need 10.5.
struct ConnectionBed {
    explicit ConnectionBed(NetWorld& world, HttpLimits given = {})
        : ConnectionBed(world, given, tcp_pair()) {}
    ConnectionBed(NetWorld& world, HttpLimits given, std::pair<OwnedFd, PlainSocket> ends)
        : shared{{.limits = given, .handler = handler}},
          client(std::move(ends.second)),
          serving(spawn(HttpConnection(shared, TcpStream(world.driver(), std::move(ends.first))))) {
    }

    /// The client goes; waits until the connection has ended.
    Task<> end() {
        client.close();
        co_await std::move(serving);
    }

    SlowHandler handler;
    HttpConnections shared;
    PlainSocket client;
    JoinHandle<void> serving;
};

inline std::string get(std::string_view path) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
inline int count(const std::string& text, std::string_view what) {
    int n = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
}
inline std::string status(const std::string& answer) {
    return answer.empty() ? "nothing" : answer.substr(0, answer.find('\r'));
}

inline constexpr const char* kNothingYet = "nothing yet, and it is still connected";
/// The same of what the client gets now, `all` of it; or that it gets nothing.
inline std::string status_now(PlainSocket& client, std::string* all = nullptr) {
    const std::string got = client.received();
    if (all != nullptr) *all = got;
    if (!got.empty()) return status(got);
    const bool over = client.ended() || client.reset();
    return over ? "nothing, and the connection has ended" : kNothingYet;
}

#define STARLING_ON_ALL_DRIVERS(Suite)                                  \
    class Suite : public testing::TestWithParam<TestDriver> {};         \
    INSTANTIATE_TEST_SUITE_P(On, Suite, testing_support::all_drivers(), \
                             testing_support::driver_label)

}  // namespace starling::testing_support
