// Intervals and periodic tasks: given, and built on 5.4.
#include <gtest/gtest.h>
#include <starling/interval.hh>
#include <starling/story.hh>
#include <starling/timer_bed.hh>
#include <vector>

namespace starling {
namespace {

using testing_support::Story;
using testing_support::TimerBed;
using namespace std::chrono_literals;

/// When the ticks of a 10 ms interval arrive if its consumer is busy from 10 ms to 35 ms.
std::vector<int> arrivals(MissedTick missed) {
    std::vector<int> at_ms;
    TimerBed bed;
    bed.run([&]() -> Task<> {
        Interval interval(10ms, missed);
        for (int i = 0; i < 5; ++i) {
            co_await interval.tick();
            at_ms.push_back(static_cast<int>(bed.elapsed() / 1ms));
            if (i == 0) co_await sleep(25ms);
        }
    });
    return at_ms;
}

TEST(Ex5_4_Interval, BurstMakesUpForEveryMissedTick) {
    Story story("which ticks were due while the consumer was busy?");
    story.step("period 10 ms, busy from 10 to 35 ms");
    story.expect("ticks arrive at", (std::vector{10, 35, 35, 40, 50}), arrivals(MissedTick::burst));
}

TEST(Ex5_4_Interval, DelayKeepsThePeriodFromTheLateTickOn) {
    Story story("from when does the period count after a late tick?");
    story.step("period 10 ms, busy from 10 to 35 ms");
    story.expect("ticks arrive at", (std::vector{10, 35, 45, 55, 65}), arrivals(MissedTick::delay));
}

TEST(Ex5_4_Interval, SkipKeepsTheBeat) {
    Story story("which is the next tick of the original beat?");
    story.step("period 10 ms, busy from 10 to 35 ms");
    story.expect("ticks arrive at", (std::vector{10, 35, 40, 50, 60}), arrivals(MissedTick::skip));
}

TEST(Ex5_4_Interval, TickSaysWhenItWasDue) {
    Story story("a tick that arrives late: which time does it report?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        const TimePoint begin = bed.clock.now();
        Interval interval(10ms);
        co_await sleep(25ms);
        story.step("period 10 ms, nobody looks for 25 ms");
        story.expect("first tick was due after ms", 10, (co_await interval.tick() - begin) / 1ms);
        story.expect("second tick was due after ms", 20, (co_await interval.tick() - begin) / 1ms);
        story.expect("next tick is due after ms", 30, (interval.next() - begin) / 1ms);
    });
}

TEST(Ex5_4_Interval, StoppedTickIsNotConsumed) {
    Story story("when does the interval step on: when a tick is awaited, or when it has arrived?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        const TimePoint begin = bed.clock.now();
        Interval interval(10ms);
        auto waiter = spawn([&]() -> Task<> { co_await interval.tick(); });
        co_await sleep(5ms);
        waiter.abort();
        EXPECT_THROW(co_await waiter, TaskAborted);
        story.step("a task that waits for the first tick is aborted after 5 ms");
        story.expect("next tick is due after ms", 10, (interval.next() - begin) / 1ms);
        co_await interval.tick();
        story.expect("ms that have passed", 10, bed.elapsed() / 1ms);
    });
}

TEST(Ex5_4_Interval, PeriodThatNeverComesRoundTicksOnce) {
    for (const MissedTick missed : {MissedTick::burst, MissedTick::delay, MissedTick::skip}) {
        Story story("a tick behind the end of time: when is it?");
        int ticks = 0;
        TimerBed bed;
        bed.run([&]() -> Task<> {
            Interval interval(bed.clock.now(), std::chrono::hours::max(), missed);
            auto ticking = spawn([&]() -> Task<> {
                for (;; ++ticks) co_await interval.tick();
            });
            co_await sleep(1h);
            story.step("an interval that begins now, of hours::max(); an hour passes");
            story.expect("ticks", 1, ticks);
            story.expect("the next one is at the end of time", true,
                         interval.next() == TimePoint::max());
            ticking.abort();
            EXPECT_THROW(co_await ticking, TaskAborted);
        });
    }
}

TEST(Ex5_4_Interval, FirstTickBeforeAllTimeIsDueAtOnce) {
    for (const MissedTick missed : {MissedTick::delay, MissedTick::skip}) {
        Story story("how many ticks have been missed since the beginning of time?");
        TimerBed bed;
        bed.run([&]() -> Task<> {
            Interval interval(TimePoint::min(), 10ms, missed);
            co_await interval.tick();
            story.step("an interval of 10 ms since TimePoint::min(); the first tick");
            story.expect("ms that have passed", 0, bed.elapsed() / 1ms);
            co_await interval.tick();
            story.expect("after the second: ms that have passed", 10, bed.elapsed() / 1ms);
        });
    }
}

TEST(Ex5_4_Periodic, CallsUntilItIsAborted) {
    Story story("what ends a loop that never ends?");
    int calls = 0;
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto handle = spawn_periodic(0.01s, [&] { ++calls; });
        co_await sleep(95ms);
        handle.abort();
        EXPECT_THROW(co_await handle, TaskAborted);
        co_await sleep(100ms);
    });
    story.step("every 0.01 s, aborted after 95 ms");
    story.expect("calls", 9, calls);
}

TEST(Ex5_4_Periodic, CallsNeverOverlap) {
    Story story("the function takes longer than the period: when is the next call?");
    int running = 0;
    std::vector<int> begins;
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto handle = spawn_periodic(10ms, [&]() -> Task<> {
            EXPECT_EQ(++running, 1);
            begins.push_back(static_cast<int>(bed.elapsed() / 1ms));
            co_await sleep(25ms);
            --running;
        });
        co_await sleep(100ms);
        handle.abort();
        EXPECT_THROW(co_await handle, TaskAborted);
    });
    story.step("every 10 ms, a function that takes 25 ms; missed ticks delay");
    story.expect("calls begin at", (std::vector{10, 35, 60, 85}), begins);
}

TEST(Ex5_4_Periodic, ExceptionEndsItAndArrivesAtTheHandle) {
    Story story("where does an exception of a task nobody awaits at the moment go?");
    int calls = 0;
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto handle = spawn_periodic(10ms, [&] {
            if (++calls == 3) throw std::runtime_error("third time");
        });
        co_await sleep(1s);
        EXPECT_THROW(co_await handle, std::runtime_error);
    });
    story.step("a function that throws at its third call");
    story.expect("calls", 3, calls);
}

}  // namespace
}  // namespace starling
