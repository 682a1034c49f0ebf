// 10.4 and 10.5: a server against real sockets: deadlines, and a stop that finishes what it began.
// The clock is virtual: a deadline of ten seconds passes in a millisecond.
#include <gtest/gtest.h>

#include <starling/executor.hh>
#include <starling/http_server.hh>
#include <starling/net_world.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>

namespace starling {
namespace {

using std::chrono::seconds;
using testing_support::NetWorld;
using testing_support::open_fds;
using testing_support::PlainSocket;
using testing_support::Story;
using testing_support::TestDriver;

/// Answers /at-once in place, /slow after three seconds, and echoes bodies that need a coroutine.
class SlowHandler final : public HttpHandler {
  public:
    bool answer(HttpExchange& x) override {
        if (x.head().path() != "/at-once") return false;
        x.send(200, "text/plain", "now");
        return true;
    }
    Task<> handle(HttpExchange& x) override {
        ++begun;
        const std::string path(x.head().path());
        if (path == "/throws") throw std::runtime_error("a handler's bug");
        if (path == "/silent") co_return;
        if (path == "/slow") co_await sleep(seconds(3));
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
};

Task<> pass(Duration time) { co_await sleep(time); }
/// Lets the server do what it can do now.
Task<> settle() { return pass(std::chrono::milliseconds(1)); }

/// One server on one shard, and clients that are plain sockets.
struct ServerBed {
    explicit ServerBed(HttpServerOptions options = {}) : server(handler, options) {}

    PlainSocket connect() { return PlainSocket::connect(server.local_address()); }

    SlowHandler handler;
    HttpServer server;
};

/// One connection without a server: 10.4 does not need 10.5.
struct ConnectionBed {
    explicit ConnectionBed(NetWorld& world, HttpLimits given = {})
        : ConnectionBed(world, given, testing_support::tcp_pair()) {}
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

std::string get(std::string_view path) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a\r\n\r\n";
}
int count(const std::string& text, std::string_view what) {
    int n = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
}
std::string status(const std::string& answer) {
    return answer.empty() ? "nothing" : answer.substr(0, answer.find('\r'));
}

#define STARLING_ON_ALL_DRIVERS(Suite)                                  \
    class Suite : public testing::TestWithParam<TestDriver> {};         \
    INSTANTIATE_TEST_SUITE_P(On, Suite, testing_support::all_drivers(), \
                             testing_support::driver_label)

STARLING_ON_ALL_DRIVERS(Ex10_3_Connection);
STARLING_ON_ALL_DRIVERS(Ex10_4_Deadlines);
STARLING_ON_ALL_DRIVERS(Ex10_5_Serve);
STARLING_ON_ALL_DRIVERS(Ex10_5_Stop);

TEST_P(Ex10_4_Deadlines, SlowHeadIsRefusedHoweverOftenItSendsAByte) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("one byte a second: does every byte buy it a new deadline?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world, {.head_timeout = seconds(10)});
        PlainSocket& client = bed.client;
        client.send("G");
        story.step("a client sends one byte of a head every second");
        std::string got;
        int sent = 0;
        for (; sent < 60 && got.empty(); ++sent) {
            co_await pass(seconds(1));
            client.send("E");
            got = client.received();
        }
        story.expect("what it gets", std::string("HTTP/1.1 408 Request Timeout"), status(got));
        story.expect("after about ten seconds", true, sent >= 9 && sent <= 12);
        co_await bed.end();
    });
}

TEST_P(Ex10_4_Deadlines, HeadInPiecesWithinTheDeadlineIsServed) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("when does a head's deadline begin, and does the next head inherit it?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world, {.head_timeout = seconds(10)});
        PlainSocket& client = bed.client;
        for (int i = 0; i < 3; ++i) {
            const std::string request = get("/at-once");
            client.send(request.substr(0, 9));
            co_await pass(seconds(6));
            client.send(request.substr(9));
            co_await settle();
        }
        story.step("three requests, each with six seconds in the middle of its head");
        story.expect("answers", 3, count(client.received(), "HTTP/1.1 200"));
        co_await bed.end();
    });
}

