// 4.4: nobody interrupts you, so now and then you step aside.
#include <gtest/gtest.h>

#include <algorithm>
#include <starling/executor.hh>
#include <starling/executor_probes.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <string>

namespace starling {
namespace {

using testing_support::ScriptedSource;
using testing_support::StackProbe;
using testing_support::Story;

Task<> write(std::string& log, const char* who, int times) {
    for (int i = 0; i < times; ++i) {
        log += who;
        co_await yield();
    }
}

TEST(Ex4_4_Yield, TasksTakeTurns) {
    Story story("you step aside: who comes before you now?");
    std::string log;
    Executor executor;
    executor.spawn(write(log, "a", 3)).detach();
    executor.spawn(write(log, "b", 3)).detach();
    executor.block_on(write(log, "c", 3));
    story.step("three tasks write their letter and yield, three times each");
    story.expect("what was written", std::string("abcabcabc"), log);
}

TEST(Ex4_4_Yield, ResumesFromTheLoopAndNotFromTheCall) {
    Executor executor;
    StackProbe stack;
    executor.block_on([&]() -> Task<> {
        for (int i = 0; i < 100'000; ++i) {
            stack.touch();
            co_await yield();
        }
    });
    EXPECT_LT(stack.bytes(), 64u * 1024) << "the way back leads through the run queue";
}

TEST(Ex4_4_Yield, LoopOfYieldsDoesNotStarveTheSources) {
    Story story("a task that never waits for anything: does the loop ever look outside?");
    bool event = false;
    Executor executor;
    ScriptedSource source(executor);
    source.on_poll = [&] { event = source.polls >= 10; };
    int turns = 0;
    executor.block_on([&]() -> Task<> {
        for (; !event && turns < 1'000'000; ++turns) co_await yield();
    });
    story.step("a task yields until a source brings an event, at the tenth poll");
    story.expect("the event came", true, event);
    story.expect("the task ran meanwhile", true, turns > 0);
}

TEST(Ex4_4_Yield, StoppedTaskDoesNotYieldAnyMore) {
    std::string log;
    Executor executor({.batch_max = 1});  // So that block_on ends as soon as its task has.
    auto handle = executor.spawn(write(log, "a", 1000));
    executor.block_on(write(log, "b", 2));
    handle.abort();
    EXPECT_THROW(executor.block_on([&]() -> Task<> { co_await handle; }), TaskAborted);
    EXPECT_LT(log.size(), 10u) << log;
}

TEST(Ex4_4_Yield, PriorityDecidesHowOften) {
    std::string log;
    Executor executor({.batch_max = 1});  // So that block_on ends as soon as its task has.
    executor.spawn(write(log, "l", 1000), {.priority = Priority::low}).detach();
    executor.block_on(write(log, "h", 160), {.name = "h", .priority = Priority::high});
    const auto low = std::count(log.begin(), log.end(), 'l');
    EXPECT_GE(low, 9) << "little, but not nothing";
    EXPECT_LE(low, 12) << "one for sixteen";
}

}  // namespace
}  // namespace starling
