// 4.3: the loop that runs until a task has ended, and what happens to those that never end.
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <random>
#include <starling/executor.hh>
#include <starling/executor_probes.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/task_probes.hh>
#include <starling/virtual_clock.hh>
#include <stdexcept>
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
using testing_support::TurnLimit;
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

TEST(Ex4_3_Deadlock, NamesWhoWaits) {
    Story story("the queue is empty and no source can bring anything: what is there to wait for?");
    Hold left;
    Hold right;
    std::string text;
    TurnLimit turns;
    ScriptedParker parker;
    Executor executor({.parker = &parker, .clock = &turns});
    parker.on_park = [&] {
        if (right.held()) right.go();  // So that a loop that sleeps comes to an end, too.
    };
    executor.spawn(wait_at(left), {.name = "philosopher"}).detach();
    try {
        executor.block_on(wait_at(right), {.name = "waiter"});
    } catch (const Deadlock& e) {
        text = e.what();
    }
    story.step("two tasks wait for what nobody can bring");
    story.expect("the report names the first", true, text.find("philosopher") != text.npos);
    story.expect("the report names the second", true, text.find("waiter") != text.npos);
}

TEST(Ex4_3_Deadlock, EndsTheTasksBeforeItIsThrown) {
    std::string log;
    TurnLimit turns;
    ScriptedParker parker;
    Executor executor({.parker = &parker, .clock = &turns});
    {
        Hold hold;  // Dies before the executor: no task may remember it.
        EXPECT_THROW(executor.block_on([&]() -> Task<> {
            auto child = spawn(wait_at(hold), {.name = "child"});
            try {
                co_await shield(child);
            } catch (const TaskAborted& e) {
                log += e.what();
            }
        }),
                     Deadlock);
    }
    EXPECT_EQ(Tracked::alive, 0) << "its frame was destroyed where it stood";
    EXPECT_EQ(log, "the task 'child' was aborted") << "and its awaiter could still clean up";
    EXPECT_EQ(executor.live_tasks(), 0u);
    EXPECT_EQ(executor.block_on(answer()), 42) << "the executor is as good as before";
}

TEST(Ex4_3_End, DestructorAsksTasksToStopAndWaits) {
    std::string log;
    {
        Executor executor;
        executor
            .spawn([&]() -> Task<> {
                try {
                    for (;;) co_await Yield{};
                } catch (const Cancelled&) {
                    log += "stopped ";
                }
                co_await shield(hop(3));
                log += "cleaned ";
            })
            .detach();
        executor.run_once();
    }
    EXPECT_EQ(log, "stopped cleaned ");
}

TEST(Ex4_3_End, DestructorDestroysWhatNothingCanEnd) {
    Hold hold;
    std::optional<JoinHandle<>> handle;
    TurnLimit turns;
    ScriptedParker parker;
    {
        Executor executor({.parker = &parker, .clock = &turns});
        handle.emplace(executor.spawn(wait_at(hold), {.name = "stuck"}));
        executor.run_once();
        EXPECT_EQ(Tracked::alive, 1);
    }
    EXPECT_EQ(Tracked::alive, 0);
    EXPECT_TRUE(handle->done()) << "a handle may outlive its executor; its task has ended";
    Executor other;
    EXPECT_THROW(other.block_on([&]() -> Task<> { co_await *handle; }), TaskAborted);
}

TEST(Ex4_3_End, OneThatIsDestroyedLetsTheOthersEndProperly) {
    Story story(
        "one was destroyed, so another may go on: who brings what that one waits for then?");
    Hold nobody_comes;
    Hold flushed;
    std::string log;
    TurnLimit turns;
    ScriptedParker parker;
    Executor executor({.parker = &parker, .clock = &turns});
    ScriptedSource source(executor);
    source.on_poll = [&] {
        if (flushed.held()) flushed.go();
    };
    auto parent = executor.spawn([&]() -> Task<> {
        auto child = spawn(wait_at(nobody_comes), {.name = "child"});
        try {
            co_await shield(child);
        } catch (const TaskAborted&) {
            log += "child gone, ";
        }
        co_await shield(flushed);
        log += "flushed";
    });
    executor.run_once();
    executor.run_once();
    story.step("a child waits for what nobody brings, its parent for the child");
    executor.end_tasks();
    story.step("the tasks are ended; the parent cleans up, which takes an event of a source");
    story.expect("what the parent got to do", std::string("child gone, flushed"), log);
    story.expect("frames alive", 0, Tracked::alive);
}

TEST(Ex4_3_End, TaskSpawnedByAnEndingTaskIsStoppedToo) {
    Story story("everybody has been asked to stop, then one more is spawned: who asks that one?");
    std::string log;
    auto late = [&]() -> Task<> {
        log += "late begins ";
        for (int i = 0; i < 1000; ++i) co_await Yield{};  // A bound, so that this comes to an end.
        log += "and runs on, nobody stopped it ";
    };
    {
        Executor executor;
        executor
            .spawn([&]() -> Task<> {
                try {
                    for (;;) co_await Yield{};
                } catch (const Cancelled&) {
                    spawn(late).detach();
                }
            })
            .detach();
        executor.run_once();
    }
    story.step(
        "the executor ends; a task that is stopped spawns another one (Executor::adopt, 4.2)");
    story.expect("the new one begins, and its first await throws", std::string("late begins "),
                 log);
}

TEST(Ex4_3_End, EndTasksLeavesAUsableExecutor) {
    Executor executor;
    for (int i = 0; i < 10; ++i) executor.spawn(hop(1'000'000)).detach();
    executor.run_once();
    executor.end_tasks();
    EXPECT_FALSE(executor.has_live_tasks());
    EXPECT_EQ(executor.block_on(answer()), 42);
}

/// Counts who begins and who ends, waits in one of five ways, and may await one of the others.
struct Crowd {
    Task<> member(int kind) {
        struct Ends {
            int& count;
            ~Ends() { ++count; }
        } ends{ended};
        Tracked local;
        ++begun;
        if (kind == 0) co_await nobody_comes;
        co_await hop(kind * 3);
        if (kind != 1 || handles.empty()) co_return;
        JoinHandle<> other = std::move(handles.back());  // Perhaps its own: it waits for itself.
        handles.pop_back();
        try {
            co_await other;
        } catch (const TaskAborted&) {
        }
    }
    int begun = 0;
    int ended = 0;
    Hold nobody_comes;
    std::vector<JoinHandle<>> handles;
};

TEST(Ex4_3_End, EveryTaskEndsOnceHoweverItIsTreated) {
    std::mt19937 random(7);
    for (int round = 0; round < 50; ++round) {
        Crowd crowd;
        TurnLimit turns;
        ScriptedParker parker;
        {
            Executor executor({.parker = &parker, .clock = &turns});
            for (int i = 0; i < 40; ++i) {
                auto handle = executor.spawn(crowd.member(static_cast<int>(random() % 5)));
                if (random() % 2 == 0) crowd.handles.push_back(std::move(handle));
                if (random() % 3 == 0) executor.run_once();
                if (random() % 4 == 0 && !crowd.handles.empty()) {
                    crowd.handles[random() % crowd.handles.size()].abort();
                }
            }
        }
        EXPECT_EQ(crowd.begun, 40);
        EXPECT_EQ(crowd.ended, 40) << "stopped, awaited, dropped, destroyed: each frame goes once";
        EXPECT_EQ(Tracked::alive, 0);
    }
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
