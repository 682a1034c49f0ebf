// Your runtime as a web site: a page for your browser, and one second of load that it puts on
// itself.
//
// Every shard has its own server and its own clients. The kernel decides whose server a client
// gets, so some of them talk to their own thread and some to another one.
//
// With a terminal the site stays until you press Enter; without one it ends after the load.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdio>
#include <exception>
#include <starling/executor.hh>
#include <starling/http_server.hh>
#include <starling/runtime.hh>
#include <starling/sharded.hh>
#include <starling/sleep.hh>
#include <starling/tcp_stream.hh>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace starling {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr unsigned kShards = 2;
constexpr int kClientsPerShard = 8;
constexpr std::string_view kHello = "hello\n";

class Site;

/// \affinity owner shard
class SiteHandler final : public HttpHandler {
  public:
    explicit SiteHandler(Sharded<Site>& sites) noexcept : sites_(sites) {}

    bool answer(HttpExchange& x) override {
        if (x.head().path() != "/hello") return false;
        x.send(200, "text/plain", kHello);
        return true;
    }
    Task<> handle(HttpExchange& x) override {
        if (x.head().path() == "/") {
            const std::string text = co_await page();
            x.send(200, "text/html", text);
        } else {
            x.send(404, "text/plain", "try / or /hello\n");
        }
    }

  private:
    Task<std::string> page();
    Sharded<Site>& sites_;  // Borrows: it owns this.
};

/// One shard's share of the site. \affinity owner shard
class Site {
  public:
    Site(Sharded<Site>* sites, SocketAddress address)
        : handler_(*sites), server_(handler_, {.address = address, .reuse_port = true}) {}

    Task<> stop() { return server_.stop(); }
    const HttpStats& stats() const noexcept { return server_.stats(); }
    double requests_per_s = 0;  // Measured by the load; for the page.

  private:
    SiteHandler handler_;
    HttpServer server_;
};

Task<std::string> SiteHandler::page() {
    constexpr std::array kLayers = {"future_promise", "task",     "waker",     "executor",
                                    "timers",         "channels", "io_driver", "networking",
                                    "smp_messaging",  "http_echo"};
    const double rate = sites_.local().requests_per_s;
    std::string text =
        "<!doctype html><meta charset=utf-8><title>Starling</title>"
        "<style>body{font:16px/1.6 system-ui;max-width:34em;margin:3em auto}</style>"
        "<h1>Your ten layers</h1><ol>";
    for (const char* layer : kLayers) text.append("<li>").append(layer);
    text += "</ol><p>Reload me: requests so far, by shard:";
    const auto counts = co_await sites_.invoke_on_all(
        [](Site& site) -> std::uint64_t { return site.stats().requests; });
    for (std::uint64_t count : counts)
        text.append(" <b>").append(std::to_string(count)).append("</b>");
    text += "<p>Under load, this machine answered " + std::to_string(static_cast<long>(rate)) +
            " requests per second, clients included.";
    co_return text;
}

// The load.

/// How long requests took: bucket i has those of less than 2^i microseconds. \affinity owner shard
struct Latencies {
    static constexpr std::size_t kBuckets = 18;
    std::array<std::uint64_t, kBuckets> counts{};
    std::uint64_t requests = 0;

    void add(Duration time, std::uint64_t n) noexcept {
        const auto us = std::chrono::duration_cast<microseconds>(time).count();
        const auto bucket =
            static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(us)));
        counts[std::min(bucket, kBuckets - 1)] += n;
        requests += n;
    }
    friend Latencies operator+(Latencies a, const Latencies& b) noexcept {
        for (std::size_t i = 0; i < kBuckets; ++i) a.counts[i] += b.counts[i];
        a.requests += b.requests;
        return a;
    }
};

// Sends `text` and reads until as many answers are here as it has requests. The lines of a head end
// with CR LF, so an LF without CR is the end of a body.
Task<> round_trip(TcpStream& stream, std::string_view text, int answers) {
    co_await stream.write_all(text);
    char before = 0;
    while (answers > 0) {
        const bool open = co_await stream.readable();
        if (!open) throw std::runtime_error("the server has closed the connection");
        const std::string_view got = stream.buffered();
        for (char c : got) {
            answers -= c == '\n' && before != '\r';
            before = c;
        }
        stream.consume(got.size());
    }
}

Task<> client(SocketAddress address, int at_once, TimePoint end, Latencies& latencies) {
    std::string text;
    for (int i = 0; i < at_once; ++i) text += "GET /hello HTTP/1.1\r\nHost: starling\r\n\r\n";
    const Clock& clock = Clock::steady();
    TcpStream stream = co_await TcpStream::connect(address);
    stream.set_read_deadline(end + std::chrono::seconds(2));
    for (TimePoint now = clock.now(); now < end;) {
        co_await round_trip(stream, text, at_once);
        const TimePoint then = std::exchange(now, clock.now());
        latencies.add(now - then, static_cast<std::uint64_t>(at_once));
    }
    co_await stream.close();
}

