// 5.5: any awaitable, but not for longer than this. Needs 5.1 to 5.4.
#include <gtest/gtest.h>
#include <memory>
#include <random>
#include <starling/probes.hh>
#include <starling/story.hh>

#include "timeout_bed.hh"

namespace starling {
namespace {

using testing_support::answer_after;
using testing_support::elapsed_ms;
using testing_support::outcome_of;
using testing_support::pass;
using testing_support::Story;
using testing_support::TimerBed;
using testing_support::Waiter;
using namespace std::chrono_literals;

TEST(Ex5_5_Timeout, EndOfTheOperationIsHeardOfOnce) {
    Story story("the operation has ended before its time is over: who else could wake the waiter?");
    TimerBed bed;
    Executor::Enter enter(bed.executor);
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    auto op = timeout(sleep(5ms), 10ms);
    op.start(waiter);
    story.step("start a sleep of 5 ms, within 10 ms");
    pass(bed, 5ms);
    story.expect("after 5 ms: times the waiter was resumed", 1, waiter.resumed);
    story.expect("a timer is still armed", false, bed.timers.active());
    pass(bed, 20ms);
    story.step("nobody asks for the result yet, as in a select that waits for others");
    story.expect("20 ms later: times the waiter was resumed", 1, waiter.resumed);
    EXPECT_NO_THROW(op.finish());
}

TEST(Ex5_5_Timeout, EndOfTheTimeIsHeardOfOnce) {
    Story story("who stops the operation, and who wakes the waiter then?");
    TimerBed bed;
    Executor::Enter enter(bed.executor);
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    auto op = timeout(sleep(10ms), 5ms);
    op.start(waiter);
    story.step("start a sleep of 10 ms, within 5 ms");
    pass(bed, 5ms);
    story.expect("after 5 ms: times the waiter was resumed", 1, waiter.resumed);
    pass(bed, 20ms);
    story.expect("20 ms later: times the waiter was resumed", 1, waiter.resumed);
    story.expect("it was stopped from outside", false, op.stopped());
    EXPECT_THROW(op.finish(), TimedOut);
}

TEST(Ex5_5_Timeout, DestroyedTimeoutLeavesTheWheel) {
    Story story("the frame goes while it waits: who would be called when the time is over?");
    TimerBed bed;
    Executor::Enter enter(bed.executor);
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    {
        auto op = timeout(sleep(10ms), 5ms);
        op.start(waiter);
        story.step("start a sleep of 10 ms, within 5 ms, and destroy both");
    }
    story.expect("a timer is still armed", false, bed.timers.active());
    context.request_stop();
    pass(bed, 20ms);
    story.expect("times the waiter was resumed", 0, waiter.resumed);
}

TEST(Ex5_5_Timeout, ResultThatComesInTimeIsReturned) {
    Story story("the operation ends first: who goes on, and with what?");
    TimerBed bed;
    const auto result = bed.run([] { return outcome_of(timeout(answer_after(5ms), 10ms)); });
    story.step("an answer that takes 5 ms, within 10 ms");
    story.expect("result", std::string("value 42"), result);
    story.expect("ms that have passed", 5, elapsed_ms(bed));
}

TEST(Ex5_5_Timeout, OperationThatTakesTooLongIsStopped) {
    Story story("who stops the operation when the time is over?");
    TimerBed bed;
    const auto result = bed.run([] { return outcome_of(timeout(answer_after(50ms), 10ms)); });
    story.step("an answer that takes 50 ms, within 10 ms");
    story.expect("result", std::string("timed out"), result);
    story.expect("ms that have passed", 10, elapsed_ms(bed));
}

TEST(Ex5_5_Timeout, TimerIsDisarmedWhenTheOperationEnds) {
    Story story("the timer lives in the operation that has just ended: does the wheel know?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        (void)co_await timeout(answer_after(5ms), 1h);
        story.step("an answer that takes 5 ms, within an hour");
        story.expect("a timer is still armed", false, bed.timers.active());
    });
    story.expect("ms that have passed", 5, elapsed_ms(bed));
}

TEST(Ex5_5_Timeout, WaitsUntilTheLoserHasEnded) {
    Story story("a stop is a request: when may the frame that the loser uses go on?");
    bool loser_ended = false;
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto slow_to_end = [&]() -> Task<int> {
            try {
                co_await sleep(1h);
            } catch (const Cancelled&) {
            }
            co_await shield(sleep(30ms));  // Cleans up.
            loser_ended = true;
            throw Cancelled{};
        };
        const auto result = co_await outcome_of(timeout(slow_to_end(), 10ms));
        story.step("an operation that takes 30 ms to clean up after it was stopped, within 10 ms");
        story.expect("it has ended", true, loser_ended);
        story.expect("result", std::string("timed out"), result);
    });
    story.expect("ms that have passed", 40, elapsed_ms(bed));
}

TEST(Ex5_5_Timeout, SuccessBeatsTheTimeout) {
    Story story("the operation was stopped and succeeded all the same: is its result thrown away?");
    TimerBed bed;
    const auto result = bed.run([]() -> Task<std::string> {
        auto stubborn = []() -> Task<int> {
            try {
                co_await sleep(1h);
            } catch (const Cancelled&) {
            }
            co_return 7;
        };
        co_return co_await outcome_of(timeout(stubborn(), 10ms));
    });
    story.step("an operation that answers 7 when it is stopped, within 10 ms");
    story.expect("result", std::string("value 7"), result);
}

