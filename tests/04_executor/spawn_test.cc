// 4.2: tasks that nobody awaits, and handles to those who may.
#include <gtest/gtest.h>

#include <memory>
#include <starling/executor.hh>
#include <starling/executor_probes.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/task_probes.hh>
#include <stdexcept>
#include <string>
#include <utility>

#include "spawn_helpers.hh"

namespace starling {
namespace {

using testing_support::answer;
using testing_support::fail;
using testing_support::Hold;
using testing_support::hold_and_return;
using testing_support::let_go;
using testing_support::report;
using testing_support::run_turns;
using testing_support::set;
using testing_support::Story;
using testing_support::Tracked;
using testing_support::Waiter;
using testing_support::Yield;

TEST(Ex4_2_Spawn, TaskBeginsInTheLoop) {
    Story story("spawn may be called anywhere; when may the new task run?");
    bool ran = false;
    Executor executor;
    executor.spawn(set(ran)).detach();
    story.step("spawn");
    story.expect("the task has run", false, ran);
    story.expect("live tasks", 1u, executor.live_tasks());
    executor.run_once();
    story.step("one turn");
    story.expect("the task has run", true, ran);
}

TEST(Ex4_2_Spawn, TaskThatHasEndedIsNotAmongTheLiving) {
    Story story(
        "the body has ended: whom does its promise tell of it, and what has that one to do?");
    bool ran = false;
    Executor executor;
    executor.spawn(set(ran)).detach();
    executor.run_once();
    story.step("spawn a task, one turn");
    story.expect("the task has run to its end", true, ran);
    story.expect("live tasks", 0u, executor.live_tasks());
}

TEST(Ex4_2_Spawn, AmbientSpawnComesToTheExecutorThatRuns) {
    bool ran = false;
    Executor executor;
    EXPECT_THROW(spawn(set(ran)).detach(), std::logic_error) << "no executor runs on this thread";
    executor
        .spawn([&]() -> Task<> {
            spawn(set(ran)).detach();
            co_return;
        })
        .detach();
    EXPECT_TRUE(run_turns(executor));
    EXPECT_TRUE(ran);
}

TEST(Ex4_2_Spawn, CallableLivesAsLongAsItsTask) {
    Story story("the task refers to the lambda's captures: who keeps the lambda?");
    Hold hold;
    int seen = 0;
    Executor executor;
    executor
        .spawn([&, tracked = Tracked(7)]() -> Task<> {
            co_await hold;
            seen = tracked.value;
        })
        .detach();
    run_turns(executor);
    story.step("a lambda with a capture is spawned; its task waits");
    story.expect("captures alive", 1, Tracked::alive);
    let_go(executor, hold);
    run_turns(executor);
    story.expect("the task saw its capture", 7, seen);
    story.expect("captures alive after its end", 0, Tracked::alive);
}

TEST(Ex4_2_Spawn, CallableThatThrowsLeavesNothingBehind) {
    Executor executor;
    auto broken = [tracked = Tracked()]() -> Task<> { throw std::runtime_error("no task"); };
    EXPECT_THROW(executor.spawn(std::move(broken)).detach(), std::runtime_error);
    EXPECT_EQ(executor.live_tasks(), 0u);
    EXPECT_FALSE(executor.run_once()) << "there is no task to run";
    bool ran = false;
    executor.spawn(set(ran)).detach();
    EXPECT_TRUE(run_turns(executor));
    EXPECT_TRUE(ran) << "the executor is as good as before";
}

TEST(Ex4_2_Spawn, TaskSpawnedWhileTheExecutorEndsIsStopped) {
    Story story("everybody has been asked to stop, then one more is spawned: who asks that one?");
    std::string log;
    auto late = [&]() -> Task<> {
        log += "late begins ";
        for (int i = 0; i < 1000; ++i) co_await Yield{};  // A bound, so that this comes to an end.
        log += "and runs on, nobody stopped it ";
    };
    Waiter spawns_one([&] { spawn(late).detach(); });
    {
        Executor executor;
        executor.schedule(spawns_one);
    }
    story.step("the executor ends; what is still queued then spawns a task");
    story.expect("it begins, and its first await throws", std::string("late begins "), log);
}

TEST(Ex4_2_Join, HandleGivesTheValueOnce) {
    Story story("the task ends while somebody waits for it: who tells the waiter?");
    Hold hold;
    std::string log;
    Executor executor;
    auto handle = executor.spawn(hold_and_return(hold, 42));
    executor.spawn(report(handle, log)).detach();
    run_turns(executor);
    story.step("a task waits; another one awaits its handle");
    story.expect("what the other one got", std::string(), log);
    let_go(executor, hold);
    run_turns(executor);
    story.step("the first one goes on and returns 42");
    story.expect("what the other one got", std::string("42 "), log);
    story.expect("the handle still holds the task", false, handle.valid());
    story.expect("frames alive", 0, Tracked::alive);
}

TEST(Ex4_2_Join, TaskThatHasEndedIsReady) {
    std::string log;
    Executor executor;
    auto handle = executor.spawn(answer());
    run_turns(executor);
    EXPECT_TRUE(handle.done());
    executor.spawn(report(handle, log)).detach();
    executor.run_once();
    EXPECT_EQ(log, "42 ") << "nothing to wait for: the result is there";
}

TEST(Ex4_2_Join, ExceptionArrivesAtTheAwaiter) {
    std::string log;
    Executor executor;
    auto handle = executor.spawn(fail());
    executor.spawn(report(handle, log)).detach();
    EXPECT_TRUE(run_turns(executor));
    EXPECT_EQ(log, "failed: no luck ");
}

TEST(Ex4_2_Join, ResultMayBeMoveOnlyOrAReference) {
    int object = 1;
    bool same = false;
    Executor executor;
    auto box =
        executor.spawn([]() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(5); });
    auto reference = executor.spawn([&]() -> Task<int&> { co_return object; });
    executor
        .spawn([&]() -> Task<> {
            auto value = co_await box;
            object = *value;
            same = &(co_await reference) == &object;
        })
        .detach();
    EXPECT_TRUE(run_turns(executor));
    EXPECT_EQ(object, 5);
    EXPECT_TRUE(same);
}

TEST(Ex4_2_Join, DroppedHandleLetsTheTaskRunOn) {
    Story story("nobody holds the handle any more, but the frame still waits: who frees it?");
    Hold hold;
    Executor executor;
    {
        auto dropped = executor.spawn(hold_and_return(hold, 1));
    }
    run_turns(executor);
    story.step("a task is spawned, its handle is dropped; the task waits");
    story.expect("frames alive", 1, Tracked::alive);
    let_go(executor, hold);
    run_turns(executor);
    story.step("the task goes on to its end");
    story.expect("frames alive", 0, Tracked::alive);
    story.expect("live tasks", 0u, executor.live_tasks());
}

TEST(Ex4_2_Join, HandleDroppedWhileTheTaskWaitsLetsItRunOn) {
    Hold hold;
    Executor executor;
    auto handle = executor.spawn(hold_and_return(hold, 1));
    run_turns(executor);
    handle.detach();
    EXPECT_FALSE(handle.valid());
    EXPECT_EQ(Tracked::alive, 1) << "the frame is suspended, and somebody will resume it";
    let_go(executor, hold);
    run_turns(executor);
    EXPECT_EQ(Tracked::alive, 0);
}

TEST(Ex4_2_Join, HandleKeepsTheResultAfterTheEnd) {
    Executor executor;
    auto made = [](int value) { return [value]() -> Task<Tracked> { co_return Tracked(value); }; };
    {
        auto handle = executor.spawn(made(3));
        run_turns(executor);
        EXPECT_EQ(executor.live_tasks(), 0u);
        EXPECT_EQ(Tracked::alive, 1) << "the result waits to be fetched";
        EXPECT_EQ(handle.finish().value, 3);
        EXPECT_FALSE(handle.valid()) << "it was fetched";
        handle = executor.spawn(made(4));
        run_turns(executor);
        handle = executor.spawn(made(5));  // Lets go of the second.
        EXPECT_EQ(Tracked::alive, 0) << "nobody can ask for the second any more";
        auto& same = handle;
        handle = std::move(same);
        EXPECT_TRUE(handle.valid()) << "moved to itself, it keeps its task";
        auto moved = std::move(handle);
        run_turns(executor);
        EXPECT_FALSE(handle.valid());
        EXPECT_TRUE(moved.done()) << "the task found the handle where it had moved to";
        auto further = std::move(moved);
        EXPECT_EQ(Tracked::alive, 1);
        EXPECT_EQ(further.finish().value, 5) << "a result that is here moves along";
    }
    EXPECT_EQ(Tracked::alive, 0) << "nobody can ask for a result any more";
}

int ignored = 0;

TEST(Ex4_2_Join, ExceptionThatNobodyFetchesIsReported) {
    const auto previous =
        set_ignored_exception_hook([](const std::exception_ptr&) noexcept { ++ignored; });
    Executor executor;
    executor.spawn(fail()).detach();
    run_turns(executor);
    EXPECT_EQ(ignored, 1) << "a detached task failed";
    {
        auto handle = executor.spawn(fail());
        run_turns(executor);
        EXPECT_EQ(ignored, 1) << "it can still be fetched";
    }
    EXPECT_EQ(ignored, 2) << "the handle was dropped without a look";
    {
        auto handle = executor.spawn(fail());
        run_turns(executor);
        EXPECT_THROW(handle.finish(), std::runtime_error);
    }
    EXPECT_EQ(ignored, 2) << "somebody has seen that one";
    set_ignored_exception_hook(previous);
}

TEST(Ex4_2_Spawn, LiveTasksHaveNames) {
    Hold first;
    Hold second;
    Executor executor;
    auto a = executor.spawn(hold_and_return(first, 1), {.name = "alpha"});
    auto b = executor.spawn(hold_and_return(second, 2), {.name = "beta"});
    run_turns(executor);
    EXPECT_EQ(executor.live_task_names(), "beta, alpha") << "newest first";
    EXPECT_EQ(executor.live_task_names(1), "beta and 1 more");
    EXPECT_STREQ(a.context().name(), "alpha");
    let_go(executor, first);
    run_turns(executor);
    EXPECT_EQ(executor.live_task_names(), "beta");
    let_go(executor, second);
    run_turns(executor);
    EXPECT_EQ(executor.live_tasks(), 0u);
}

}  // namespace
}  // namespace starling
