// http_echo: the finished runtime as a program.
//
//     http_echo --port 8080 --shards 2 --driver auto
//
//     GET  /         a page that lists the ten layers
//     any  /echo     the request's body; a GET without one gets itself
//     GET  /health   "ok"
//     GET  /stats    counters of every shard, as JSON
//
// Every shard has its own listener, connections and counters; only /stats asks the others.
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <starling/http_server.hh>
#include <starling/runtime.hh>
#include <starling/sharded.hh>
#include <string>
#include <system_error>

namespace {

using namespace starling;

struct Options {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8080;
    unsigned shards = 0;
    DriverKind driver = DriverKind::automatic;
    HttpLimits limits;
};

constexpr const char* kUsage =
    "usage: http_echo [--option value]...\n"
    "  --host ADDRESS      an address in digits, localhost, or * for all (127.0.0.1)\n"
    "  --port N            0 lets the system choose (8080)\n"
    "  --shards N          threads; 0 for one per CPU (0)\n"
    "  --driver NAME       io_uring, epoll, or auto: io_uring where it works, else epoll (auto)\n"
    "  --max-body BYTES    a longer body is refused with 413 (1073741824)\n"
    "  --head-timeout MS   for a whole request head, else 408 (10000)\n"
    "  --body-timeout MS   for each next piece of a body, else 408 (30000)\n"
    "  --write-timeout MS  for the client to take what it is sent (30000)\n"
    "  --idle-timeout MS   between two requests (60000)\n";

[[noreturn]] void fail(const std::string& sentence) {
    std::fprintf(stderr, "http_echo: %s\n", sentence.c_str());
    std::exit(2);
}

template <class N>
N number(std::string_view name, std::string_view text, N max) {
    N value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value > max) {
        fail(std::string(name) + " takes a number from 0 to " + std::to_string(max) + ", not '" +
             std::string(text) + "'");
    }
    return value;
}

DriverKind driver_kind(std::string_view text) {
    if (text == "auto") return DriverKind::automatic;
    if (text == "io_uring") return DriverKind::io_uring;
    if (text == "epoll") return DriverKind::epoll;
    fail("--driver takes auto, io_uring or epoll, not '" + std::string(text) + "'");
}

Options parse(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view name = argv[i];
        auto value = [&]() -> std::string_view {
            if (i + 1 == argc) fail(std::string(name) + " needs a value; --help says which");
            return argv[++i];
        };
        auto milliseconds = [&] {
            return std::chrono::milliseconds(number<std::uint32_t>(name, value(), 86'400'000));
        };
        if (name == "--help" || name == "-h") {
            std::fputs(kUsage, stdout);
            std::exit(0);
        } else if (name == "--host") {
            options.host = value();
        } else if (name == "--port") {
            options.port = number<std::uint16_t>(name, value(), 65535);
        } else if (name == "--shards") {
            options.shards = number<unsigned>(name, value(), 256);
        } else if (name == "--driver") {
            options.driver = driver_kind(value());
        } else if (name == "--max-body") {
            options.limits.body_bytes_max = number<std::uint64_t>(name, value(), 1ULL << 60);
        } else if (name == "--head-timeout") {
            options.limits.head_timeout = milliseconds();
        } else if (name == "--body-timeout") {
            options.limits.body_timeout = milliseconds();
        } else if (name == "--write-timeout") {
            options.limits.write_timeout = milliseconds();
        } else if (name == "--idle-timeout") {
            options.limits.idle_timeout = milliseconds();
        } else {
            fail("there is no option '" + std::string(name) + "'; --help lists them");
        }
    }
    return options;
}

SocketAddress listen_address(const Options& options) {
    try {
        return SocketAddress::ip(options.host, options.port);
    } catch (const std::invalid_argument&) {
        fail("--host takes 127.0.0.1, ::1 and the like, localhost or *, not '" + options.host +
             "'; the port is --port's");
    }
}

constexpr std::string_view kPage =
    "<!doctype html><meta charset=utf-8><title>Starling</title>"
    "<style>body{font:16px/1.6 system-ui;max-width:34em;margin:3em auto;padding:0 1em}"
    "b{display:inline-block;width:9.5em}</style>"
    "<h1>Starling</h1><p>This page came through ten layers:</p><ol>"
    "<li><b>future_promise</b>a value that arrives later"
    "<li><b>task</b>a function stops in the middle"
    "<li><b>waker</b>any thread may say \"go on\""
    "<li><b>executor</b>many tasks share a thread"
    "<li><b>timers</b>a million tasks sleep cheaply"
    "<li><b>channels</b>fast tasks wait for slow ones"
    "<li><b>io_driver</b>the kernel works meanwhile"
    "<li><b>networking</b>straight-line connections"
    "<li><b>smp_messaging</b>shards share nothing"
    "<li><b>http_echo</b>and this</ol>"
    "<p><a href=/stats>/stats</a> <a href=/health>/health</a> <a href=/echo>/echo</a>";

/// The request as the client sent it, with the spaces tidied up.
std::string describe(const RequestHead& head) {
    std::string text;
    text.append(head.method).append(" ").append(head.target).append("\n");
    for (const auto& [name, value] : head.fields) {
        text.append(name).append(": ").append(value).append("\n");
    }
    return text;
}

bool is_get(const RequestHead& head) noexcept {
    return head.method == "GET" || head.method == "HEAD";
}

class EchoServer;

/// \affinity owner shard
class EchoHandler final : public HttpHandler {
  public:
    explicit EchoHandler(Sharded<EchoServer>& servers) noexcept : servers_(servers) {}