TEST_P(Ex10_4_Deadlines, UnfinishedHeadIsKnownWhenItIsRefused) {
    NetWorld world(GetParam(), {.buffers = 8});
    if (world.missing()) return;
    Story story("the answer to a HEAD has no body: how do you know that it was one?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world, {.head_timeout = seconds(10)});
        bed.client.send("HEAD / HTTP/1.1\r\nHo");
        co_await settle();
        story.step("half of a HEAD, and then nothing");
        ConnectionBed other(world);
        other.client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n" +
                          std::string(100'000, 'x'));
        co_await settle();
        story.step("another client's bytes go through every buffer there is");
        co_await pass(seconds(11));
        const std::string got = bed.client.received();
        story.expect("refused", std::string("HTTP/1.1 408 Request Timeout"), status(got));
        story.expect("without a body", got.size() - 4, got.find("\r\n\r\n"));
        co_await bed.end();
        co_await other.end();
    });
}

TEST_P(Ex10_3_Connection, StreamedAnswerHasItsChunksAndToHeadNone) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("which bytes of a chunked answer belong to its head, and which to its body?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world);
        bed.client.send(get("/stream"));
        co_await settle();
        story.step("GET, answered in pieces");
        story.expect("the chunks", 1,
                     count(bed.client.received(), "\r\n\r\n5\r\npiece\r\n0\r\n\r\n"));
        bed.client.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
        co_await settle();
        story.step("HEAD, answered by the same handler");
        const std::string got = bed.client.received();
        story.expect("it announces chunks", 1, count(got, "Transfer-Encoding: chunked"));
        story.expect("and has none", got.size() - 4, got.find("\r\n\r\n"));
        co_await bed.end();
    });
}

TEST_P(Ex10_3_Connection, IdleConnectionIsClosedWithoutAWord) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("what does a client do with an answer that it did not ask for?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world, {.idle_timeout = seconds(60)});
        PlainSocket& client = bed.client;
        client.send(get("/at-once"));
        co_await pass(seconds(50));
        const std::string answer = client.received();
        story.expect("answered, and still open", true,
                     count(answer, "now") == 1 && !client.ended());
        co_await pass(seconds(20));
        story.expect("more bytes", std::string(), client.received());
        story.expect("closed", true, client.ended());
        co_await bed.end();
    });
}

TEST_P(Ex10_4_Deadlines, BodyThatStopsComingIsRefused) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the head was complete: which deadline is it now?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world, {.body_timeout = seconds(30)});
        PlainSocket& client = bed.client;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhal");
        co_await pass(seconds(29));
        story.expect("after 29 s", std::string("nothing"), status(client.received()));
        co_await pass(seconds(2));
        story.expect("after 31 s", std::string("HTTP/1.1 408 Request Timeout"),
                     status(client.received()));
        co_await bed.end();
    });
}

TEST_P(Ex10_5_Serve, RequestsInPiecesAndTogetherAreAnsweredInOrder) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("what does the connection do with the half of a request?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        PlainSocket client = bed.connect();
        const std::string two = get("/at-once") + get("/later");
        for (std::size_t i = 0; i < two.size(); i += 7) {
            client.send(two.substr(i, 7));
            co_await settle();
        }
        story.step("two requests, seven bytes at a time");
        const std::string got = client.received();
        story.expect("answers", 2, count(got, "HTTP/1.1 200"));
        story.expect("in order", true, got.find("now") < got.find("later"));
        co_await bed.server.stop();
    });
}

TEST_P(Ex10_5_Serve, ManyClientsAtOnceAreServed) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("who accepts the second client while the first one waits?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        PlainSocket slow = bed.connect();
        slow.send(get("/slow"));
        co_await settle();
        story.step("one client asks for something slow; twenty others ask meanwhile");
        std::vector<PlainSocket> others;
        for (int i = 0; i < 20; ++i) {
            others.push_back(bed.connect());
            others.back().send(get("/at-once"));
        }
        co_await settle();
        int answered = 0;
        for (PlainSocket& client : others) answered += count(client.received(), "now");
        story.expect("answered meanwhile", 20, answered);
        co_await bed.server.stop();
        story.expect("the slow one, too", 1, count(slow.received(), "later"));
    });
}

