// 3.5: who holds a wake-up's node, and where it travels.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <starling/probes.hh>
#include <starling/scheduler.hh>
#include <starling/story.hh>
#include <starling/waker.hh>
#include <thread>
#include <utility>
#include <vector>

namespace starling {
namespace {

using testing_support::Story;

/// Runs `f` on another thread, from beginning to end.
template <class F>
void on_another_thread(F f) {
    std::thread(std::move(f)).join();
}

TEST(Ex3_5_CloneAndDrop, EveryHolderCounts) {
    Story story("who holds the node: which of these adds a holder, which only passes one on?");
    ManualScheduler scheduler;
    WakeSlot slot(scheduler.inbox(), [] {});
    Waker first = slot.waker();
    story.expect("a slot and one waker: holders", 2u, first.use_count());
    std::optional<Waker> second = first;
    story.expect("the waker is copied: holders", 3u, first.use_count());
    std::optional<Waker> third = std::move(second);
    story.expect("the copy is moved: holders", 3u, first.use_count());
    second.reset();
    story.expect("the moved-from one is destroyed: holders", 3u, first.use_count());
    third.reset();
    story.expect("the other copy is destroyed: holders", 2u, first.use_count());
}

TEST(Ex3_5_CloneAndDrop, NodeGoesWithItsLastHolder) {
    Story story("how many holders did the node have before the last of them let go?");
    ManualScheduler scheduler;
    const std::weak_ptr<Inbox> inbox = scheduler.inbox();  // Every node keeps it alive.
    const long before = inbox.use_count();
    auto slot = std::make_unique<WakeSlot<void (*)()>>(scheduler.inbox(), [] {});
    Waker waker = slot->waker();
    story.expect("a slot and a waker: nodes", 1, inbox.use_count() - before);
    slot.reset();
    story.expect("the slot is gone: nodes", 1, inbox.use_count() - before);
    waker = Waker();
    story.expect("the waker is gone, too: nodes", 0, inbox.use_count() - before);
}

TEST(Ex3_5_CloneAndDrop, AssigningLetsGoOfWhatWasHeld) {
    ManualScheduler scheduler;
    WakeSlot a(scheduler.inbox(), [] {});
    WakeSlot b(scheduler.inbox(), [] {});
    Waker to_a = a.waker();
    Waker to_b = b.waker();
    Waker moving = to_a;
    moving = to_b;
    EXPECT_EQ(to_a.use_count(), 2u) << "the assigned one held a before";
    EXPECT_EQ(to_b.use_count(), 3u);
    Waker& same = moving;
    moving = same;
    EXPECT_EQ(to_b.use_count(), 3u) << "assigning a waker to itself changes nothing";
    moving = Waker();
    EXPECT_EQ(to_b.use_count(), 2u);
    EXPECT_FALSE(moving.valid());
    moving.wake();  // An empty one wakes nothing.
}

TEST(Ex3_5_CloneAndDrop, InboxCountsItsWakers) {
    ManualScheduler scheduler;
    const std::shared_ptr<Inbox> inbox = scheduler.inbox();
    WakeSlot slot(inbox, [] {});
    EXPECT_EQ(inbox->wakers(), 0u) << "nobody can wake it yet";
    {
        Waker one = slot.waker();
        Waker two = one;
        Waker moved = std::move(one);
        EXPECT_EQ(inbox->wakers(), 2u);
    }
    EXPECT_EQ(inbox->wakers(), 0u)
        << "as long as there is a waker, a wake-up may come; now none can";
}

TEST(Ex3_5_CloneAndDrop, WakeWhileTheTargetRunsRunsItOnceMore) {
    Story story("a wake came while it ran; end_run said so: who queues it?");
    ManualScheduler scheduler;
    int runs = 0;
    Waker waker;
    WakeSlot slot(scheduler.inbox(), [&] {
        if (++runs == 1) {
            waker.wake();
            on_another_thread([copy = waker] { copy.wake(); });
        }
    });
    waker = slot.waker();
    waker.wake();
    story.step("the target is woken; while it runs, it is woken twice more");
    story.expect("the scheduler becomes idle", true, scheduler.run_until_idle(10));
    story.expect("runs", 2, runs);
    story.expect("holders: slot and waker", 2u, waker.use_count());
}

TEST(Ex3_5_CloneAndDrop, TargetThatWakesItselfLetsOthersRun) {
    Story story("a target that wakes itself every time it runs: when do the others have a turn?");
    ManualScheduler scheduler;
    int runs = 0;
    Waker waker;
    WakeSlot slot(scheduler.inbox(), [&] {
        if (++runs < 1000) waker.wake();  // A bound, so that a wrong loop ends too.
    });
    waker = slot.waker();
    waker.wake();
    scheduler.run_batch();
    story.step("one batch");
    story.expect("runs", 1, runs);
    scheduler.run_batch();
    story.step("a second batch");
    story.expect("runs", 2, runs);
    story.expect("the scheduler becomes idle", true, scheduler.run_until_idle(2000));
    story.expect("runs", 1000, runs);
}

TEST(Ex3_5_CloneAndDrop, EveryBurstRunsOnce) {
    ManualScheduler scheduler;
    int runs = 0;
    WakeSlot slot(scheduler.inbox(), [&] { ++runs; });
    for (int burst = 1; burst <= 3; ++burst) {
        std::vector<std::thread> threads;
        for (int t = 0; t < 8; ++t) {
            threads.emplace_back([waker = slot.waker()] {
                for (int i = 0; i < 100; ++i) waker.wake();
            });
        }
        for (std::thread& thread : threads) thread.join();
        scheduler.run_until_idle(10);
        EXPECT_EQ(runs, burst) << "eight threads woke it 800 times before it could run";
        EXPECT_EQ(slot.waker().use_count(), 2u);
    }
}

TEST(Ex3_5_CloneAndDrop, TargetThatDiesWithAWakeOnItsWayNeverRuns) {
    for (const bool remote : {false, true}) {
        Story story("the node arrives, the target is gone: what happens to the node's reference?");
        ManualScheduler scheduler;
        int runs = 0;
        auto slot =
            std::make_unique<WakeSlot<std::function<void()>>>(scheduler.inbox(), [&] { ++runs; });
        Waker waker = slot->waker();
        if (remote) {
            on_another_thread([waker] { waker.wake(); });
        } else {
            waker.wake();
        }
        slot.reset();
        story.step(remote ? "woken by another thread, then the slot is destroyed"
                          : "woken, then the slot is destroyed");
        scheduler.run_until_idle(10);
        story.expect("runs", 0, runs);
        waker.wake();
        story.expect("after a late wake(), anything to do", 0u, scheduler.run_batch());
        story.expect("holders: this waker", 1u, waker.use_count());
    }
}

TEST(Ex3_5_CloneAndDrop, TargetMayDestroyItselfWhileItRuns) {
    ManualScheduler scheduler;
    std::unique_ptr<WakeSlot<std::function<void()>>> slot;
    slot = std::make_unique<WakeSlot<std::function<void()>>>(scheduler.inbox(), [&] {
        auto dying = std::move(slot);
        dying->waker().wake();
    });
    Waker waker = slot->waker();
    waker.wake();
    EXPECT_TRUE(scheduler.run_until_idle(10)) << "a wake of a target that is gone queues nothing";
    EXPECT_EQ(slot, nullptr);
    EXPECT_EQ(waker.use_count(), 1u) << "only this waker is left";
}

TEST(Ex3_5_CloneAndDrop, WakerMayOutliveItsScheduler) {
    Story story("the shard is gone, its inbox is closed: who takes what is left there?");
    Waker late;
    int runs = 0;
    {
        ManualScheduler scheduler;
        WakeSlot slot(scheduler.inbox(), [&] { ++runs; });
        late = slot.waker();
        on_another_thread([waker = slot.waker()] { waker.wake(); });
        story.step("another thread wakes; the scheduler is destroyed before it looks");
    }
    story.expect("runs", 0, runs);
    story.expect("holders: this waker", 1u, late.use_count());
    late.wake();
    story.expect("after a late wake(), holders", 1u, late.use_count());
}

// The last one frees the node, after every other's last look at it. Here its memory is used again
// at once, and the thread sanitizer sees whether the other thread had done with it.
TEST(Ex3_5_CloneAndDrop, LastDropComesAfterEveryOthersLastUse) {
    ManualScheduler scheduler;
    auto slot = std::make_unique<WakeSlot<void (*)()>>(scheduler.inbox(), [] {});
    std::atomic<bool> dropped{false};  // Relaxed: it orders nothing.
    std::thread other([&, waker = slot->waker()]() mutable {
        waker = Waker();
        dropped.store(true, std::memory_order_relaxed);
    });
    while (!dropped.load(std::memory_order_relaxed)) std::this_thread::yield();
    slot.reset();
    slot = std::make_unique<WakeSlot<void (*)()>>(scheduler.inbox(), [] {});
    EXPECT_EQ(slot->waker().use_count(), 2u);
    other.join();
}

TEST(Ex3_5_CloneAndDrop, ManyThreadsCopyWakeAndDrop) {
    for (int round = 0; round < 20; ++round) {
        ManualScheduler scheduler;
        auto slot = std::make_unique<WakeSlot<void (*)()>>(scheduler.inbox(), [] {});
        std::vector<std::thread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([waker = slot->waker()]() mutable {
                for (int i = 0; i < 50; ++i) {
                    Waker copy = waker;
                    copy.wake();
                    waker = std::move(copy);
                }
            });
        }
        slot.reset();
        for (std::thread& thread : threads) thread.join();
        EXPECT_EQ(scheduler.inbox()->wakers(), 0u);
    }
}

}  // namespace
}  // namespace starling
