// 8.2: no byte is lost or read twice, whoever stops whom, and whoever reads next.
#include <gtest/gtest.h>

#include <starling/net_world.hh>
#include <starling/select.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/tcp_listener.hh>
#include <starling/tcp_stream.hh>
#include <starling/timeout.hh>

namespace starling {
namespace {

using testing_support::NetWorld;
using testing_support::PlainSocket;
using testing_support::Story;
using testing_support::tcp_pair;
using testing_support::TestDriver;

class Ex8_2_ReadLoss : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex8_2_ReadLoss, testing_support::all_drivers(),
                         testing_support::driver_label);

/// Reads once into `size` bytes.
Task<std::string> read_some(TcpStream& stream, std::size_t size = 64) {
    std::string text(size, '\0');
    const std::size_t n = co_await stream.read(std::span(text));
    text.resize(n);
    co_return text;
}

TEST_P(Ex8_2_ReadLoss, StoppedReadHasTakenNothing) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        auto reader = spawn([&] { return read_some(stream); });
        co_await sleep(std::chrono::milliseconds(5));
        reader.abort();
        peer.send("for the next one");
        try {
            co_await reader;
            ADD_FAILURE() << "it was stopped before there was anything";
        } catch (const TaskAborted&) {
        }
        const std::string got = co_await read_some(stream);
        EXPECT_EQ("for the next one", got);
    });
}

TEST_P(Ex8_2_ReadLoss, BytesThatOvertakeAStopAreNotLost) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the bytes are here, and nobody wants them any more: where are they now?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        for (int turns = 0; turns < 6; ++turns) {
            std::string got;
            auto reader = spawn([&]() -> Task<> {
                if (turns < 3) {
                    got = co_await read_some(stream);
                } else {
                    const PooledBuffer piece = co_await stream.read_buffer();
                    const auto* text = reinterpret_cast<const char*>(piece.bytes().data());
                    got.assign(text, piece.size());
                }
            });
            co_await sleep(std::chrono::milliseconds(5));
            reader.abort();
            for (int i = 0; i < turns % 3; ++i) co_await yield();
            const std::string sent = "precious" + std::to_string(turns);
            peer.send(sent);
            world.poll_now();
            story.step("a read is stopped; before it can say so, 9 bytes arrive");
            try {
                co_await reader;
            } catch (const TaskAborted&) {
            }
            try {
                if (got.empty()) got = co_await timeout(read_some(stream), std::chrono::seconds(1));
            } catch (const TimedOut&) {
                got = "nothing, for a second";
            }
            story.expect("this read has got them, or the next one", sent, got);
        }
    });
}

TEST_P(Ex8_2_ReadLoss, ConnectionGivenBackKeepsWhatWasReadAhead) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        PlainSocket client = PlainSocket::connect(listener.local_address());
        TcpStream unwanted = co_await listener.accept();
        client.send("hello");
        co_await unwanted.readable();
        listener.give_back(std::move(unwanted));
        TcpStream stream = co_await listener.accept();
        const std::string got = co_await read_some(stream);
        EXPECT_EQ("hello", got);
    });
}

TEST_P(Ex8_2_ReadLoss, BothOfTwoRacersKeepTheirBytes) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("two reads race and both have bytes: where are the loser's?");
    world.run([&]() -> Task<> {
        auto [our_a, a] = tcp_pair();
        auto [our_b, b] = tcp_pair();
        TcpStream from_a(world.driver(), std::move(our_a));
        TcpStream from_b(world.driver(), std::move(our_b));
        auto both_send = [&]() -> Task<> {
            co_await sleep(std::chrono::milliseconds(5));
            a.send("a");
            world.poll_now();
            b.send("b");
            world.poll_now();
        };
        auto sender = spawn(both_send);
        auto reads = co_await select(read_some(from_a), read_some(from_b));
        story.step("a select over two tasks that read; each gets a byte in the same turn");
        const bool won[] = {reads.slot<0>().has_value(), reads.slot<1>().has_value()};
        std::string got;
        if (won[0]) got += reads.take<0>();
        if (!won[0]) got += co_await read_some(from_a);
        if (won[1]) got += reads.take<1>();
        if (!won[1]) got += co_await read_some(from_b);
        story.expect("in the slots, or still in the streams", std::string("ab"), got);
        co_await sender;

        sender = spawn(both_send);
        const bool more = co_await when_any(from_a.readable(), from_b.readable());
        story.step("when_any over what takes nothing: `readable`");
        story.expect("there is something", true, more);
        const std::string left_a = co_await read_some(from_a);
        const std::string left_b = co_await read_some(from_b);
        story.expect("in the streams", std::string("ab"), left_a + left_b);
        co_await sender;
    });
}

TEST_P(Ex8_2_ReadLoss, NoByteIsLostUnderRandomStops) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        std::string sent;
        std::string received;
        unsigned random = 4711;
        for (int round = 0; round < 400; ++round) {
            random = random * 1664525 + 1013904223;
            auto reader = spawn([&]() -> Task<> {
                std::string text(1 + (random >> 20) % 8, '\0');
                const std::size_t n = co_await stream.read(std::span(text));
                received.append(text, 0, n);
            });
            if (random & 0x10000) co_await yield();
            const std::string text(1 + (random >> 24) % 5, static_cast<char>('a' + round % 26));
            if (random & 0x20000) sent.append(text, 0, peer.send(text));
            for (unsigned i = 0; i < (random >> 18) % 4; ++i) co_await yield();
            reader.abort();
            try {
                co_await reader;
            } catch (const TaskAborted&) {
            }
        }
        peer.shutdown_write();
        for (;;) {
            const std::string rest = co_await read_some(stream);
            if (rest.empty()) break;
            received += rest;
        }
        EXPECT_EQ(sent, received);
    });
}

}  // namespace
}  // namespace starling
