// 10.5: a stop that finishes what was begun.
#include <fcntl.h>

#include "server_bed.hh"

namespace starling {
namespace {

using namespace testing_support;
using std::chrono::seconds;

STARLING_ON_ALL_DRIVERS(Ex10_5_Stop);

TEST_P(Ex10_5_Stop, AcceptLoopEndsBeforeItsListener) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story(
        "stop() goes line by line: who still waits on the listener, and who uses it later?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        co_await settle();
        story.step("the accept loop waits for a connection, and nobody comes; stop()");
        auto stopping = spawn([&] { return bed.server.stop(); });
        constexpr int kTurns = 10;
        bool has_one = true;
        for (int turn = 0; turn < kTurns && has_one; ++turn) {
            co_await yield();
            has_one = bed.has_listener() || !bed.accepts();
        }
        story.expect("as long as the accept loop runs it has its listener", true, has_one);
        co_await std::move(stopping);
        story.expect("the accept loop has ended", false, bed.accepts());
        story.expect("and the listener is closed", -1, bed.listening_fd());
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

TEST_P(Ex10_5_Stop, AnswersFromNowOnSayThatTheyAreTheLast) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("from which moment on is a connection's next request one too many?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        PlainSocket client = bed.connect();
        client.send(get("/at-once"));
        co_await settle();
        const std::string first = client.received();
        client.send(get("/at-once"));
        world.poll_now();
        story.step("a client has an answer, and its next request has just come; stop()");
        co_await bed.server.stop();
        const std::string got = client.received();
        story.expect("the first says close", 0, count(first, "Connection: close"));
        story.expect("the second is answered", 1, count(got, "now"));
        story.expect("the second says close", 1, count(got, "Connection: close"));
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
        const bool waits = story.expect("stop() waits for the accept loop's end, with its listener",
                                        true, bed.has_listener());
        if (!waits) co_return co_await std::move(stopping);
        PlainSocket client = bed.connect();
        client.send(get("/at-once"));
        world.poll_now();
        story.step("the kernel accepts one more client");
        co_await std::move(stopping);
        story.expect("the client's answer", 1, count(client.received(), "now"));
    });
}

TEST_P(Ex10_5_Stop, WhoCannotBeServedDoesNotEndTheStop) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("one of those that nobody took cannot be taken: what of everybody else?");
    world.run([&]() -> Task<> {
        ServerBed bed;
        PlainSocket slow = bed.connect();
        slow.send(get("/slow"));
        co_await settle();
        auto stopping = spawn([&] { return bed.server.stop(); });
        co_await yield();
        co_await yield();
        const bool waits = story.expect("stop() waits for the accept loop's end, with its listener",
                                        true, bed.has_listener());
        if (!waits) co_return co_await std::move(stopping);
        PlainSocket client = bed.connect();
        world.poll_now();
        const int fd = bed.fd_to(client);
        const OwnedFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
        ::dup3(null.get(), fd, O_CLOEXEC);
        story.step("a handler works; the kernel accepts one more client, whose descriptor breaks");
        try {
            co_await std::move(stopping);
        } catch (const std::system_error&) {
            // A driver that notices only when it reads ends the connection instead.
        }
        story.step("stop() has returned, or thrown why that one could not be taken");
        story.expect("the answer under way", 1, count(slow.received(), "later"));
        story.expect("connections left", std::size_t{0}, bed.server.open_connections());
        story.expect("and the listener is closed", -1, bed.listening_fd());
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

TEST_P(Ex10_5_Stop, CallerThatIsStoppedWaitsAlsoForWhoIsCutOff) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the grace is over, and whoever is left is told to end: who waits until it has?");
    world.run([&]() -> Task<> {
        ServerBed bed({.limits = {.body_timeout = seconds(3600), .grace = seconds(10)}});
        PlainSocket client = bed.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
        co_await settle();
        Context& main = co_await this_context();
        main.request_stop();
        story.step("this task is stopped; then it calls stop(), while a client owes its body");
        bool whole = true;
        try {
            co_await bed.server.stop();
        } catch (const Cancelled&) {
            whole = false;
        }
        story.expect("stop() has gone to its end", true, whole);
        story.expect("connections left", std::size_t{0}, bed.server.open_connections());
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
        const bool waits = story.expect("stop() waits for the accept loop's end, with its listener",
                                        true, bed.has_listener());
        if (!waits) co_return co_await std::move(stopping);
        PlainSocket client = bed.connect();
        world.poll_now();
        story.step("it has no grace; the kernel accepts one more client meanwhile");
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

TEST_P(Ex10_5_Stop, WhoeverLingersIsCutOffToo) {
    for (const std::string_view path : {"/at-once", "/slow"}) {
        NetWorld world(GetParam());
        if (world.missing()) return;
        Story story("it has its answer and does not go: does the grace concern it, too?");
        world.run([&]() -> Task<> {
            ServerBed bed({.limits = {.linger = seconds(60), .grace = seconds(10)}});
            PlainSocket client = bed.connect();
            client.send("GET " + std::string(path) +
                        " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            co_await settle();
            const long before = world.elapsed_ms();
            co_await bed.server.stop();
            const long took = world.elapsed_ms() - before;
            story.step("stop(), with 10 s of grace; a client whose answer to " + std::string(path) +
                       " is its last one does not end, and has 60 s for that");
            story.expect("answers", 1, count(client.received(), "HTTP/1.1 200 OK"));
            story.expect("it took ten seconds or so", true, took >= 9000 && took < 11000);
        });
    }
}

TEST_P(Ex10_5_Stop, WhatEndedItsAcceptingIsThrown) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story(
        "a server that nobody can come to any more: who hears of it, and what of the rest?");
    world.run([&]() -> Task<> {
        int failures = 0;
        ServerBed bed({.on_failure = [&] { ++failures; }});
        PlainSocket client = bed.connect();
        client.send(get("/slow"));
        co_await settle();
        ::shutdown(bed.listening_fd(), SHUT_RDWR);
        co_await settle();
        story.step("a handler works, and the listening socket breaks");
        story.expect("on_failure was called", 1, failures);
        std::string what = "nothing";
        try {
            co_await bed.server.stop();
        } catch (const std::system_error& error) {
            what = error.what();
        }
        story.expect("stop() throws", std::string("accept: Invalid argument"), what);
        story.expect("the answer under way", 1, count(client.received(), "later"));
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
        co_await settle();
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
