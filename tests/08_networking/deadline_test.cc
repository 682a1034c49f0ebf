// 8.4: a deadline ends what waits, and costs nobody a byte.
#include <gtest/gtest.h>

#include <starling/net_world.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/tcp_stream.hh>
#include <vector>

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

class Ex8_4_Deadline : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex8_4_Deadline, testing_support::all_drivers(),
                         testing_support::driver_label);

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
        EXPECT_TRUE(writer.done())
            << "pieces are written too (write_all(pieces), 8.3): which deadline is theirs?";
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

TEST_P(Ex8_4_Deadline, StopThatComesBehindItInTheSameTurnIsTheStrongerNews) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("late, and then stopped as well before it could say so: what does it say?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        std::string heard = "nothing";
        auto reader = spawn([&]() -> Task<> {
            try {
                heard = co_await read_once(stream);
            } catch (const Cancelled&) {
                heard = "cancelled";
                throw;
            }
        });
        co_await sleep(seconds(1));
        stream.set_read_deadline(world.clock().now());
        service<TimerService>("the test").poll();  // As if this turn had ended here.
        reader.abort();
        story.step("a read's deadline comes; before its task has run, the task is stopped");
        try {
            co_await reader;
        } catch (const TaskAborted&) {
        }
        story.expect("it heard", std::string("cancelled"), heard);
    });
}

TEST_P(Ex8_4_Deadline, StopThatCameBeforeItInTheSameTurnIsNoTimeoutEither) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("a task is stopped, and before it has run its deadline comes: what does it hear?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        std::string heard = "nothing";
        auto reader = spawn([&]() -> Task<> {
            try {
                heard = co_await read_once(stream);
            } catch (const Cancelled&) {
                heard = "cancelled";
                throw;
            }
        });
        co_await sleep(seconds(1));
        stream.set_read_deadline(world.clock().now());
        reader.abort();
        service<TimerService>("the test").poll();  // As if this turn had ended here.
        story.step("a read is stopped in the turn of its deadline, just before it");
        try {
            co_await reader;
        } catch (const TaskAborted&) {
        }
        story.expect("it heard", std::string("cancelled"), heard);
    });
}

}  // namespace
}  // namespace starling
