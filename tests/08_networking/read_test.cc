// 8.2: what a read returns, and what it leaves for the next one.
#include <gtest/gtest.h>

#include <starling/net_world.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/tcp_stream.hh>

namespace starling {
namespace {

using testing_support::NetWorld;
using testing_support::PlainSocket;
using testing_support::Story;
using testing_support::tcp_pair;
using testing_support::TestDriver;

class Ex8_2_Read : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex8_2_Read, testing_support::all_drivers(),
                         testing_support::driver_label);

/// Reads once into `size` bytes.
Task<std::string> read_some(TcpStream& stream, std::size_t size = 64) {
    std::string text(size, '\0');
    const std::size_t n = co_await stream.read(std::span(text));
    text.resize(n);
    co_return text;
}

Task<std::string> read_alone(TcpStream stream) {
    std::string text = co_await read_some(stream);
    co_return text;
}

TEST_P(Ex8_2_Read, BytesThatAreThereAreRead) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        peer.send("hello");
        const std::string got = co_await read_some(stream);
        EXPECT_EQ("hello", got);
    });
}

TEST_P(Ex8_2_Read, ReadWaitsForBytesThatComeLater) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        auto reader = spawn([&] { return read_some(stream); });
        co_await sleep(std::chrono::hours(1));
        EXPECT_FALSE(reader.done());
        peer.send("late");
        const std::string got = co_await reader;
        EXPECT_EQ("late", got);
    });
}

TEST_P(Ex8_2_Read, EndOfTheStreamIsZeroBytesAndNoError) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the peer has said all it wanted to say: is that an error?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        peer.send("bye");
        peer.shutdown_write();
        story.step("the peer sends 3 bytes and ends its stream");
        const std::string first = co_await read_some(stream);
        story.expect("the first read", std::string("bye"), first);
        const std::string second = co_await read_some(stream);
        story.expect("the second read", std::string(), second);
        const std::string third = co_await read_some(stream);
        story.expect("and the end stays the end", std::string(), third);
        const bool written = co_await stream.write_some(std::as_bytes(std::span("ok", 2))) == 2;
        story.expect("the other direction is still open", true, written);
    });
}

TEST_P(Ex8_2_Read, SmallReadsLeaveTheRestForTheNext) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        peer.send("abcdefgh");
        peer.shutdown_write();
        std::string all;
        for (;;) {
            const std::string piece = co_await read_some(stream, 3);
            if (piece.empty()) break;
            EXPECT_LE(piece.size(), 3U);
            all += piece;
        }
        EXPECT_EQ("abcdefgh", all);
    });
}

TEST_P(Ex8_2_Read, EveryByteOfAMegabyteComesInOrder) {
    NetWorld world(GetParam(), {.buffers = 16, .buffer_bytes = 512});
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        constexpr std::size_t kTotal = 1 << 20;
        std::size_t sent = 0;
        std::size_t received = 0;
        std::string buffer(700, '\0');
        while (received < kTotal) {
            std::string text(std::min<std::size_t>(4099, kTotal - sent), '\0');
            for (std::size_t i = 0; i < text.size(); ++i) {
                text[i] = static_cast<char>((sent + i) % 251);
            }
            sent += peer.send(text);
            const std::size_t n = co_await stream.read(std::span(buffer));
            for (std::size_t i = 0; i < n; ++i, ++received) {
                if (buffer[i] == static_cast<char>(received % 251)) continue;
                ADD_FAILURE() << "byte " << received << " is not the one that was sent";
                co_return;
            }
        }
    });
}

TEST_P(Ex8_2_Read, ErrorComesAfterTheBytesThatArrivedBefore) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("which is older: the bytes or the error?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        auto first = spawn([&] { return read_some(stream, 2); });
        peer.send("abcd");
        const std::string ab = co_await first;
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        peer.close();
        story.step("the peer sends 4 bytes; we read 2; the peer resets the connection");
        co_await sleep(std::chrono::milliseconds(5));
        const std::string cd = co_await read_some(stream);
        story.expect("the next read", std::string("cd"), cd);
        try {
            co_await read_some(stream);
            story.expect("the read after that throws", true, false);
        } catch (const std::system_error& error) {
            story.expect("the read after that: ECONNRESET", ECONNRESET, error.code().value());
            story.expect("and its text names the operation", true,
                         std::string_view(error.what()).starts_with("recv"));
        }
    });
}

