// 5.4: a sleep that is stopped, destroyed, or loses its service. Needs 5.1, 5.2, 5.3.
#include <gtest/gtest.h>
#include <memory>
#include <starling/probes.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/timer_bed.hh>
#include <string>

namespace starling {
namespace {

using testing_support::Story;
using testing_support::TimerBed;
using testing_support::Waiter;
using namespace std::chrono_literals;

/// Nanoseconds, for readable comparisons.
auto ns(Duration d) { return d.count(); }

TEST(Ex5_4_Sleep, StoppedSleeperWakesAtOnce) {
    Story story("who tells the sleeper that its task is to stop?");
    bool cancelled = false;
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto sleeper = spawn([&]() -> Task<> {
            try {
                co_await sleep(24h);
            } catch (const Cancelled&) {
                cancelled = true;
                throw;
            }
        });
        co_await sleep(5ms);
        sleeper.abort();
        EXPECT_THROW(co_await sleeper, TaskAborted);
    });
    story.step("abort a task that sleeps for a day, after 5 ms");
    story.expect("its sleep threw Cancelled", true, cancelled);
    story.expect("ns that have passed", ns(5ms), ns(bed.elapsed()));
    story.expect("a timer is still armed", false, bed.timers.active());
}

TEST(Ex5_4_Sleep, SleepInAStoppedContextEndsAtOnce) {
    Story story(
        "the stop came before the sleep: when is on_stop called, and is the timer armed then?");
    TimerBed bed;
    Executor::Enter enter(bed.executor);
    Context context;
    context.request_stop();
    Waiter waiter;
    waiter.set_context(&context);
    SleepOperation op(bed.clock.now() + 5s);
    op.start(waiter);
    story.step("start a sleep in a context that was stopped before");
    bed.executor.run_once();
    story.expect("times the waiter was resumed", 1, waiter.resumed);
    story.expect("the operation was stopped", true, op.stopped());
    EXPECT_THROW(op.finish(), Cancelled);
    story.expect("a timer is still armed", false, bed.timers.active());
}

TEST(Ex5_4_Sleep, TimeThatIsOverBeatsAStop) {
    Story story("the timer has fired and the waiter is posted: may a stop post it once more?");
    TimerBed bed;
    Executor::Enter enter(bed.executor);
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    SleepOperation op(bed.clock.now() + 5ms);
    op.start(waiter);
    bed.clock.advance(5ms);
    bed.timers.poll();  // Reads the time of the turn, which is before.
    bed.executor.run_once();
    story.step("start a sleep of 5 ms, let them pass, poll: the waiter is posted");
    context.request_stop();
    story.step("request a stop before the waiter has run");
    bed.executor.run_once();
    story.expect("times the waiter was resumed", 1, waiter.resumed);
    story.expect("the operation was stopped", false, op.stopped());
    EXPECT_NO_THROW(op.finish());
}

TEST(Ex5_4_Sleep, WaiterMayFreeTheSleepThatPostsIt) {
    Story story("the waiter owns the sleep: what may be left of it when `post` comes back?");
    TimerBed bed;
    Executor::Enter enter(bed.executor);
    testing_support::ImmediatePost runs_at_once;
    auto op = std::make_unique<SleepOperation>(bed.clock.now());
    Waiter waiter([&] { op.reset(); });
    op->start(waiter);
    story.step("start a sleep until now, whose waiter frees it, and poll");
    bed.timers.poll();
    story.expect("times the waiter was resumed", 1, waiter.resumed);
}

TEST(Ex5_4_Sleep, StopOfAFinishedSleepDoesNothing) {
    Story story("after `finish`, who may still know the operation?");
    TimerBed bed;
    Executor::Enter enter(bed.executor);
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    SleepOperation op(bed.clock.now() + 5ms);
    op.start(waiter);
    bed.clock.advance(5ms);
    bed.executor.run_once();
    bed.executor.run_once();
    op.finish();
    story.step("a sleep of 5 ms is over, and finished");
    context.request_stop();
    bed.executor.run_once();
    story.step("then its context is stopped");
    story.expect("times the waiter was resumed", 1, waiter.resumed);
}

TEST(Ex5_4_Sleep, SleepThatWasStoppedCanBeAwaitedAgain) {
    Story story("a sleep that lost a race waits again: what does it still remember of the stop?");
    for (const bool in_time : {true, false}) {
        TimerBed bed;
        Executor::Enter enter(bed.executor);
        Context first;
        Waiter loser;
        loser.set_context(&first);
        SleepOperation op(bed.clock.now() + 30ms);
        op.start(loser);
        first.request_stop();
        bed.executor.run_once();
        story.step("start a sleep of 30 ms and stop it, as a combinator does with a loser");
        story.expect("it was stopped", true, op.stopped());
        Waiter again;
        if (in_time) {
            story.expect("ask it once more: it is ready", false, op.ready());
            op.start(again);
        }
        bed.clock.advance(30ms);
        bed.executor.run_once();
        bed.executor.run_once();
        story.step("let 30 ms pass");
        if (!in_time) story.expect("ask it once more: it is ready", true, op.ready());
        story.expect("times the second waiter was resumed", int(in_time), again.resumed);
        story.expect("it was stopped", false, op.stopped());
        EXPECT_NO_THROW(op.finish());
    }
}

TEST(Ex5_4_Sleep, DestroyedSleeperLeavesTheWheel) {
    Story story(
        "the frame goes while it sleeps: to whose memory do its neighbours in the slot point?");
    TimerBed bed;
    Executor::Enter enter(bed.executor);
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    {
        SleepOperation op(bed.clock.now() + 5ms);
        op.start(waiter);
        story.step("start a sleep of 5 ms, and destroy it");
    }
    story.expect("a timer is still armed", false, bed.timers.active());
    bed.clock.advance(1s);
    bed.executor.run_once();
    context.request_stop();
    bed.executor.run_once();
    story.expect("times the waiter was resumed", 0, waiter.resumed);
}

TEST(Ex5_4_Sleep, SleepersOutliveTheirService) {
    Story story("the wheel is gone: what do the sleepers' links point to?");
    VirtualClock clock;
    testing_support::TimerParker parker(clock);
    bool ended = false;
    {
        Executor executor({.parker = &parker, .clock = &clock});
        TimerService timers(executor);
        auto handle = executor.spawn([&]() -> Task<> {
            struct AtEnd {
                bool& ended;
                ~AtEnd() { ended = true; }
            } at_end{ended};
            co_await sleep(1h);
        });
        executor.run_once();
        story.step("a task sleeps; the service goes, then the executor");
    }
    story.expect("the task's locals were destroyed", true, ended);
}

TEST(Ex5_4_Sleep, SleeperWhoseServiceHasGoneCanStillBeStopped) {
    Story story("the wheel has gone: has the timer fired?");
    VirtualClock clock;
    testing_support::TimerParker parker(clock);
    std::string end = "destroyed";
    {
        Executor executor({.parker = &parker, .clock = &clock});
        TimerService timers(executor);
        executor
            .spawn([&]() -> Task<> {
                try {
                    co_await sleep(1h);
                    end = "woken";
                } catch (const Cancelled&) {
                    end = "cancelled";
                }
            })
            .detach();
        executor.run_once();
        story.step("a task sleeps; the service goes, then the executor, which stops its tasks");
    }
    story.expect("how the sleep ended", std::string("cancelled"), end);
}

}  // namespace
}  // namespace starling
