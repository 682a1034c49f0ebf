// 4.2: a task that is asked to stop, and an awaiter that is.
#include <gtest/gtest.h>

#include <starling/executor.hh>
#include <starling/executor_probes.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/task_probes.hh>
#include <string>
#include <utility>

#include "spawn_helpers.hh"

namespace starling {
namespace {

using testing_support::answer;
using testing_support::Hold;
using testing_support::hold_and_return;
using testing_support::let_go;
using testing_support::report;
using testing_support::run_turns;
using testing_support::Story;
using testing_support::Tracked;
using testing_support::Waiter;
using testing_support::Yield;

/// Waits until it is stopped, then cleans up.
Task<> wait_for_stop(std::string& log) {
    log += "begun ";
    try {
        for (int i = 0; i < 2'000'000; ++i) co_await Yield{};  // So that it ends in any case.
        log += "never stopped ";
    } catch (const Cancelled&) {
        log += "stopped ";
    }
    co_await shield(Yield{});
    log += "cleaned ";
    co_await Yield{};  // Throws again.
}

TEST(Ex4_2_Abort, AwaitsOfAnAbortedTaskThrow) {
    Story story("abort is a request: where does the task learn of it, and its awaiter of the end?");
    std::string log;
    Executor executor;
    auto handle = executor.spawn(wait_for_stop(log), {.name = "waiting"});
    executor.spawn(report(handle, log)).detach();
    executor.run_once();
    handle.abort();
    story.step("a task waits, another one awaits it; abort()");
    story.expect("what happened so far", std::string("begun "), log);
    story.expect("the executor becomes idle", true, run_turns(executor));
    story.expect("what happened",
                 std::string("begun stopped cleaned aborted: the task 'waiting' was aborted "),
                 log);
}

TEST(Ex4_2_Abort, TaskThatHasNotBegunRunsUpToItsFirstAwait) {
    std::string log;
    Executor executor;
    auto handle = executor.spawn([&]() -> Task<> {
        log += "begun ";
        co_await Yield{};
        log += "went on ";
    });
    handle.abort();
    EXPECT_TRUE(run_turns(executor));
    EXPECT_EQ(log, "begun ") << "it looks after what it was given, then its first await throws";
    EXPECT_TRUE(handle.done());
}

TEST(Ex4_2_Abort, AbortAfterTheEndChangesNothing) {
    std::string log;
    Executor executor;
    auto handle = executor.spawn(answer());
    run_turns(executor);
    handle.abort();
    executor.spawn(report(handle, log)).detach();
    run_turns(executor);
    EXPECT_EQ(log, "42 ") << "a success beats a stop";
}

TEST(Ex4_2_Abort, HandleThatHoldsNoTaskStopsNobody) {
    Story story("whom does a handle know that has let go of its task?");
    Hold hold;
    Executor executor;
    auto handle = executor.spawn(hold_and_return(hold, 1));
    run_turns(executor);
    Context& context = handle.context();
    handle.detach();
    handle.abort();
    story.step("a task waits; its handle is detached, then told to abort");
    story.expect("the task was asked to stop", false, context.stop_requested());
    JoinHandle<> none;
    none.abort();
    none.detach();
    story.step("the same with a handle that never held one");
    let_go(executor, hold);
    run_turns(executor);
    story.expect("frames alive after the task's end", 0, Tracked::alive);
}

TEST(Ex4_2_Abort, HandleThatLetsGoWhileItIsAwaitedForgetsItsWaiter) {
    Story story("an await of the handle is under way: who knows of it, and must forget it?");
    Hold hold;
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    Executor executor;
    Executor::Enter scope(executor);
    auto handle = executor.spawn(hold_and_return(hold, 1));
    run_turns(executor);
    handle.start(waiter);
    handle.detach();
    story.step("a task waits, its handle is awaited, then detached");
    context.request_stop();
    story.step("the context of who awaited it is stopped");
    hold.go();
    run_turns(executor);
    story.step("the task ends");
    story.expect("times the waiter was resumed", 0, waiter.resumed);
    story.expect("frames alive", 0, Tracked::alive);
}

TEST(Ex4_2_Abort, StoppingTheAwaiterLeavesTheTaskAlone) {
    Story story("whose stop is it: the awaiter's, or the task's?");
    Hold hold;
    std::string log;
    Executor executor;
    auto handle = executor.spawn(hold_and_return(hold, 42));
    auto awaiter = executor.spawn(report(handle, log));
    run_turns(executor);
    awaiter.abort();
    run_turns(executor);
    story.step("a task waits; its awaiter is aborted");
    story.expect("what the awaiter got", std::string("cancelled "), log);
    story.expect("the task has ended", false, handle.done());
    executor.spawn(report(handle, log)).detach();
    run_turns(executor);
    let_go(executor, hold);
    run_turns(executor);
    story.step("a second one awaits the same handle, and the task returns 42");
    story.expect("what they got", std::string("cancelled 42 "), log);
}

TEST(Ex4_2_Abort, StopThatNobodyLookedAtIsForgotten) {
    // As a select or a timeout does with a loser: it stops it, and never asks it for its result.
    for (const bool ended : {false, true}) {
        Story story("who was stopped: the first await, the second, or the task?");
        std::string log;
        Executor executor;
        auto handle = executor.spawn(wait_for_stop(log), {.name = "waiting"});
        run_turns(executor);
        Context branch;
        Waiter waiter;
        waiter.set_context(&branch);
        if (!story.expect("the task has ended", false, handle.ready())) return;
        handle.start(waiter);
        branch.request_stop();
        run_turns(executor);
        story.step("an await of the handle is stopped");
        story.expect("times the waiter ran", 1, waiter.resumed);
        log.clear();
        handle.abort();
        if (ended) run_turns(executor);
        executor.spawn(report(handle, log)).detach();
        run_turns(executor);
        story.step(ended ? "the task is aborted and ends, then somebody awaits it"
                         : "the task is aborted, and somebody awaits it");
        story.expect("what happened",
                     std::string("stopped cleaned aborted: the task 'waiting' was aborted "), log);
    }
}

TEST(Ex4_2_Abort, HandleWhoseAwaitWasStoppedIsAsGoodAsBefore) {
    Story story("the handle is awaited again: what does it still remember of the first await?");
    std::string log;
    Executor executor;
    auto handle = executor.spawn(wait_for_stop(log), {.name = "waiting"});
    auto awaiter = executor.spawn([&]() -> Task<> { co_await handle; });
    executor.run_once();
    awaiter.abort();
    executor.run_once();
    story.step("a task waits, another one awaits it; the awaiter is aborted");
    story.expect("the awaiter has ended", true, awaiter.done());
    executor.spawn(report(handle, log)).detach();
    executor.run_once();
    handle.abort();
    story.step("a second one awaits the same handle; now the task itself is aborted");
    story.expect("the executor becomes idle", true, run_turns(executor));
    story.expect("what the second one got",
                 std::string("begun stopped cleaned aborted: the task 'waiting' was aborted "),
                 log);
}

TEST(Ex4_2_Abort, AwaitInAStoppedContextEndsAtOnce) {
    Story story("the stop was there before the await: who calls on_stop, and what must it find?");
    Hold hold;
    Context stopped("stopped");
    Waiter waiter;
    waiter.set_context(&stopped);
    Executor executor;
    auto handle = executor.spawn(hold_and_return(hold, 42));
    run_turns(executor);
    Executor::Enter scope(executor);
    stopped.request_stop();
    handle.start(waiter);
    run_turns(executor);
    story.step("a task waits; its handle is awaited in a context that is stopped already");
    story.expect("times the awaiter was resumed", 1, waiter.resumed);
    story.expect("what it got: stopped", true, handle.stopped());
    EXPECT_THROW(handle.finish(), Cancelled);
    hold.go();
    run_turns(executor);
    story.step("then the task ends");
    story.expect("times the awaiter was resumed", 1, waiter.resumed);
    story.expect("the result", 42, handle.finish());
}

TEST(Ex4_2_Abort, EndThatWasFirstBeatsTheStopOfTheAwaiter) {
    Executor executor({.batch_max = 1});  // One continuation a turn.
    Hold hold;
    std::string log;
    auto handle = executor.spawn(hold_and_return(hold, 42));
    auto awaiter = executor.spawn(report(handle, log));
    run_turns(executor);
    let_go(executor, hold);
    for (int i = 0; i < 100 && !handle.done(); ++i) executor.run_once();
    EXPECT_EQ(log, "")
        << "the task has ended, and its awaiter is queued: it does not run inside the "
           "end of the task";
    awaiter.abort();
    EXPECT_TRUE(run_turns(executor));
    EXPECT_EQ(log, "42 ");
}

TEST(Ex4_2_Abort, AwaiterThatIsStoppedWithItsTaskIsCancelled) {
    Story story("both were asked to stop: did the child fail, so that the parent must handle it?");
    std::string log;
    Executor executor;
    auto handle = executor.spawn(wait_for_stop(log), {.name = "child"});
    auto awaiter = executor.spawn([&]() -> Task<> { co_await handle; }, {.name = "parent"});
    executor.run_once();
    executor.stop_all();
    story.step("a task waits, another one awaits it; both are asked to stop");
    story.expect("the executor becomes idle", true, run_turns(executor));
    story.expect("both have ended", true, handle.done() && awaiter.done());
    std::string end;
    executor.spawn(report(awaiter, end)).detach();
    run_turns(executor);
    story.expect("the awaiter ended by its own stop",
                 std::string("aborted: the task 'parent' was aborted "), end);
}

}  // namespace
}  // namespace starling
