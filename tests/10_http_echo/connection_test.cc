// 10.3 and 10.4: one connection on a real socket, without a server: answers and deadlines.
#include <starling/watchdog.hh>

#include "server_bed.hh"

namespace starling {
namespace {

using namespace testing_support;
using std::chrono::seconds;

[[maybe_unused]] const bool watched = testing_support::watch_every_case();

STARLING_ON_ALL_DRIVERS(Ex10_3_Connection);
STARLING_ON_ALL_DRIVERS(Ex10_4_Limits);
STARLING_ON_ALL_DRIVERS(Ex10_4_Deadlines);

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
        story.expect("and ends with its head", true, got.ends_with("\r\n\r\n"));
        story.expect("chunks", 0, count(got, "piece"));
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

TEST_P(Ex10_3_Connection, EmptyLineBehindARequestIsNotTheNextOne) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("some clients send a CR LF too many, and then nothing: has a request begun?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world, {.head_timeout = seconds(10), .idle_timeout = seconds(60)});
        PlainSocket& client = bed.client;
        client.send(get("/at-once") + "\r\n");
        co_await pass(seconds(50));
        const std::string first = client.received();
        story.step("a request, CR LF, and nothing for 50 s; a head would have 10");
        story.expect("answers", 1, count(first, "HTTP/1.1"));
        story.expect("closed", false, client.ended());
        client.send("\r\n" + get("/at-once") + "\r\n\r\n");
        co_await pass(seconds(50));
        story.step("CR LF, another request, CR LF twice, and nothing for 50 s");
        story.expect("its answer", 1, count(client.received(), "200 OK"));
        co_await pass(seconds(20));
        story.step("20 s more; between two requests there may be 60");
        story.expect("more bytes", std::string(), client.received());
        story.expect("closed", true, client.ended());
        co_await bed.end();
    });
}

TEST_P(Ex10_3_Connection, AnswersThatHaveNoBodyHaveNoneWhateverIsWritten) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("a byte behind an answer without a body: for what does the client take it?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world);
        bed.handler.instead = [](HttpExchange& x) -> Task<> {
            x.begin(204, "text/plain", {});
            co_await x.write("a body");
        };
        bed.client.send(get("/") + get("/at-once"));
        co_await settle();
        story.step("204, and a body all the same; then another request");
        const std::string got = bed.client.received();
        story.expect("the next answer follows at once", 1, count(got, "\r\n\r\nHTTP/1.1 200"));
        bed.handler.instead = [](HttpExchange& x) -> Task<> {
            x.begin(200, "text/plain", 1000);
            if (x.head().method == "HEAD") co_return;
            co_await x.write(std::string(1000, 'x'));
        };
        bed.client.send("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n" + get("/at-once"));
        co_await settle();
        story.step("HEAD, and a handler that knows what it is; then another request");
        story.expect("both are answered", 2, count(bed.client.received(), "HTTP/1.1 200"));
        co_await bed.end();
    });
}

TEST_P(Ex10_3_Connection, ClientThatWasNotAskedForItsBodyHearsOfTheEnd) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("it waits for a word, and is answered instead: will its body still come?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world);
        bed.handler.instead = [](HttpExchange& x) -> Task<> {
            x.send(404, "text/plain", "");
            co_return;
        };
        bed.client.send(
            "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n");
        co_await settle();
        const std::string got = bed.client.received();
        story.expect("the answer", std::string("HTTP/1.1 404 Not Found"), status(got));
        story.expect("it says close", 1, count(got, "Connection: close"));
        story.expect("the server has ended its side", true, bed.client.ended());
        co_await bed.end();
    });
}

TEST_P(Ex10_3_Connection, WhatFailedToArriveIsNotSentAgain) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.set_patience(std::chrono::milliseconds(20));
    Story story("half of a piece has arrived when its time is over: where would the next byte go?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world, {.write_timeout = seconds(30)});
        bed.handler.instead = [](HttpExchange& x) -> Task<> {
            x.begin(200, "text/plain", {});
            try {
                for (int i = 0;; ++i) {
                    co_await x.write("piece " + std::to_string(i) + ";" +
                                     std::string(100'000, 'x'));
                }
            } catch (const std::exception&) {
                // This handler looks away.
            }
        };
        bed.client.send(get("/"));
        co_await pass(seconds(31));
        story.step(
            "a client reads nothing for 31 s; the handler ignores that its write has failed");
        std::string got;
        for (std::string more = "?"; !more.empty(); got += more) {
            co_await settle();
            more = bed.client.received();
        }
        const int pieces = count(got, "piece ");
        int twice = 0;
        for (int i = 0; i < pieces; ++i) {
            twice += count(got, "piece " + std::to_string(i) + ";") > 1;
        }
        story.expect("some pieces came", true, pieces > 0);
        story.expect("pieces that came twice", 0, twice);
        story.expect("and no end that looks like one", 0, count(got, "\r\n0\r\n\r\n"));
        co_await bed.end();
    });
}

