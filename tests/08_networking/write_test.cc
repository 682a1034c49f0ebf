// 8.3: all of it arrives, however little the kernel takes at a time.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <starling/net_world.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/tcp_listener.hh>
#include <starling/tcp_stream.hh>

namespace starling {
namespace {

using testing_support::NetWorld;
using testing_support::PlainSocket;
using testing_support::Story;
using testing_support::tcp_pair;
using testing_support::TestDriver;

class Ex8_3_Write : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex8_3_Write, testing_support::all_drivers(),
                         testing_support::driver_label);

/// A pair whose kernel buffers are so small that a large send is always a short one. Unix sockets:
/// with TCP, small windows mean waiting for its timers.
std::pair<TcpStream, PlainSocket> narrow_pair(Driver& driver) {
    std::array<int, 2> ends{};
    ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data());
    const int bytes = 4096;
    ::setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return {TcpStream(driver, OwnedFd(ends[0])), PlainSocket(OwnedFd(ends[1]))};
}

std::string pattern(std::size_t size) {
    std::string text(size, '\0');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
    return text;
}

/// What the driver was asked for so far, as requests and as system calls.
std::uint64_t asked(NetWorld& world) {
    const IoStats& stats = world.driver().stats();
    return stats.submissions + stats.calls;
}

/// Reads at the peer until `task` has ended and nothing more comes.
Task<std::string> collect(PlainSocket& peer, JoinHandle<void>& task) {
    std::string all;
    while (!task.done()) {
        all += peer.received();
        co_await yield();
    }
    all += peer.received();
    co_return all;
}

TEST_P(Ex8_3_Write, ShortTextArrives) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        co_await stream.write_all("hello");
        EXPECT_EQ("hello", peer.received());
    });
}

TEST_P(Ex8_3_Write, NothingToWriteIsWrittenAtOnce) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        const auto before = asked(world);
        co_await stream.write_all("");
        co_await stream.write_all(std::span<const std::string_view>());
        EXPECT_EQ(before, asked(world))
            << "nothing is left to send: was that seen before the send?";
        EXPECT_EQ("", peer.received());
        EXPECT_FALSE(peer.ended());
    });
}

TEST_P(Ex8_3_Write, MegabyteArrivesThoughTheKernelTakesAFewKilobytesAtATime) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("send says how much it took: does anybody look?");
    world.run([&]() -> Task<> {
        auto [stream, peer] = narrow_pair(world.driver());
        const std::string text = pattern(1 << 20);
        story.step("1 MiB is written to a peer that reads slowly, through small kernel buffers");
        auto writer = spawn([&] { return stream.write_all(text); });
        const std::string got = co_await collect(peer, writer);
        story.expect("bytes that arrived", text.size(), got.size());
        story.expect("and they are the ones that were sent", true, got == text);
        co_await writer;
    });
}

TEST_P(Ex8_3_Write, ManyPiecesArriveInOrderAsOneText) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("an empty piece: which send covers it?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        story.step("six pieces are written, some of them empty; then none; then three empty ones");
        const std::array<std::string_view, 6> pieces{"", "HTTP/1.1 ", "200 OK\r\n",
                                                     "", "\r\n",      "body"};
        co_await stream.write_all(pieces);
        story.expect("the peer has got", std::string("HTTP/1.1 200 OK\r\n\r\nbody"),
                     peer.received());
        co_await stream.write_all(std::span<const std::string_view>());
        const std::array<std::string_view, 3> nothing{};
        co_await stream.write_all(nothing);
        story.expect("and nothing more", std::string(), peer.received());
    });
}

TEST_P(Ex8_3_Write, SixteenPiecesLeaveWithOneSend) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("how many pieces does one send take?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        const std::vector<std::string_view> pieces(17, "piece");
        std::uint64_t one_send = 1;  // What that is depends on the driver.
        for (const auto& [count, sends] : {std::pair(1U, 1U), {10U, 1U}, {16U, 1U}, {17U, 2U}}) {
            const auto before = asked(world);
            co_await stream.write_all(std::span(pieces).first(count));
            story.step(std::to_string(count) + " small pieces are written");
            const auto got = asked(world) - before;
            if (count == 1) one_send = std::max(got, one_send);
            if (!story.expect("sends", std::uint64_t{sends}, got / one_send)) co_return;
            story.expect("bytes that arrived", std::size_t{5} * count, peer.received().size());
        }
    });
}