/// This shard's clients, until `end`.
Task<Latencies> clients(SocketAddress address, int at_once, TimePoint end) {
    Latencies latencies;
    std::vector<JoinHandle<void>> running;
    for (int i = 0; i < kClientsPerShard; ++i) {
        running.push_back(spawn(client(address, at_once, end, latencies), {.name = "client"}));
    }
    for (JoinHandle<void>& handle : running) co_await std::move(handle);
    co_return latencies;
}

/// All shards' clients, each with `at_once` requests on its way.
Task<Latencies> load(SocketAddress address, int at_once, Duration time) {
    const TimePoint end = Clock::steady().now() + time;
    const auto all = co_await invoke_on_all([=] { return clients(address, at_once, end); });
    Latencies sum;
    for (const Latencies& one : all) sum = sum + one;
    co_return sum;
}

double per_second(const Latencies& l, Duration time) {
    return static_cast<double>(l.requests) / std::chrono::duration<double>(time).count();
}

void print_histogram(const Latencies& l) {
    const std::uint64_t most = std::max<std::uint64_t>(1, *std::ranges::max_element(l.counts));
    std::uint64_t so_far = 0;
    for (std::size_t i = 0; i < Latencies::kBuckets; ++i) {
        so_far += l.counts[i];
        if (l.counts[i] == 0) continue;
        const auto width = static_cast<int>(1 + l.counts[i] * 39 / most);
        const bool last = i == Latencies::kBuckets - 1;
        std::printf("  %s %6d us %8llu %6.2f%%  %s\n", last ? "more, >" : "less than",
                    1 << (last ? i - 1 : i), static_cast<unsigned long long>(l.counts[i]),
                    100.0 * static_cast<double>(so_far) / static_cast<double>(l.requests),
                    std::string(static_cast<std::size_t>(width), '#').c_str());
    }
}

struct ShardLine {
    HttpStats http;
    std::uint64_t syscalls = 0;
};

void print_shards(const std::vector<ShardLine>& lines) {
    std::printf("\n  shard  connections   requests   bytes out  system calls per request\n");
    for (std::size_t i = 0; i < lines.size(); ++i) {
        const HttpStats& http = lines[i].http;
        std::printf("  %5zu %12llu %10llu %11llu %12.3f (its clients' too)\n", i,
                    static_cast<unsigned long long>(http.connections),
                    static_cast<unsigned long long>(http.requests),
                    static_cast<unsigned long long>(http.bytes_out),
                    static_cast<double>(lines[i].syscalls) /
                        static_cast<double>(std::max<std::uint64_t>(1, http.requests)));
    }
}

/// Waits for a key without holding anybody up: the page is served meanwhile.
Task<> wait_for_enter() {
    pollfd key{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    while (::poll(&key, 1, 0) == 0) co_await sleep(milliseconds(50));
}

Task<> measure(Sharded<Site>& sites, SocketAddress address) {
    constexpr Duration kOneByOne = milliseconds(600);
    constexpr Duration kPipelined = milliseconds(400);
    constexpr int kDepth = 16;
    const Latencies single = co_await load(address, 1, kOneByOne);
    const double rate = per_second(single, kOneByOne);
    std::printf("%u clients, each asks and waits for the answer: %.0f requests per second\n\n",
                kShards * kClientsPerShard, rate);
    print_histogram(single);
    const Latencies pipelined = co_await load(address, kDepth, kPipelined);
    const double pipelined_rate = per_second(pipelined, kPipelined);
    std::printf(
        "\nThe same with %d requests at once (pipelining): %.0f per second, %.1f times as many\n",
        kDepth, pipelined_rate, pipelined_rate / std::max(1.0, rate));
    co_await sites.invoke_on_all([=](Site& site) { site.requests_per_s = rate; });
    print_shards(co_await sites.invoke_on_all([](Site& site) {
        return ShardLine{site.stats(), this_driver("demo").stats().syscalls()};
    }));
}

Task<> demo() {
    // Takes a free port that the shards then share; gone before the first client comes.
    TcpListener reservation = TcpListener::bind(SocketAddress::loopback(), {.reuse_port = true});
    const SocketAddress address = reservation.local_address();
    Sharded<Site> sites;
    co_await sites.start(&sites, address);
    co_await reservation.close();
    std::printf("Your site: http://%s/  (%u shards, %s)\n\n", address.to_string().c_str(), kShards,
                this_driver("demo").name());
    std::fflush(stdout);
    std::exception_ptr error;
    try {
        co_await measure(sites, address);
        if (::isatty(STDIN_FILENO) != 0) {
            std::printf("\nOpen http://%s/ in a browser. Enter ends the site.\n",
                        address.to_string().c_str());
            std::fflush(stdout);
            co_await wait_for_enter();
        }
    } catch (...) {
        error = std::current_exception();
    }
    co_await sites.stop();
    if (error != nullptr) std::rethrow_exception(error);
}

}  // namespace
}  // namespace starling

int main() {
    using namespace starling;
    try {
        Runtime::builder().shards(kShards).stop_on_signals().build().run(demo());
    } catch (const std::exception& error) {
        std::fprintf(stderr, "demo: %s\n", error.what());
        return 1;
    }
}
