// 10.5: a server on real sockets serves whoever comes.
#include "server_bed.hh"

namespace starling {
namespace {

using namespace testing_support;
using std::chrono::seconds;

STARLING_ON_ALL_DRIVERS(Ex10_5_Serve);

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
        story.expect("a body that is too short", std::string("HTTP/1.1 500 Internal Server Error"),
                     status(cheated.received()));
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

}  // namespace
}  // namespace starling
