// 4.3: the loop that runs until a task has ended.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <starling/executor.hh>
#include <starling/executor_probes.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/task_probes.hh>
#include <starling/virtual_clock.hh>
#include <string>
#include <vector>

namespace starling {
namespace {

using namespace std::chrono_literals;
using testing_support::Hold;
using testing_support::ScriptedParker;
using testing_support::ScriptedSource;
using testing_support::Story;
using testing_support::Tracked;
using testing_support::Waiter;
using testing_support::Yield;

Task<int> answer() { co_return 42; }
Task<> hop(int times) {
    for (int i = 0; i < times; ++i) co_await Yield{};
}
Task<> wait_at(Hold& hold) {
    Tracked local;
    co_await hold;
}

TEST(Ex4_3_Loop, BlockOnReturnsTheResult) {
    Executor executor;
    EXPECT_EQ(executor.block_on(answer()), 42);
    EXPECT_EQ(executor.block_on([]() -> Task<std::string> { co_return "text"; }), "text");
    const auto box = executor.block_on(
        []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(7); });
    EXPECT_EQ(*box, 7);
    int number = 5;
    int& result = executor.block_on([&]() -> Task<int&> { co_return number; });
    EXPECT_EQ(&result, &number) << "a reference stays one";
    EXPECT_EQ(executor.live_tasks(), 0u);
}

TEST(Ex4_3_Loop, BlockOnThrowsWhatTheTaskThrows) {
    Executor executor;
    EXPECT_THROW(executor.block_on([]() -> Task<> {
        co_await Yield{};
        throw std::out_of_range("too far");
    }),
                 std::out_of_range);
    EXPECT_EQ(executor.block_on(answer()), 42) << "the executor is as good as before";
}

TEST(Ex4_3_Loop, BlockOnEndsWithItsTaskAndLeavesTheOthers) {
    Hold hold;
    Executor executor;
    executor.spawn(wait_at(hold)).detach();
    EXPECT_EQ(executor.block_on(answer()), 42);
    EXPECT_EQ(executor.live_tasks(), 1u) << "it still waits, and nobody asked it to end";
    executor.block_on([&]() -> Task<> {
        hold.go();
        co_await Yield{};
    });
    EXPECT_EQ(executor.live_tasks(), 0u);
}

TEST(Ex4_3_Loop, EveryTurnRunsABatchAndPollsTheSources) {
    Executor executor({.batch_max = 4, .batch_time = Duration::max()});
    ScriptedSource source(executor);
    executor.block_on(hop(399));
    EXPECT_EQ(executor.stats().turns, 100u) << "400 times it ran, four times a turn";
    EXPECT_GE(source.polls, 99);
}

TEST(Ex4_3_Loop, NeverSleepsWithWorkQueued) {
    Story story("a batch is over because it is full: is there nothing to do?");
    ScriptedParker parker;
    Executor executor({.parker = &parker, .batch_max = 2});
    ScriptedSource source(executor);
    source.is_active = true;
    for (int i = 0; i < 10; ++i) executor.spawn(hop(10)).detach();
    executor.block_on(hop(20));
    story.step("eleven tasks, batches of two, until all have ended");
    story.expect("how often it slept", 0, parker.parks);
    story.expect("how often it asked whether it may", 0, source.asked);
}

TEST(Ex4_3_Loop, WhatASourceBringsRunsWithoutASleep) {
    Story story("the queue was empty before the poll; and after it?");
    ScriptedParker parker;
    Hold hold;
    Executor executor({.parker = &parker});
    ScriptedSource source(executor);
    source.is_active = true;
    source.on_poll = [&] {
        if (hold.held()) hold.go();
    };
    parker.on_park = [&] { hold.go(); };  // So that a loop that never polls comes to an end, too.
    executor.block_on(wait_at(hold));
    story.step("a task waits; a source brings its event at the first poll");
    story.expect("how often it slept", 0, parker.parks);
}

TEST(Ex4_3_Loop, SpinsBeforeItSleeps) {
    VirtualClock clock;
    ScriptedParker parker;
    Hold hold;
    Executor executor({.parker = &parker, .clock = &clock, .spin = 20us});
    ScriptedSource source(executor);
    source.is_active = true;
    source.on_poll = [&] {
        clock.advance(1us);
        if (hold.held() && source.polls >= 10) hold.go();
    };
    executor.block_on(wait_at(hold));
    EXPECT_EQ(parker.parks, 0)
        << "the event came at the tenth poll, well within 20 us. Ask yourself: "
           "spin() polls, so what may be queued behind it?";
}

TEST(Ex4_3_Loop, WhatEndsItMayComeWhileItSpins) {
    Story story("a poll within spin() may take the wake-up with it: who looks why it came?");
    VirtualClock clock;
    ScriptedParker parker;
    bool over = false;
    Executor executor({.parker = &parker, .clock = &clock, .spin = Duration::max()});
    ScriptedSource source(executor);
    source.is_active = true;
    Waiter much_later;
    source.on_poll = [&] {
        clock.advance(1us);
        if (source.polls == 10) over = true;  // As another thread would, which then wakes it.
        if (source.polls == 1000) post(much_later);  // So that a spin that does not ask ends, too.
    };
    parker.on_park = [&] { over = true; };  // So that a loop that sleeps comes to an end, too.
    executor.run_until([&] { return over; });
    story.step("nothing is queued; at the tenth poll, in spin(), the loop is asked to end");
    story.expect("how often it slept", 0, parker.parks);
    story.expect("it was polled some hundred times more", false, source.polls > 100);
}

/// How often a loop polls with nothing to run and nothing to come, until it says that it is stuck.
int polls_until_stuck(Duration spin, Duration of_a_poll) {
    VirtualClock clock;
    Executor executor({.clock = &clock, .spin = spin});
    ScriptedSource source(executor);
    source.on_poll = [&] { clock.advance(of_a_poll); };
    try {  // A bound, so that a spin without an end ends, too.
        executor.run_until([&] { return source.polls == 1000; });
    } catch (const Deadlock&) {
    }
    return source.polls;
}

TEST(Ex4_3_Loop, SpinEndsWhenItsTimeIsOver) {
    Story story(
        "how long has it been spinning, if at all: what do you compare, and who moves that on?");
    const int polls = polls_until_stuck(20us, 1us);
    story.step("nothing is queued, nothing will come; spin is 20 us, a poll takes 1 us");
    story.step("it was polled " + std::to_string(polls) + " times");
    story.expect("fewer than 20", false, polls < 20);
    story.expect("more than 25", false, polls > 25);
}

TEST(Ex4_3_Loop, SpinOfZeroIsNone) {
    Story story("spin is zero, and no time has passed: is that more than zero?");
    const int polls = polls_until_stuck(0us, 0us);
    story.step("nothing is queued, nothing will come; spin is zero; the clock stands still");
    story.expect("polls", 1, polls);
}

TEST(Ex4_3_Loop, RunUntilAsksEveryTurn) {
    int count = 0;
    bool enough = false;
    Waiter forever([&] {
        ++count;
        enough = enough || count == 100'000;
        if (!enough) post(forever);
    });
    Executor executor;
    executor.schedule(forever);
    executor.run_until([&] { return count > 0; });
    EXPECT_LT(count, 100'000) << "it was over after the first turn";
    enough = true;
    const int before = count;
    executor.run_until([&] { return count > before; });
}

TEST(Ex4_3_Loop, HundredThousandTasksSpawnAndJoin) {
    constexpr int kTasks = 100'000;
    Executor executor;
    const long sum = executor.block_on([]() -> Task<long> {
        std::vector<JoinHandle<int>> handles;
        for (int i = 0; i < kTasks; ++i) {
            handles.push_back(spawn([i]() -> Task<int> {
                co_await Yield{};
                co_return i % 10;
            }));
        }
        long total = 0;
        for (auto& handle : handles) total += co_await handle;
        co_return total;
    });
    EXPECT_EQ(sum, kTasks / 10 * 45);
}

TEST(Ex4_3_Loop, ExecutorMayRunInsideAnothersTask) {
    Executor outer;
    Executor inner;
    int inner_result = 0;
    outer.block_on([&]() -> Task<> {
        inner_result = inner.block_on(answer());
        co_await spawn(hop(1));  // Comes to the outer one again.
    });
    EXPECT_EQ(inner_result, 42);
    EXPECT_EQ(inner.stats().resumed, 1u);
}

}  // namespace
}  // namespace starling