TEST_P(Ex10_5_Serve, ServerOutlivesBadClientsAndHandlers) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("whose problem is one client's garbage?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        PlainSocket garbage = bed.connect();
        garbage.send("\x16\x03\x01 what?\r\n\r\n");
        PlainSocket gone = bed.connect();
        gone.send("GET / HT");
        gone.close();
        PlainSocket unlucky = bed.connect();
        unlucky.send(get("/throws"));
        PlainSocket silent = bed.connect();
        silent.send(get("/silent"));
        PlainSocket cheated = bed.connect();
        cheated.send(get("/short"));
        co_await settle();
        story.expect("garbage", std::string("HTTP/1.1 400 Bad Request"),
                     status(garbage.received()));
        story.expect("the handler failed", std::string("HTTP/1.1 500 Internal Server Error"),
                     status(unlucky.received()));
        story.expect("the handler forgot", std::string("HTTP/1.1 500 Internal Server Error"),
                     status(silent.received()));
        cheated.received();
        story.expect("a body that is too short ends the connection", true, cheated.ended());
        PlainSocket good = bed.connect();
        good.send(get("/at-once"));
        co_await settle();
        story.expect("the next client", std::string("HTTP/1.1 200 OK"), status(good.received()));
        co_await bed.server.stop();
    });
}

TEST_P(Ex10_5_Serve, ChunkedBodyIsReadPieceByPiece) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("a handler reads while the client still sends: who waits for whom?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        PlainSocket client = bed.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
        co_await settle();
        client.send("lo\r\n3\r\n wo\r\n");
        co_await settle();
        client.send("3\r\nrld\r\n0\r\n\r\n" + get("/at-once"));
        co_await settle();
        const std::string got = client.received();
        story.expect("the body came whole", 1, count(got, "hello world"));
        story.expect("and the next request was found", 1, count(got, "now"));
        co_await bed.server.stop();
    });
}

TEST_P(Ex10_5_Stop, RequestsUnderWayAreAnswered) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("stop() is called while a handler works: what does its client get?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        PlainSocket client = bed.connect();
        client.send(get("/slow"));
        co_await settle();
        story.expect("the handler has begun", 1, bed.handler.begun);
        co_await bed.server.stop();
        story.step("stop() has returned");
        const std::string got = client.received();
        story.expect("the answer", std::string("HTTP/1.1 200 OK"), status(got));
        story.expect("whole", 1, count(got, "later"));
        story.expect("and the last one", 1, count(got, "Connection: close"));
    });
}

TEST_P(Ex10_5_Stop, IdleConnectionsDoNotHoldItUp) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("a client that says nothing: for how long does a stop wait for it?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        std::vector<PlainSocket> idle;
        for (int i = 0; i < 10; ++i) {
            idle.push_back(bed.connect());
            idle.back().send(get("/at-once"));
        }
        co_await settle();
        const long before = world.elapsed_ms();
        co_await bed.server.stop();
        story.step("stop() with ten idle connections");
        story.expect("it took less than the idle timeout", true,
                     world.elapsed_ms() - before < 5000);
        int ended = 0;
        for (PlainSocket& client : idle) {
            client.received();
            ended += client.ended();
        }
        story.expect("connections ended", 10, ended);
    });
}

TEST_P(Ex10_5_Stop, LastAnswerMayStillBeRead) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("a client still sends behind its last request: what becomes of its answer?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        PlainSocket client = bed.connect();
        client.send("GET /at-once HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        co_await settle();
        story.step("answered; the server waits for its client to end, too");
        auto stopping = spawn([&] { return bed.server.stop(); });
        co_await settle();
        story.step("stop(), and the client sends on: a reset would take the answer from it");
        client.send("more");
        story.expect("bytes the server still takes", std::size_t{4}, client.send("more"));
        story.expect("the answer", 1, count(client.received(), "now"));
        client.close();
        co_await std::move(stopping);
    });
}

