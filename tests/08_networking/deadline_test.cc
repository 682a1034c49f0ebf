// 8.4: a deadline ends what waits, and costs nobody a byte.
#include <gtest/gtest.h>

#include <starling/net_world.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/tcp_stream.hh>
#include <vector>

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing_support::NetWorld;
using testing_support::PlainSocket;
using testing_support::Story;
using testing_support::tcp_pair;
using testing_support::TestDriver;

class Ex8_4_Deadline : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex8_4_Deadline, testing_support::all_drivers(),
                         testing_support::driver_label);

/// What a read came to, as a word: the bytes, "end", or "timed out".
Task<std::string> read_once(TcpStream& stream) {
    std::string text(64, '\0');
    try {
        const std::size_t n = co_await stream.read(std::span(text));
        text.resize(n);
        if (n == 0) text = "end";
    } catch (const TimedOut&) {
        text = "timed out";
    }
    co_return text;
}

TEST_P(Ex8_4_Deadline, ReadEndsAtTheDeadlineAndNotBefore) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + seconds(3));
        const std::string got = co_await read_once(stream);
        EXPECT_EQ("timed out", got);
        EXPECT_GE(world.elapsed_ms(), 3000);
        EXPECT_LE(world.elapsed_ms(), 3002);
    });
}

TEST_P(Ex8_4_Deadline, BytesInTimeAreReadAndTheDeadlineDoesNothing) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + seconds(3));
        auto reader = spawn([&] { return read_once(stream); });
        co_await sleep(seconds(2));
        peer.send("in time");
        const std::string got = co_await reader;
        EXPECT_EQ("in time", got);
        co_await sleep(seconds(5));
        EXPECT_EQ("", stream.buffered());
    });
}

TEST_P(Ex8_4_Deadline, BytesThatArriveAtTheSameMomentAreNotDropped) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the deadline has passed, and the bytes are here: who gets them?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + milliseconds(10));
        auto reader = spawn([&] { return read_once(stream); });
        co_await sleep(milliseconds(5));
        story.step("a read waits until 10 ms; 8 bytes come; the clock jumps beyond the deadline");
        peer.send("precious");
        world.clock().advance(milliseconds(100));
        std::string got = co_await reader;
        if (got == "timed out") {
            story.step("the read says that it timed out; the deadline is taken away");
            stream.set_read_deadline(StreamDeadline::kNever);
            got = co_await read_once(stream);
        }
        story.expect("a read got", std::string("precious"), got);
    });
}

TEST_P(Ex8_4_Deadline, BytesThatOvertakeTheTimeoutAreNotLostAndWakeNobodyTwice) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story(
        "the deadline and the bytes both want to wake the reader: who does, and how often?");
    world.run([&]() -> Task<> {
        for (int turns = 0; turns < 3; ++turns) {
            auto [ours, peer] = tcp_pair();
            TcpStream stream(world.driver(), std::move(ours));
            const TimePoint deadline = world.clock().now() + milliseconds(10);
            stream.set_read_deadline(deadline);
            long slept_ms = 0;
            auto reader = spawn([&]() -> Task<std::string> {
                std::string got = co_await read_once(stream);
                const long before_ms = world.elapsed_ms();
                co_await sleep(seconds(1));
                slept_ms = world.elapsed_ms() - before_ms;
                co_return got;
            });
            co_await sleep_until(deadline);
            for (int i = 0; i < turns; ++i) co_await yield();
            peer.send("precious");
            peer.shutdown_write();
            world.poll_now();
            story.step(
                "in the turn of a read's deadline 8 bytes arrive, and the end of the stream");
            std::string got = co_await reader;
            story.expect("after it the reader has slept for a second", true,
                         slept_ms >= 1000 && slept_ms <= 1002);
            stream.set_read_deadline(StreamDeadline::kNever);
            if (got == "timed out") got = co_await read_once(stream);
            story.expect("this read has got the bytes, or the next one", std::string("precious"),
                         got);
            const std::string end = co_await read_once(stream);
            story.expect("and then there is the end", std::string("end"), end);
        }
    });
}

TEST_P(Ex8_4_Deadline, ReaderThatHasTimedOutIsNotWokenByLaterBytes) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + seconds(1));
        auto reader = spawn([&]() -> Task<> {
            const std::string got = co_await read_once(stream);
            EXPECT_EQ("timed out", got);
            co_await sleep(seconds(60));
            EXPECT_GE(world.elapsed_ms(), 61'000) << "it waits for the time now, not for bytes";
        });
        co_await sleep(seconds(5));
        peer.send("too late");
        co_await sleep(seconds(5));
        EXPECT_FALSE(reader.done());
        EXPECT_EQ("too late", stream.buffered());
        co_await reader;
    });
}

