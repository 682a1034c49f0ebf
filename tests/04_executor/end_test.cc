// 4.3: an executor ends: what happens to the tasks that have not.
#include <gtest/gtest.h>

#include <optional>
#include <random>
#include <starling/executor.hh>
#include <starling/executor_probes.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/task_probes.hh>
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
using testing_support::Yield;

Task<int> answer() { co_return 42; }
Task<> hop(int times) {
    for (int i = 0; i < times; ++i) co_await Yield{};
}
Task<> wait_at(Hold& hold) {
    Tracked local;
    co_await hold;
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
        "the executor ends; a task that is stopped spawns another one (Executor::launch, 4.2)");
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

}  // namespace
}  // namespace starling