TEST(Ex5_5_Timeout, ErrorOfTheOperationIsItsResult) {
    Story story("which exception does the awaiter see?");
    TimerBed bed;
    const auto result = bed.run([]() -> Task<std::string> {
        auto failing = []() -> Task<int> {
            co_await sleep(5ms);
            throw std::runtime_error("no answer");
        };
        co_return co_await outcome_of(timeout(failing(), 10ms));
    });
    story.step("an operation that fails after 5 ms, within 10 ms");
    story.expect("result", std::string("error no answer"), result);
}

TEST(Ex5_5_Timeout, WhatIsReadyNeedsNoTime) {
    Story story("a limit of zero and a result that is here: which counts?");
    TimerBed bed;
    const auto result = bed.run([] { return outcome_of(timeout(make_ready_future<int>(3), 0ms)); });
    story.step("a ready future, within 0 ms");
    story.expect("result", std::string("value 3"), result);
    story.expect("times the executor slept", 0u, bed.sleeps());
}

TEST(Ex5_5_Timeout, InnermostOfTwoLimitsThatExpiresDecides) {
    Story story("the outer timeout stops the inner one: what does the inner one report?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto inner = co_await outcome_of(timeout(timeout(answer_after(1h), 10ms), 20ms));
        story.expect("10 ms within 20 ms", std::string("timed out"), inner);
        story.expect("ms that have passed", 10, elapsed_ms(bed));
        auto outer = co_await outcome_of(timeout(timeout(answer_after(1h), 20ms), 10ms));
        story.expect("20 ms within 10 ms", std::string("timed out"), outer);
        story.expect("ms that have passed", 20, elapsed_ms(bed));
    });
}

TEST(Ex5_5_Timeout, OperationAndTimerThatEndInOnePollAreBothWaitedFor) {
    Story story("the operation has ended, and so has its time: who goes on, and how often?");
    TimerBed bed;
    const auto result = bed.run([&]() -> Task<std::string> {
        auto busy = spawn([&]() -> Task<> {
            co_await sleep(8ms);
            bed.clock.advance(2ms);  // As if it had computed for that long.
        });
        co_return co_await outcome_of(timeout(answer_after(9ms), 10ms));
    });
    story.step(
        "an answer that takes 9 ms, within 10 ms; nobody looks at the clock from 8 to 10 ms");
    story.expect("result", std::string("value 42"), result);
    story.expect("a timer is still armed", false, bed.timers.active());
}

TEST(Ex5_5_Timeout, ResultThatIsThereWhenTheTimerFiresCounts) {
    Story story("the time is over before the operation's awaiter has run: has it failed?");
    TimerBed bed;
    Promise<int> promise;
    const auto result = bed.run([&]() -> Task<std::string> {
        auto setter = spawn([&]() -> Task<> {
            co_await sleep(10ms);
            promise.set_value(5);
        });
        co_await yield();
        co_return co_await outcome_of(timeout(promise.get_future(), 10ms));
    });
    story.step("a promise is satisfied in the turn in which the limit of 10 ms expires");
    story.expect("result", std::string("value 5"), result);
}

TEST(Ex5_5_Timeout, HandleGivenByReferenceCanBeAwaitedAgain) {
    Story story("the operation was lent, not given: what is left of it after a timeout?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto task = spawn(answer_after(50ms));
        bool timed_out = false;
        try {
            (void)co_await timeout(task, 10ms);
        } catch (const TimedOut&) {
            timed_out = true;
        }
        story.step("await a join handle for 10 ms; the task takes 50 ms");
        story.expect("it timed out", true, timed_out);
        story.expect("await the handle: its result", 42, co_await task);
    });
    story.expect("ms that have passed", 50, elapsed_ms(bed));
}

TEST(Ex5_5_Timeout, MoveOnlyAndVoidResultsPass) {
    TimerBed bed;
    bed.run([]() -> Task<> {
        auto box = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(9); };
        EXPECT_EQ(*co_await timeout(box(), 10ms), 9);
        co_await timeout(sleep(5ms), 10ms);
        EXPECT_THROW(co_await timeout(sleep(50ms), 10ms), TimedOut);
    });
}

TEST(Ex5_5_Timeout, EveryOneOfManyGetsItsResultOrItsTimeout) {
    int values = 0, timeouts = 0, wrong = 0;
    TimerBed bed;
    bed.run([&]() -> Task<> {
        std::mt19937 random(11);
        for (int i = 0; i < 2000; ++i) {
            const auto takes = std::chrono::milliseconds(random() % 400);
            const auto limit = std::chrono::milliseconds(random() % 400);
            spawn([](TimerBed& bed, Duration takes, Duration limit, int& values, int& timeouts,
                     int& wrong) -> Task<> {
                const TimePoint begin = bed.clock.now();
                const auto result = co_await outcome_of(timeout(answer_after(takes), limit));
                const Duration took = bed.clock.now() - begin;
                if (result == "value 42" && takes <= limit && took == takes) {
                    ++values;
                } else if (result == "timed out" && limit <= takes && took == limit) {
                    ++timeouts;
                } else {
                    ++wrong;
                }
            }(bed, takes, limit, values, timeouts, wrong))
                .detach();
        }
        co_await sleep(1s);
    });
    EXPECT_EQ(values + timeouts, 2000) << "some never ended";
    EXPECT_EQ(wrong, 0) << "Ask yourself: which of the two was first, and does the result say so?";
    EXPECT_FALSE(bed.timers.active());
}

}  // namespace
}  // namespace starling