TEST_P(Ex10_4_Limits, BodyThatTurnsOutTooLongIsRefusedIfNobodyHasSeenAnAnswer) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the answer has begun, and has not left: whose word is the last?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world, {.body_bytes_max = 8});
        bed.handler.instead = [](HttpExchange& x) -> Task<> {
            x.begin(200, "text/plain", {});
            for (;;) {
                const std::string_view piece = co_await x.read();
                if (piece.empty()) break;
                co_await x.write(piece);
            }
        };
        const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        bed.client.send(get("/at-once") + head + "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
        co_await settle();
        story.step("11 bytes of at most 8, in one packet, for a handler that echoes as it reads");
        const std::string got = bed.client.received();
        story.expect("the request before it", 1, count(got, "now"));
        story.expect("refusals", 1, count(got, "HTTP/1.1 413 Content Too Large"));
        story.expect("of the echo", 0, count(got, "hello"));
        co_await bed.end();
    });
}

TEST_P(Ex10_4_Deadlines, LongestDeadlineNeverComes) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("when is the longest of all times over?");
    world.run([&]() -> Task<> {
        constexpr Duration kForEver = Duration::max();
        ConnectionBed bed(world, {.head_timeout = kForEver,
                                  .body_timeout = kForEver,
                                  .idle_timeout = kForEver,
                                  .write_timeout = kForEver});
        const std::string request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody";
        for (const char byte : request) {
            co_await pass(std::chrono::hours(1));
            bed.client.send({&byte, 1});
        }
        co_await settle();
        story.step("a request whose bytes take an hour each");
        story.expect("the answer", std::string("HTTP/1.1 200 OK"), status(bed.client.received()));
        co_await bed.end();
    });
}

TEST_P(Ex10_4_Deadlines, SlowHeadIsRefusedHoweverOftenItSendsAByte) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("one byte a second: does every byte buy it a new deadline?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world, {.head_timeout = seconds(10)});
        PlainSocket& client = bed.client;
        client.send("G");
        story.step("a client sends one byte of a head every second");
        std::string got = kNothingYet;
        int sent = 0;
        for (; sent < 60 && got == kNothingYet; ++sent) {
            co_await pass(seconds(1));
            client.send("E");
            got = status_now(client);
        }
        story.expect("what it gets", std::string("HTTP/1.1 408 Request Timeout"), got);
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
        std::string got;
        story.expect("refused", std::string("HTTP/1.1 408 Request Timeout"),
                     status_now(bed.client, &got));
        story.expect("the answer ends with its head", true, got.ends_with("\r\n\r\n"));
        co_await bed.end();
        co_await other.end();
    });
}

TEST_P(Ex10_4_Deadlines, ClientThatEndsInTheMiddleOfAHeadIsDone) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("nothing more will come, and `readable` says so at once: who asks it again?");
    world.run([&]() -> Task<> {
        ConnectionBed bed(world, {.head_timeout = seconds(10)});
        bed.client.send(get("/at-once") + "GET / HTT");
        co_await settle();
        bed.client.shutdown_write();
        const long before = world.elapsed_ms();
        co_await std::move(bed.serving);
        story.step("a request and half of a head, and then the client's end of stream");
        story.expect("the connection has ended at once", true, world.elapsed_ms() - before < 5000);
        const std::string got = bed.client.received();
        story.expect("answers", 1, count(got, "HTTP/1.1 "));
        story.expect("closed", true, bed.client.ended());
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
        story.expect("after 29 s", std::string(kNothingYet), status_now(client));
        co_await pass(seconds(2));
        story.expect("after 31 s", std::string("HTTP/1.1 408 Request Timeout"), status_now(client));
        co_await bed.end();
    });
}

}  // namespace
}  // namespace starling