TEST_P(Ex8_3_Write, PiecesThatTheKernelCutsInTheMiddleGoOnThere) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [stream, peer] = narrow_pair(world.driver());
        const std::string text = pattern(300'000);
        std::vector<std::string_view> pieces;
        std::size_t begin = 0;
        for (std::size_t size = 1; begin < text.size(); size = size * 7 % 4001 + 1) {
            pieces.push_back(std::string_view(text).substr(begin, size));
            begin += pieces.back().size();
            if (size % 5 == 0) pieces.push_back({});
        }
        auto writer = spawn([&] { return stream.write_all(std::span(std::as_const(pieces))); });
        const std::string got = co_await collect(peer, writer);
        EXPECT_EQ(text.size(), got.size());
        EXPECT_TRUE(got == text) << "the pieces arrived, but not in their order";
        co_await writer;
    });
}

TEST_P(Ex8_3_Write, WriteToAPeerThatIsGoneIsAnErrorThatNamesTheCall) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        peer.close();
        try {
            for (int i = 0; i < 100; ++i) {
                co_await stream.write_all("anybody there?");
                co_await sleep(std::chrono::milliseconds(1));
            }
            ADD_FAILURE() << "a hundred writes, and no error";
        } catch (const std::system_error& error) {
            const int code = error.code().value();
            EXPECT_TRUE(code == EPIPE || code == ECONNRESET) << error.what();
            EXPECT_TRUE(std::string_view(error.what()).starts_with("send")) << error.what();
        }
    });
}

TEST_P(Ex8_3_Write, WriterThatWaitsForThePeerCanBeStopped) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [stream, peer] = narrow_pair(world.driver());
        const std::string text = pattern(1 << 20);
        auto writer = spawn([&] { return stream.write_all(text); });
        co_await sleep(std::chrono::seconds(1));
        EXPECT_FALSE(writer.done()) << "nobody reads: it has to wait";
        writer.abort();
        try {
            co_await writer;
            ADD_FAILURE() << "it cannot have written everything";
        } catch (const TaskAborted&) {
        }
        const std::string got = peer.received();
        EXPECT_EQ(text.substr(0, got.size()), got) << "what arrived is the beginning of it";
    });
}

class Given8_Write : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Given8_Write, testing_support::all_drivers(),
                         testing_support::driver_label);

TEST_P(Given8_Write, WriteSomeSaysHowMuchHasLeftEvenUnderRandomStops) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [stream, peer] = narrow_pair(world.driver());
        const std::string text = pattern(200'000);
        std::size_t sent = 0;
        std::string received;
        unsigned random = 99;
        for (int round = 0; round < 300; ++round) {
            random = random * 1664525 + 1013904223;
            const auto piece =
                std::as_bytes(std::span(text)).subspan(sent, 1 + (random >> 16) % 9000);
            auto writer = spawn([&]() -> Task<> { sent += co_await stream.write_some(piece); });
            for (unsigned i = 0; i < (random >> 28) % 3; ++i) co_await yield();
            writer.abort();
            try {
                co_await writer;
            } catch (const TaskAborted&) {
            }
            if (random & 0x1000) received += peer.received();
            if (sent + 9001 > text.size()) break;
        }
        received += peer.receive(sent - received.size());
        EXPECT_EQ(sent, received.size()) << "counted as sent, against arrived";
        EXPECT_TRUE(received == text.substr(0, sent));
    });
}

TEST_P(Ex8_3_Write, BothDirectionsWorkAtOnce) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [a, b] = tcp_pair();
        TcpStream left(world.driver(), std::move(a));
        TcpStream right(world.driver(), b.release());
        const std::string text = pattern(500'000);
        std::string got;
        std::vector<JoinHandle<void>> tasks;
        tasks.push_back(spawn([&]() -> Task<> {
            for (;;) {
                PooledBuffer piece = co_await right.read_buffer();
                if (!piece.valid()) break;
                co_await right.write_all(std::span<const std::byte>(piece.bytes()));
            }
            right.shutdown_write();
        }));
        tasks.push_back(spawn([&]() -> Task<> {
            co_await left.write_all(text);
            left.shutdown_write();
        }));
        tasks.push_back(spawn([&]() -> Task<> {
            for (;;) {
                PooledBuffer piece = co_await left.read_buffer();
                if (!piece.valid()) break;
                got.append(reinterpret_cast<const char*>(piece.bytes().data()), piece.size());
            }
        }));
        co_await testing_support::join(std::move(tasks));
        EXPECT_TRUE(got == text) << got.size() << " of " << text.size() << " bytes came back";
    });
}

}  // namespace
}  // namespace starling
