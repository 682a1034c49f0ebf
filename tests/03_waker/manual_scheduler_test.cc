// 3.1: a loop that runs what is queued, and always comes back.
#include <gtest/gtest.h>

#include <functional>
#include <starling/probes.hh>
#include <starling/scheduler.hh>
#include <starling/story.hh>
#include <string>
#include <vector>

namespace starling {
namespace {

using testing_support::Story;
using testing_support::Waiter;

TEST(Ex3_1_ManualScheduler, ScheduledWorkRunsInTheNextBatch) {
    Story story("who calls resume, and when?");
    ManualScheduler scheduler;
    Waiter task;
    scheduler.schedule(task);
    story.step("schedule(task)");
    story.expect("how often it has run by now", 0, task.resumed);
    story.expect("run_batch() says how many it ran", 1u, scheduler.run_batch());
    story.expect("how often it has run by now", 1, task.resumed);
    story.expect("run_batch() again", 0u, scheduler.run_batch());
}

TEST(Ex3_1_ManualScheduler, OldestRunsFirst) {
    ManualScheduler scheduler;
    std::vector<std::string> log;
    Waiter a([&] { log.push_back("a"); });
    Waiter b([&] { log.push_back("b"); });
    Waiter c([&] { log.push_back("c"); });
    for (Waiter* task : {&a, &b, &c}) scheduler.schedule(*task);
    scheduler.run_batch();
    EXPECT_EQ(log, (std::vector<std::string>{"a", "b", "c"}))
        << "a queue that turns the order round starves whoever came first";
}

TEST(Ex3_1_ManualScheduler, TaskThatReschedulesItselfDoesNotHoldTheThread) {
    Story story("when does a batch end, if each task adds another?");
    ManualScheduler scheduler;
    int left = 1000;  // A bound, so that a wrong loop ends too.
    Waiter forever([&] {
        if (--left > 0) scheduler.schedule(forever);
    });
    scheduler.schedule(forever);
    story.step("a task schedules itself every time it runs");
    story.expect("run_batch() ran", 1u, scheduler.run_batch());
    story.expect("run_batch() once more ran", 1u, scheduler.run_batch());
    story.expect("how often the task has run", 2, forever.resumed);
    left = 0;
    scheduler.run_batch();
}

TEST(Ex3_1_ManualScheduler, WorkOfABatchWaitsForTheNextBatch) {
    ManualScheduler scheduler;
    std::vector<std::string> log;
    Waiter child([&] { log.push_back("child"); });
    Waiter parent([&] {
        scheduler.schedule(child);
        log.push_back("parent");
    });
    Waiter other([&] { log.push_back("other"); });
    scheduler.schedule(parent);
    scheduler.schedule(other);
    EXPECT_EQ(scheduler.run_batch(), 2u) << "what was queued when the batch began";
    EXPECT_EQ(log, (std::vector<std::string>{"parent", "other"}));
    EXPECT_EQ(scheduler.run_batch(), 1u);
    EXPECT_EQ(log.back(), "child");
}

TEST(Ex3_1_ManualScheduler, PostInsideABatchComesHere) {
    Story story("post() asks the thread where to go: where does it lead while the batch runs?");
    ManualScheduler scheduler;
    Waiter second;
    Waiter first([&] {
        post(second);
        story.expect("the second has run inside of post", 0, second.resumed);
    });
    scheduler.schedule(first);
    story.step("the first task posts a second one");
    story.expect("run_batch() ran", 1u, scheduler.run_batch());
    story.expect("run_batch() ran", 1u, scheduler.run_batch());
    story.expect("the second has run", 1, second.resumed);
}

TEST(Ex3_1_ManualScheduler, RunUntilIdleRunsEverything) {
    ManualScheduler scheduler;
    int left = 100;
    Waiter countdown([&] {
        if (--left > 0) scheduler.schedule(countdown);
    });
    scheduler.schedule(countdown);
    EXPECT_TRUE(scheduler.run_until_idle()) << "nothing is queued any more";
    EXPECT_EQ(countdown.resumed, 100);
    EXPECT_TRUE(scheduler.run_until_idle()) << "an idle scheduler is idle";
}

TEST(Ex3_1_ManualScheduler, LastBatchAllowedMayBeTheOneThatEndsIt) {
    ManualScheduler scheduler;
    Waiter waiter;
    scheduler.schedule(waiter);
    EXPECT_TRUE(scheduler.run_until_idle(1)) << "one batch, one task, and nothing is queued now";
    EXPECT_EQ(waiter.resumed, 1);
}

TEST(Ex3_1_ManualScheduler, RunUntilIdleGivesUpAfterItsBatches) {
    Story story("who ends this loop if the task never does?");
    ManualScheduler scheduler;
    bool again = true;
    Waiter forever([&] {
        if (again) scheduler.schedule(forever);
    });
    scheduler.schedule(forever);
    story.step("a task that schedules itself; run_until_idle(10)");
    story.expect("it is idle", false, scheduler.run_until_idle(10));
    story.expect("how often the task has run", 10, forever.resumed);
    again = false;
    scheduler.run_batch();
}

TEST(Ex3_1_ManualScheduler, ScopeAroundAScopeIsThereAgainBehindIt) {
    Story story(
        "two things of this thread are another's while a scope lives: whose are they before and "
        "behind it?");
    const auto posted_to = [](ManualScheduler& left, ManualScheduler& right) -> std::string {
        Waiter task;
        post(task);
        if (task.resumed == 1) return "runs at once";
        if (left.run_batch() == 1) return "left";
        return right.run_batch() == 1 ? "right" : "nowhere";
    };
    ManualScheduler left;
    ManualScheduler right;
    {
        SchedulerScope outer(left, left.inbox().get());
        story.step("a scope of the left scheduler");
        story.expect("a post goes to", std::string("left"), posted_to(left, right));
        story.expect("the inbox of this thread is its own", true,
                     detail::current_inbox == left.inbox().get());
        {
            SchedulerScope inner(right, right.inbox().get());
            story.step("inside, a scope of the right one");
            story.expect("a post goes to", std::string("right"), posted_to(left, right));
            story.expect("the inbox of this thread is its own", true,
                         detail::current_inbox == right.inbox().get());
        }
        story.step("the inner scope has ended");
        story.expect("a post goes to", std::string("left"), posted_to(left, right));
        story.expect("the inbox of this thread is the left one's", true,
                     detail::current_inbox == left.inbox().get());
    }
    story.step("the outer scope has ended, too");
    story.expect("a post goes to", std::string("runs at once"), posted_to(left, right));
    story.expect("this thread has an inbox", false, detail::current_inbox != nullptr);
}

TEST(Ex3_1_ManualScheduler, TwoSchedulersTakeTurnsOnOneThread) {
    ManualScheduler left;
    ManualScheduler right;
    Waiter on_right;
    Waiter on_left([&] { right.schedule(on_right); });
    left.schedule(on_left);
    EXPECT_EQ(left.run_batch(), 1u);
    EXPECT_EQ(left.run_batch(), 0u) << "the second task belongs to the other scheduler";
    EXPECT_EQ(right.run_batch(), 1u);
    EXPECT_EQ(on_right.resumed, 1);
}

}  // namespace
}  // namespace starling