TEST_P(Ex8_4_Deadline, BytesThatAreThereAreReadEvenAfterTheDeadline) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        peer.send("in time");
        co_await stream.readable();
        stream.set_read_deadline(world.clock().now() + seconds(1));
        co_await sleep(seconds(2));
        const std::string got = co_await read_once(stream);
        EXPECT_EQ("in time", got);
        const std::string late = co_await read_once(stream);
        EXPECT_EQ("timed out", late);
    });
}

TEST_P(Ex8_4_Deadline, OneDeadlineCoversManyReads) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the peer sends a byte every second: when does your deadline pass?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + milliseconds(3500));
        auto reader = spawn([&]() -> Task<std::string> {
            std::string all;
            for (;;) {
                const std::string got = co_await read_once(stream);
                if (got == "timed out") break;
                all += got;
            }
            co_return all;
        });
        for (int i = 0; i < 6; ++i) {
            co_await sleep(seconds(1));
            peer.send("x");
        }
        story.step("a deadline of 3.5 s; the peer sends a byte at each second, six times");
        story.expect("the reads have ended by then", true, reader.done());
        const std::string all = co_await reader;
        story.expect("bytes that came before the deadline", std::string("xxx"), all);
        stream.set_read_deadline(StreamDeadline::kNever);
        peer.shutdown_write();
        std::string rest;
        for (std::string got; got != "end"; got = co_await read_once(stream)) rest += got;
        story.expect("the others wait for reads with another deadline", std::string("xxx"), rest);
    });
}

TEST_P(Ex8_4_Deadline, DeadlineThatMovesAwayEndsNothingEarly) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + seconds(1));
        auto reader = spawn([&] { return read_once(stream); });
        co_await sleep(milliseconds(500));
        stream.set_read_deadline(world.clock().now() + seconds(60));
        co_await sleep(seconds(59));
        EXPECT_FALSE(reader.done()) << "it was moved to a minute from then";
        const std::string got = co_await reader;
        EXPECT_EQ("timed out", got);
        EXPECT_GE(world.elapsed_ms(), 60'500);
        EXPECT_LE(world.elapsed_ms(), 60'503);
    });
}

TEST_P(Ex8_4_Deadline, DeadlineThatMovesCloserIsKept) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + std::chrono::hours(1));
        auto reader = spawn([&] { return read_once(stream); });
        co_await sleep(milliseconds(500));
        stream.set_read_deadline(world.clock().now() + seconds(1));
        const std::string got = co_await reader;
        Story story("the timer is armed already: is it early enough?");
        story.step("a read waits; its deadline is an hour away");
        story.step("half a second later the deadline is set to one second from then");
        story.expect("the read ends with", std::string("timed out"), got);
        story.expect("and by then, no more than 1503 ms have passed", true,
                     world.elapsed_ms() <= 1503);
    });
}

TEST_P(Ex8_4_Deadline, FirstDeadlineMayComeWhileAReadWaits) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        auto [others, other_peer] = tcp_pair();
        TcpStream other(world.driver(), std::move(others));
        other.set_read_deadline(StreamDeadline::kNever);  // It is another stream's affair.
        auto reader = spawn([&] { return read_once(stream); });
        co_await sleep(seconds(60));
        stream.set_read_deadline(world.clock().now() + seconds(1));
        const std::string got = co_await reader;
        EXPECT_EQ("timed out", got);
        EXPECT_LE(world.elapsed_ms(), 61'003);
    });
}

TEST_P(Ex8_4_Deadline, ReadThatSomebodyElseGaveUpIsForgotten) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + seconds(2));
        auto reader = spawn([&]() -> Task<> { co_await timeout(stream.readable(), seconds(1)); });
        try {
            co_await reader;
            ADD_FAILURE() << "there was nothing to read";
        } catch (const TimedOut&) {
        }
        EXPECT_LE(world.elapsed_ms(), 1003);
        co_await sleep(seconds(60));
        EXPECT_GE(world.elapsed_ms(), 61'000)
            << "the deadline of a read that is gone woke its task";
        peer.send("hello");
        stream.set_read_deadline(StreamDeadline::kNever);
        const std::string got = co_await read_once(stream);
        EXPECT_EQ("hello", got);
    });
}