TEST_P(Ex8_2_Read, EndComesAfterTheBytesThatArrivedBefore) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("which is older: the bytes or the end?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        auto first = spawn([&] { return read_some(stream, 2); });
        peer.send("abcdef");
        const std::string ab = co_await first;
        peer.shutdown_write();
        co_await sleep(std::chrono::milliseconds(5));
        story.step("the peer sends 6 bytes; we read 2; the peer ends its stream; the end arrives");
        const std::string cd = co_await read_some(stream, 2);
        story.expect("the next read", std::string("cd"), cd);
        PooledBuffer rest = co_await stream.read_buffer();
        story.expect("bytes in the next buffer", std::size_t{2}, rest.size());
        const bool more = co_await stream.readable();
        story.expect("more after that", false, more);
        stream.give_back(std::move(rest));
        story.step("the last buffer is given back");
        const std::string ef = co_await read_some(stream);
        story.expect("so it is read once more", std::string("ef"), ef);
    });
}

TEST_P(Ex8_2_Read, BytesCanBeLookedAtInPlace) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        EXPECT_EQ("", stream.buffered());
        peer.send("line one\nline two\n");
        const bool any = co_await stream.readable();
        EXPECT_TRUE(any);
        EXPECT_EQ("line one\nline two\n", stream.buffered());
        stream.consume(9);
        const std::string rest = co_await read_some(stream);
        EXPECT_EQ("line two\n", rest);
        peer.shutdown_write();
        const bool more = co_await stream.readable();
        EXPECT_FALSE(more) << "the end of the stream";
    });
}

TEST_P(Ex8_2_Read, PooledBufferIsTheReadersUntilItGoes) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        peer.send("first");
        PooledBuffer first = co_await stream.read_buffer();
        peer.send("second");
        PooledBuffer second = co_await stream.read_buffer();
        const auto text = [](const PooledBuffer& piece) {
            return std::string(reinterpret_cast<const char*>(piece.bytes().data()), piece.size());
        };
        EXPECT_EQ("first", text(first)) << "not waited for, or somebody else wrote into it";
        EXPECT_EQ("second", text(second));
        stream.give_back(std::move(second));
        const std::string again = co_await read_some(stream);
        EXPECT_EQ("second", again);
        peer.shutdown_write();
        PooledBuffer end = co_await stream.read_buffer();
        EXPECT_FALSE(end.valid());
    });
}

TEST_P(Ex8_2_Read, BufferWithNothingLeftMayBeGivenBack) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("no byte was given back: what does a read that returns no byte mean?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        peer.send("abc");
        PooledBuffer buffer = co_await stream.read_buffer();
        buffer.consume(3);
        stream.give_back(std::move(buffer));
        story.step("3 bytes are read as a buffer and used; the buffer is given back");
        story.expect("something to look at", std::string(), std::string(stream.buffered()));
        peer.send("def");
        std::string text(64, '\0');
        const std::size_t n = co_await stream.read(std::span(text));
        story.step("3 more are sent");
        story.expect("a read returns", std::string("def"), text.substr(0, n));
        peer.shutdown_write();
        stream.give_back(co_await stream.read_buffer());
        const bool more = co_await stream.readable();
        story.step("the end comes, as no buffer, and is given back");
        story.expect("there is more", false, more);
    });
}

TEST_P(Ex8_2_Read, OneOperationMayBeAwaitedAgainAndAgain) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("bytes have ended the wait: who tells the wait, so that it can begin again?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        std::string all;
        auto reader = spawn([&]() -> Task<> {
            ReadableOperation bytes = stream.readable();
            for (;;) {
                const bool more = co_await bytes;
                if (!more) break;
                all += stream.buffered();
                stream.consume(stream.buffered().size());
            }
        });
        for (const char* text : {"one ", "two ", "three"}) {
            co_await sleep(std::chrono::seconds(1));
            story.step("one operation waits until the stream is readable; the peer sends: " +
                       std::string(text));
            peer.send(text);
        }
        peer.shutdown_write();
        co_await reader;
        story.expect("the reader has got", std::string("one two three"), all);
    });
}

TEST_P(Ex8_2_Read, StreamThatWaitsOwnsNoBuffer) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        std::size_t buffers = 0;  // Left over when one stream waits.
        std::vector<PlainSocket> peers;
        std::vector<JoinHandle<std::string>> readers;
        for (int i = 0; i < 32; ++i) {
            auto [ours, peer] = tcp_pair();
            peers.push_back(std::move(peer));
            readers.push_back(spawn(read_alone(TcpStream(world.driver(), std::move(ours)))));
            if (i > 0) continue;
            co_await sleep(std::chrono::milliseconds(5));
            buffers = world.driver().buffers().available();
        }
        co_await sleep(std::chrono::milliseconds(5));
        // A ring of buffers that the kernel chooses from is nobody's: it does not grow with
        // streams.
        EXPECT_GE(world.driver().buffers().available() + 8, buffers);
        for (PlainSocket& peer : peers) peer.send("x");
        for (auto& reader : readers) co_await reader;
    });
}

}  // namespace
}  // namespace starling