TEST_P(Ex10_5_Stop, WhoeverWasAcceptedIsServed) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("who takes the connections that came while nobody waited for them?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        co_await settle();
        auto stopping = spawn([&] { return bed.server.stop(); });
        co_await yield();
        co_await yield();
        PlainSocket client = bed.connect();
        client.send(get("/at-once"));
        world.poll_now();
        story.step("stop() waits for the accept loop's end; the kernel accepts one more client");
        co_await std::move(stopping);
        story.expect("the client's answer", 1, count(client.received(), "now"));
    });
}

TEST_P(Ex10_5_Stop, CallerThatIsStoppedStillWaitsForIt) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story(
        "main has been told to stop, and each of its awaits throws: who waits for the server?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        PlainSocket client = bed.connect();
        client.send(get("/slow"));
        co_await settle();
        Context& main = co_await this_context();
        main.request_stop();
        story.step("this task is stopped; then it calls stop()");
        co_await bed.server.stop();
        story.expect("connections left", std::size_t{0}, bed.server.open_connections());
        story.expect("the answer under way", 1, count(client.received(), "later"));
    });
}

TEST_P(Ex10_5_Stop, NoGraceCutsOffWhoHasJustCome) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("a connection that has not begun when the grace is over: who cuts it off?");
    world.run([&]() -> Task<> {
        ServerBed bed({.limits = {.linger = seconds(60), .grace = Duration::zero()}});
        co_await settle();
        const long before = world.elapsed_ms();
        auto stopping = spawn([&] { return bed.server.stop(); });
        co_await yield();
        co_await yield();
        PlainSocket client = bed.connect();
        world.poll_now();
        story.step("stop() without any grace; the kernel accepts one more client meanwhile");
        co_await std::move(stopping);
        story.expect("it took no time", true, world.elapsed_ms() - before < 1000);
    });
}

TEST_P(Ex10_5_Stop, ConnectionsThatDoNotEndAreCutOff) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("a body that never ends: does the stop end?");
    world.run([&]() -> Task<> {
        ServerBed bed({.limits = {.body_timeout = seconds(3600), .grace = seconds(10)}});
        PlainSocket client = bed.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
        co_await settle();
        const long before = world.elapsed_ms();
        co_await bed.server.stop();
        story.step("stop() while a client owes ten bytes of body");
        story.expect("it waited for the grace period", true,
                     world.elapsed_ms() - before >= 9000 && world.elapsed_ms() - before < 60000);
        story.expect("connections left", std::size_t{0}, bed.server.open_connections());
    });
}

TEST_P(Ex10_5_Stop, NothingOfTheServerRunsAfterwards) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the accept loop was told to end; who waits until it has?");
    world.run([&]() -> Task<> {
        {
            ServerBed bed;
            story.step("a server is stopped before its accept loop has had its first turn");
            co_await bed.server.stop();
            story.step("and is destroyed, at once");
        }
        co_await settle();
        story.expect("tasks that still run, but this one", std::size_t{0},
                     this_executor("test").live_tasks() - 1);
    });
}

TEST_P(Ex10_5_Stop, NobodyIsAcceptedAfterwards) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("who still answers at the address?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        const SocketAddress address = bed.server.local_address();
        co_await bed.server.stop();
        bool refused = false;
        try {
            PlainSocket::connect(address);
        } catch (const std::system_error&) {
            refused = true;
        }
        story.expect("a new client is refused", true, refused);
    });
}

TEST_P(Ex10_5_Stop, NoDescriptorIsLost) {
    Story story("each connection has a descriptor: who closes it, on every way out?");
    const int before = open_fds();
    {
        NetWorld world(GetParam());
        if (world.missing()) return;
        world.run([&]() -> Task<> {
            ServerBed bed;
            std::vector<PlainSocket> clients;
            for (int i = 0; i < 12; ++i) {
                clients.push_back(bed.connect());
                const std::string request = get(i % 3 == 0 ? "/slow" : "/at-once");
                clients.back().send(request.substr(0, i % 4 == 0 ? 5 : request.size()));
                if (i % 5 == 0) clients.back().close();
            }
            co_await settle();
            co_await bed.server.stop();
        });
    }
    story.step("twelve clients of all kinds, then stop()");
    story.expect("open descriptors", before, open_fds());
}

}  // namespace
}  // namespace starling
