// 8.4: one deadline serves many operations, is moved often, and passes seldom.
#include <gtest/gtest.h>

#include <memory>
#include <starling/net_world.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/tcp_stream.hh>

#include "read_once.hh"

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing_support::NetWorld;
using testing_support::read_once;
using testing_support::Story;
using testing_support::tcp_pair;
using testing_support::TestDriver;

class Ex8_4_MovingDeadline : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex8_4_MovingDeadline, testing_support::all_drivers(),
                         testing_support::driver_label);

TEST_P(Ex8_4_MovingDeadline, OneDeadlineCoversManyReads) {
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

TEST_P(Ex8_4_MovingDeadline, DeadlineThatMovesAwayEndsNothingEarly) {
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

TEST_P(Ex8_4_MovingDeadline, DeadlineThatMovesAwayLeavesTheTimerWhereItIs) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the timer comes early, and looks: what does it cost to move a deadline away?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + seconds(10));
        auto reader = spawn([&] { return read_once(stream); });
        co_await yield();
        const TimerService& timers = service<TimerService>("the test");
        const TimePoint first = timers.deadline();
        stream.set_read_deadline(world.clock().now() + seconds(60));
        story.step("a read waits; its deadline of 10 s is moved to 60 s");
        story.expect("the timer is due when it was", true, timers.deadline() == first);
        peer.send("x");
        co_await reader;
        peer.send("y");
        const std::string got = co_await read_once(stream);
        story.step("two reads get their bytes");
        story.expect("the timer is due when it was", true, timers.deadline() == first);
    });
}

TEST_P(Ex8_4_MovingDeadline, ReadThatHasEndedDoesNotTakeTheDeadlineFromTheNext) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("one operation goes, another waits: whose deadline is it?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        auto first = std::make_unique<ReadableOperation>(stream.readable());
        auto reader = spawn([&]() -> Task<> { co_await *first; });
        co_await sleep(milliseconds(5));
        peer.send("x");
        co_await reader;
        stream.consume(stream.buffered().size());
        stream.set_read_deadline(world.clock().now() + seconds(1));
        auto second = spawn([&] { return read_once(stream); });
        co_await sleep(milliseconds(5));
        story.step("one read has got its byte, another waits, with a deadline; the first one goes");
        first.reset();
        co_await sleep(seconds(2));
        story.expect("the second has ended, a second behind its deadline", true, second.done());
        second.abort();
        try {
            const std::string got = co_await second;
            story.expect("as", std::string("timed out"), got);
        } catch (const TaskAborted&) {
        }
    });
}

TEST_P(Ex8_4_MovingDeadline, DeadlineThatMovesCloserIsKept) {
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
        story.expect("what the read has come to", std::string("timed out"), got);
        story.expect("and by then, no more than 1503 ms have passed", true,
                     world.elapsed_ms() <= 1503);
    });
}

TEST_P(Ex8_4_MovingDeadline, FirstDeadlineMayComeWhileAReadWaits) {
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

TEST_P(Ex8_4_MovingDeadline, ReadThatBeginsTooLateEndsAtOnce) {
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

TEST_P(Ex8_4_MovingDeadline, ReadAfterATimeoutWorksLikeAnyOther) {
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

TEST_P(Ex8_4_MovingDeadline, StopAfterATimeoutIsNoTimeout) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.set_read_deadline(world.clock().now() + seconds(1));
        const std::string got = co_await read_once(stream);
        EXPECT_EQ("timed out", got);
        stream.set_read_deadline(StreamDeadline::kNever);
        auto reader = spawn([&] { return read_once(stream); });
        co_await sleep(seconds(1));
        reader.abort();
        try {
            const std::string second = co_await reader;
            ADD_FAILURE() << "its task was stopped, and the read says: " << second;
        } catch (const TaskAborted&) {
        }
    });
}

TEST_P(Ex8_4_MovingDeadline, StreamMayGoWhileItsTimerIsArmed) {
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

TEST_P(Ex8_4_MovingDeadline, DeadlineThatMovesWithEveryMessageCostsNoTimer) {
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
