// 3.5: a wake-up travels: to the next batch, to another shard, and to one that is gone.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <starling/probes.hh>
#include <starling/scheduler.hh>
#include <starling/story.hh>
#include <starling/waker.hh>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace starling {
namespace {

using testing_support::Story;
using testing_support::Waiter;

class CountingUnparker final : public Unparker {
  public:
    void unpark() noexcept override { ++count; }
    std::atomic<int> count{0};
};

/// Runs `f` on another thread, from beginning to end.
template <class F>
void on_another_thread(F f) {
    std::thread(std::move(f)).join();
}

TEST(Ex3_5_CloneAndDrop, WakeOnItsWayHoldsTheNode) {
    Story story("every waker may be dropped while the wake travels: who keeps the node alive?");
    ManualScheduler scheduler;
    int runs = 0;
    WakeSlot slot(scheduler.inbox(), [&] { ++runs; });
    Waker watcher = slot.waker();
    on_another_thread([waker = slot.waker()]() mutable {
        waker.wake();
        waker = Waker();
    });
    story.step("another thread wakes and drops its waker");
    story.expect("holders: slot, watcher, and the wake on its way", 3u, watcher.use_count());
    scheduler.run_until_idle(10);
    story.step("run until idle");
    story.expect("runs", 1, runs);
    story.expect("holders", 2u, watcher.use_count());
}

TEST(Ex3_5_CloneAndDrop, WakeRunsTheTargetInTheNextBatch) {
    Story story("wake() may be called anywhere, under locks, in destructors: may it run things?");
    ManualScheduler scheduler;
    int runs = 0;
    WakeSlot slot(scheduler.inbox(), [&] { ++runs; });
    Waker waker = slot.waker();
    waker.wake();
    waker.wake();
    story.step("wake(), twice");
    story.expect("runs by now", 0, runs);
    scheduler.run_until_idle(10);
    story.step("run until idle");
    story.expect("runs by now", 1, runs);
}

TEST(Ex3_5_CloneAndDrop, WakeFromAnotherThreadRunsOnTheOwners) {
    ManualScheduler scheduler;
    std::thread::id ran_on;
    WakeSlot slot(scheduler.inbox(), [&] { ran_on = std::this_thread::get_id(); });
    on_another_thread([waker = slot.waker()] { waker.wake(); });
    EXPECT_EQ(ran_on, std::thread::id()) << "the other thread must not run it";
    scheduler.run_until_idle(10);
    EXPECT_EQ(ran_on, std::this_thread::get_id());
}

TEST(Ex3_5_CloneAndDrop, SchedulerIsNotIdleWhileAWakeIsInItsInbox) {
    ManualScheduler scheduler;
    int runs = 0;
    WakeSlot slot(scheduler.inbox(), [&] { ++runs; });
    Waiter task([&] { on_another_thread([waker = slot.waker()] { waker.wake(); }); });
    scheduler.schedule(task);
    EXPECT_FALSE(scheduler.run_until_idle(1))
        << "the queue is empty, but another thread has woken something meanwhile. Where is that "
           "now? (run_until_idle, 3.1)";
    EXPECT_TRUE(scheduler.run_until_idle(2));
    EXPECT_EQ(runs, 1);
}

TEST(Ex3_5_CloneAndDrop, WakeOnItsOwnShardKeepsItsPlaceInLine) {
    Story story("the inbox is looked at between batches: does a wake from here have to go there?");
    ManualScheduler scheduler;
    std::vector<std::string> log;
    WakeSlot woken(scheduler.inbox(), [&] { log.push_back("woken first"); });
    Waiter posted([&] { log.push_back("posted second"); });
    Waiter both([&, waker = woken.waker()] {
        waker.wake();
        post(posted);
        story.expect("the inbox is empty", true, scheduler.inbox()->empty());
    });
    scheduler.schedule(both);
    scheduler.run_until_idle(10);
    story.step("a task wakes one of its own shard's, then posts another");
    story.expect("what ran", std::vector<std::string>{"woken first", "posted second"}, log);
}

TEST(Ex3_5_CloneAndDrop, WakeOfAnotherShardGoesThroughThatShardsInbox) {
    Story story("some shard runs on this thread: is it the one whose task is woken?");
    ManualScheduler here;
    ManualScheduler there;
    int runs = 0;
    WakeSlot slot(there.inbox(), [&] { ++runs; });
    Waiter task([waker = slot.waker()] { waker.wake(); });
    here.schedule(task);
    here.run_until_idle(10);
    story.step("a task of one scheduler wakes what belongs to another one");
    story.expect("runs, while only the first has run", 0, runs);
    story.expect("the other one's inbox is empty", false, there.inbox()->empty());
    there.run_until_idle(10);
    story.step("the other one runs");
    story.expect("runs", 1, runs);
}

// Two threads push, and the owner takes the list out all the while. (inbox_list_test.cc forces the
// orders that matter; this is for the thread sanitizer.)
TEST(Ex3_5_Inbox, NoWakeIsLostWhileOthersArrive) {
    Story story("what may another thread do to head_ between your look at it and your change?");
    constexpr int kEach = 2000;
    for (int round = 0; round < 10; ++round) {
        ManualScheduler scheduler;
        int runs = 0;
        const auto count = [&] { ++runs; };
        std::deque<WakeSlot<decltype(count)>> slots;
        std::vector<Waker> wakers;
        for (int i = 0; i < 2 * kEach; ++i) {
            wakers.push_back(slots.emplace_back(scheduler.inbox(), count).waker());
        }
        std::atomic<int> ready{0};
        std::atomic<int> ended{0};
        const auto wake_half = [&](int first) {
            ready.fetch_add(1);
            while (ready.load() < 2) std::this_thread::yield();
            for (int i = first; i < first + kEach; ++i) wakers[i].wake();
            ended.fetch_add(1);
        };
        std::thread one(wake_half, 0);
        std::thread other(wake_half, kEach);
        while (ended.load() < 2) scheduler.run_batch();
        one.join();
        other.join();
        scheduler.run_until_idle(10);
        story.step("two threads wake 2,000 targets each, and the owner runs meanwhile");
        if (!story.expect("targets that ran", 2 * kEach, runs)) return;
    }
}

TEST(Ex3_5_Inbox, ShardThatGoesLetsGoOfEveryNode) {
    // AddressSanitizer watches: each node is held by nothing but its way.
    Story story(
        "the last holder lets go, and the node is gone: what of it do you read after that?");
    auto scheduler = std::make_unique<ManualScheduler>();
    const std::weak_ptr<Inbox> inbox = scheduler->inbox();  // Every node keeps it alive.
    {
        std::deque<WakeSlot<void (*)()>> slots;
        for (int i = 0; i < 3; ++i) slots.emplace_back(scheduler->inbox(), [] {});
        on_another_thread([&] {
            for (auto& slot : slots) slot.waker().wake();
        });
    }
    story.step(
        "another thread wakes three targets; they are destroyed, the wakes are on their way");
    scheduler.reset();
    story.step("the shard goes");
    story.expect("nodes that are left", 0L, inbox.use_count());
}

TEST(Ex3_5_Inbox, WakeForAShardThatIsGoneLetsGoOfTheNode) {
    Story story(
        "nobody will ever look into this inbox again: who ends the way that the wake began?");
    auto scheduler = std::make_unique<ManualScheduler>();
    const std::shared_ptr<Inbox> inbox = scheduler->inbox();
    int runs = 0;
    WakeSlot slot(inbox, [&] { ++runs; });
    Waker waker = slot.waker();
    scheduler.reset();
    story.step("a shard goes, and one of its targets is still there");
    waker.wake();
    story.step("wake()");
    story.expect("holders: slot and waker", 2u, waker.use_count());
    inbox->drain();
    story.expect("runs", 0, runs);
}

TEST(Ex3_5_CloneAndDrop, OneWakeEndsTheOwnersSleep) {
    Story story("the owner has announced that it sleeps: who looks at that, and when?");
    auto unparker = std::make_shared<CountingUnparker>();
    ManualScheduler scheduler(unparker);
    WakeSlot a(scheduler.inbox(), [] {});
    WakeSlot b(scheduler.inbox(), [] {});
    on_another_thread([waker = a.waker()] { waker.wake(); });
    story.expect("a wake while the owner is awake: unparks", 0, unparker->count.load());
    story.expect("before_sleep(): may it sleep", false, scheduler.inbox()->before_sleep());
    scheduler.inbox()->after_sleep();
    scheduler.run_until_idle(10);
    story.expect("before_sleep() with nothing left", true, scheduler.inbox()->before_sleep());
    on_another_thread([first = a.waker(), second = b.waker()] {
        first.wake();
        second.wake();
    });
    story.expect("two wakes while it sleeps: unparks", 1, unparker->count.load());
    scheduler.inbox()->after_sleep();
    scheduler.run_until_idle(10);
}

}  // namespace
}  // namespace starling