    bool answer(HttpExchange& x) override {
        const std::string_view path = x.head().path();
        const bool get = is_get(x.head());
        if (path == "/echo" && get && x.body().empty()) {
            x.send(200, "text/plain", describe(x.head()));
        } else if (path == "/echo") {
            x.send(200, "application/octet-stream", x.body());
        } else if (path == "/health" && get) {
            x.send(200, "text/plain", "ok\n");
        } else if (path == "/" && get) {
            x.send(200, "text/html", kPage);
        } else {
            return false;
        }
        return true;
    }

    // What has to wait for its body or for the other shards, and what is rare.
    Task<> handle(HttpExchange& x) override {
        const std::string_view path = x.head().path();
        if (path == "/echo") {
            // The first piece before the answer: until then an error can still be told.
            std::string_view piece = co_await x.read();
            x.begin(200, "application/octet-stream", x.length());
            while (!piece.empty()) {
                co_await x.write(piece);
                piece = co_await x.read();
            }
        } else if (path != "/" && path != "/health" && path != "/stats") {
            x.send(404, "text/plain", "try /, /echo, /health or /stats\n");
        } else if (!is_get(x.head())) {
            x.send(405, "text/plain", "this path answers GET only\n", "Allow: GET, HEAD\r\n");
        } else if (path == "/stats") {
            const std::string stats = co_await stats_of_all();
            x.send(200, "application/json", stats);
        } else {
            answer(x);  // As ever: nobody reads the body that is under way.
        }
    }

  private:
    Task<std::string> stats_of_all();

    Sharded<EchoServer>& servers_;  // Borrows: it owns this.
};

/// One shard's server and its handler. \affinity owner shard
class EchoServer {
  public:
    EchoServer(Sharded<EchoServer>* servers, const HttpServerOptions& options)
        : handler_(*servers), server_(handler_, options) {}

    Task<> stop() { return server_.stop(); }
    SocketAddress address() const { return server_.local_address(); }

    /// This shard's counters, as a JSON object.
    std::string stats() const {
        const HttpStats& http = server_.stats();
        const Driver& driver = this_driver("stats");
        char text[512];
        std::snprintf(text, sizeof text,
                      "{\"shard\": %u, \"driver\": \"%s\", \"requests\": %llu, \"errors\": %llu, "
                      "\"connections\": %llu, \"open\": %zu, \"bytes_in\": %llu, "
                      "\"bytes_out\": %llu, \"syscalls\": %llu}",
                      this_shard(), driver.name(), as_ull(http.requests), as_ull(http.errors),
                      as_ull(http.connections), server_.open_connections(), as_ull(http.bytes_in),
                      as_ull(http.bytes_out), as_ull(driver.stats().syscalls()));
        return text;
    }

  private:
    static unsigned long long as_ull(std::uint64_t n) noexcept { return n; }
    EchoHandler handler_;
    HttpServer server_;
};

Task<std::string> EchoHandler::stats_of_all() {
    std::string text = co_await servers_.map_reduce(
        [](EchoServer& server) { return server.stats(); }, std::string(),
        [](std::string all, std::string one) {
            return all + (all.empty() ? "{\"shards\": [\n  " : ",\n  ") + one;
        });
    co_return text + "\n]}\n";
}

/// Holds a port for all shards: bound, but not listening, so no connection can land here. Shards
/// share their address; `bind` goes without that, so that no other process is joined by mistake.
class PortReservation {
  public:
    explicit PortReservation(const SocketAddress& address)
        : fd_(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        if (fd_.get() < 0 || !set(SO_REUSEADDR) ||
            ::bind(fd_.get(), address.data(), address.size()) != 0 || !set(SO_REUSEPORT)) {
            throw std::system_error(errno, std::system_category(),
                                    "cannot listen on " + address.to_string());
        }
    }
    SocketAddress address() const { return SocketAddress::local_of(fd_.get()); }

  private:
    bool set(int option) noexcept {
        const int on = 1;
        return ::setsockopt(fd_.get(), SOL_SOCKET, option, &on, sizeof on) == 0;
    }
    OwnedFd fd_;
};

Task<> serve(SocketAddress address, const Options& options, StopHandle stop) {
    std::optional<PortReservation> reservation(address);
    Sharded<EchoServer> servers;
    co_await servers.start(&servers, HttpServerOptions{.address = reservation->address(),
                                                       .reuse_port = shard_count() > 1,
                                                       .limits = options.limits,
                                                       .on_failure = [=] { stop.stop(); }});
    reservation.reset();
    const Driver& driver = this_driver("serve");
    if (!driver.note().empty()) std::fprintf(stderr, "http_echo: %s\n", driver.note().c_str());
    std::printf("listening on http://%s, %u shard%s, %s\n",
                servers.local().address().to_string().c_str(), shard_count(),
                shard_count() == 1 ? "" : "s", driver.name());
    std::fflush(stdout);
    try {
        co_await park();  // Until a signal stops this task, or a shard that cannot accept.
    } catch (const Cancelled&) {
    }
    co_await servers.stop();
}

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse(argc, argv);
    try {
        const SocketAddress address = listen_address(options);
        Runtime runtime = Runtime::builder()
                              .shards(options.shards)
                              .driver(options.driver)
                              .thread_name("http_echo")
                              .stop_on_signals()
                              .build();
        runtime.run(serve(address, options, runtime.stop_handle()));
    } catch (const std::exception& e) {
        fail(e.what());
    }
}
