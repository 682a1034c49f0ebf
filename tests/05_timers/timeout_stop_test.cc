// 5.5: a stop from outside, and the time limit, in either order. Needs 5.1 to 5.4.
#include <gtest/gtest.h>
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

TEST(Ex5_5_Timeout, StopFromOutsideIsHeardOfOnce) {
    for (const bool before : {true, false}) {
        Story story("a stop of the context around it: by which way does the operation hear of it?");
        TimerBed bed;
        Executor::Enter enter(bed.executor);
        Context context;
        Waiter waiter;
        waiter.set_context(&context);
        auto op = timeout(sleep(10ms), 5ms);
        if (before) context.request_stop();
        op.start(waiter);
        if (!before) context.request_stop();
        story.step(before ? "start a sleep of 10 ms, within 5 ms, in a context that is stopped"
                          : "start a sleep of 10 ms, within 5 ms, then stop its context");
        pass(bed, 0ms);
        story.expect("times the waiter was resumed", 1, waiter.resumed);
        story.expect("it was stopped from outside", true, op.stopped());
        pass(bed, 20ms);
        story.expect("20 ms later: times the waiter was resumed", 1, waiter.resumed);
        EXPECT_THROW(op.finish(), Cancelled);
    }
}

TEST(Ex5_5_Timeout, OuterStopReachesTheOperationAndIsNoTimeout) {
    Story story("who hears of a stop from outside, and what does the awaiter see then?");
    std::string result = "none";
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto task = spawn(
            [&]() -> Task<> { result = co_await outcome_of(timeout(answer_after(1h), 30min)); });
        co_await sleep(5ms);
        task.abort();
        try {
            co_await task;
        } catch (const TaskAborted&) {
        }
    });
    story.step("a task waits for an answer within 30 minutes, and is aborted after 5 ms");
    story.expect("result", std::string("cancelled"), result);
    story.expect("ms that have passed", 5, elapsed_ms(bed));
    story.expect("a timer is still armed", false, bed.timers.active());
}

TEST(Ex5_5_Timeout, OuterStopBeatsATimeoutThatComesWhileItEnds) {
    Story story("the time is over, but somebody else has stopped it before: whose stop was it?");
    std::string result = "none";
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto slow_to_end = []() -> Task<int> {
            try {
                co_await sleep(1h);
            } catch (const Cancelled&) {
            }
            co_await shield(sleep(30ms));  // Cleans up.
            throw Cancelled{};
        };
        auto task =
            spawn([&]() -> Task<> { result = co_await outcome_of(timeout(slow_to_end(), 10ms)); });
        co_await sleep(5ms);
        task.abort();
        try {
            co_await task;
        } catch (const TaskAborted&) {
        }
    });
    story.step("within 10 ms; aborted after 5 ms; the operation takes 30 ms more to end");
    story.expect("result", std::string("cancelled"), result);
    story.expect("ms that have passed", 35, elapsed_ms(bed));
}

TEST(Ex5_5_Timeout, OuterStopBeatsATimeoutWhoseOperationStillEnds) {
    Story story("the time was over first, the task was stopped next, and then the operation ended");
    for (const Duration cleans_up : {0ms, 30ms}) {
        std::string result = "none";
        TimerBed bed;
        bed.run([&]() -> Task<> {
            auto slow_to_end = [&]() -> Task<int> {
                try {
                    co_await sleep(1h);
                } catch (const Cancelled&) {
                }
                co_await shield(sleep(cleans_up));
                throw Cancelled{};
            };
            JoinHandle<> task;
            auto stopper = spawn([&]() -> Task<> {
                co_await sleep(10ms);  // Armed before the limit, it wakes before the operation.
                task.abort();
            });
            co_await yield();
            task = spawn(
                [&]() -> Task<> { result = co_await outcome_of(timeout(slow_to_end(), 10ms)); });
            try {
                co_await task;
            } catch (const TaskAborted&) {
            }
            co_await stopper;
        });
        story.step("within 10 ms; aborted in the turn in which they are over; it takes " +
                   std::to_string(cleans_up / 1ms) + " ms to end");
        story.expect("result", std::string("cancelled"), result);
    }
}

TEST(Ex5_5_Timeout, OperationThatWasStoppedInTimeHasNotTimedOut) {
    Story story(
        "it was stopped, and before its waiter has run the time is over: whose stop was it?");
    TimerBed bed;
    Executor::Enter enter(bed.executor);
    Waiter waiter;
    SleepOperation nap = sleep(1h);
    auto op = timeout(nap, 0ms);
    op.start(waiter);
    nap.stop();
    bed.timers.poll();
    story.step(
        "start a sleep of an hour, within 0 ms; somebody else stops it; then the timer expires");
    pass(bed, 0ms);
    story.expect("times the waiter was resumed", 1, waiter.resumed);
    story.expect("the operation was stopped, and not by its limit", true, op.stopped());
    EXPECT_THROW(op.finish(), Cancelled);
}

TEST(Ex5_5_Timeout, StopThatComesAfterItHasEndedChangesNothing) {
    Story story("a select stops its losers, in the context of the winner: what was news by then?");
    TimerBed bed;
    Executor::Enter enter(bed.executor);
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    auto op = timeout(sleep(10ms), 5ms);
    op.start(waiter);
    pass(bed, 5ms);
    story.step("a sleep of 10 ms, within 5 ms, which are over");
    story.expect("times the waiter was resumed", 1, waiter.resumed);
    context.request_stop();
    story.step("the context is stopped before anybody asks for the result");
    story.expect("the operation was stopped", false, op.stopped());
    EXPECT_THROW(op.finish(), TimedOut);
}

TEST(Ex5_5_Timeout, TaskAroundItIsNotStopped) {
    Story story("whose context did you stop?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        const auto first = co_await outcome_of(timeout(answer_after(50ms), 10ms));
        story.step("a timeout that expires");
        story.expect("result", std::string("timed out"), first);
        const auto second = co_await outcome_of(timeout(answer_after(5ms), 10ms));
        story.expect("a second one, in the same task", std::string("value 42"), second);
    });
}

}  // namespace
}  // namespace starling