TEST_P(Ex8_4_Deadline, ReadThatBeginsTooLateEndsAtOnce) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + seconds(1));
        co_await sleep(seconds(2));
        const std::string got = co_await read_once(stream);
        EXPECT_EQ("timed out", got);
        EXPECT_LE(world.elapsed_ms(), 2003) << "there was nothing to wait for";
    });
}

TEST_P(Ex8_4_Deadline, ReadAfterATimeoutWorksLikeAnyOther) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        for (int round = 0; round < 3; ++round) {
            stream.set_read_deadline(world.clock().now() + seconds(1));
            const std::string got = co_await read_once(stream);
            EXPECT_EQ("timed out", got);
            stream.set_read_deadline(StreamDeadline::kNever);
            auto reader = spawn([&] { return read_once(stream); });
            co_await sleep(seconds(10));
            peer.send("hello");
            const std::string hello = co_await reader;
            EXPECT_EQ("hello", hello);
        }
    });
}

TEST_P(Ex8_4_Deadline, WriterThatNobodyReadsEndsAtItsDeadline) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        const std::string text(std::size_t{32} << 20, 'x');
        stream.set_write_deadline(world.clock().now() + seconds(2));
        try {
            co_await stream.write_all(text);
            ADD_FAILURE() << "32 MiB do not fit any buffer";
        } catch (const TimedOut&) {
        }
        EXPECT_GE(world.elapsed_ms(), 2000);
    });
}

TEST_P(Ex8_4_Deadline, WriterOfPiecesThatNobodyReadsEndsAtItsDeadline) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        const std::string text(std::size_t{8} << 20, 'x');
        const std::vector<std::string_view> pieces(4, text);
        stream.set_write_deadline(world.clock().now() + seconds(2));
        auto writer = spawn([&]() -> Task<std::string> {
            try {
                co_await stream.write_all(pieces);
            } catch (const TimedOut&) {
                co_return "timed out";
            }
            co_return "written";
        });
        co_await sleep(seconds(60));
        EXPECT_TRUE(writer.done()) << "pieces are written too: the write deadline is theirs as well";
        writer.abort();
        try {
            EXPECT_EQ("timed out", co_await writer);
        } catch (const TaskAborted&) {
        }
    });
}

TEST_P(Ex8_4_Deadline, DirectionsHaveDeadlinesOfTheirOwn) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + seconds(9));
        stream.set_write_deadline(world.clock().now() + seconds(1));
        auto reader = spawn([&] { return read_once(stream); });
        co_await sleep(seconds(5));
        EXPECT_FALSE(reader.done()) << "only the write deadline has passed";
        peer.send("ok");
        const std::string got = co_await reader;
        EXPECT_EQ("ok", got);
    });
}

TEST_P(Ex8_4_Deadline, StopOfTheTaskIsNoTimeout) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + seconds(3));
        auto reader = spawn([&] { return read_once(stream); });
        co_await sleep(seconds(1));
        reader.abort();
        try {
            co_await reader;
            ADD_FAILURE() << "it was stopped";
        } catch (const TaskAborted&) {
        }
        EXPECT_LE(world.elapsed_ms(), 1002);
    });
}

TEST_P(Ex8_4_Deadline, StreamMayGoWhileItsTimerIsArmed) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        for (int i = 0; i < 50; ++i) {
            auto [ours, peer] = tcp_pair();
            TcpStream stream(world.driver(), std::move(ours));
            stream.set_read_deadline(world.clock().now() + milliseconds(i % 3));
            auto reader = spawn([&] { return read_once(stream); });
            if (i % 2 == 0) co_await sleep(milliseconds(1));
            reader.abort();
            try {
                co_await reader;
            } catch (const TaskAborted&) {
            }
        }
        co_await sleep(seconds(1));
    });
}

TEST_P(Ex8_4_Deadline, DeadlineThatMovesWithEveryMessageCostsNoTimer) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        const auto resumed = world.executor().stats().resumed;
        for (int i = 0; i < 1000; ++i) {
            stream.set_read_deadline(world.clock().now() + seconds(60));
            peer.send("x");
            const std::string got = co_await read_once(stream);
            EXPECT_EQ("x", got);
        }
        const auto extra = world.executor().stats().resumed - resumed;
        EXPECT_LT(extra, 2100U) << "a read resumes its task; what else ran so often?";
    });
}

}  // namespace
}  // namespace starling
