// 4.5: nothing to do. Say that you sleep, look once more, then sleep: and no wake-up is missed.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <starling/executor.hh>
#include <starling/executor_probes.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/task_probes.hh>
#include <starling/virtual_clock.hh>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace starling {
namespace {

using namespace std::chrono_literals;
using testing_support::Hold;
using testing_support::ScriptedParker;
using testing_support::ScriptedSource;
using testing_support::Story;
using testing_support::TurnLimit;
using Log = std::vector<std::string>;

/// Parks once, and leaves its waker where the test finds it.
Task<> park_once(Waker& out) {
    Park sleeping = park();
    out = sleeping.waker();
    co_await sleeping;
}
/// Calls `wake` on another thread and waits until it has returned: "another thread acts here".
void wake_elsewhere(const Waker& waker) {
    std::thread([&] { waker.wake(); }).join();
}

TEST(Ex4_5_RemoteWake, WakeFromAnotherThreadEndsTheSleep) {
    Executor executor;  // With a real parker.
    Waker waker;
    std::atomic<bool> ready{false};
    std::thread other([&] {
        while (!ready.load(std::memory_order_acquire)) std::this_thread::yield();
        waker.wake();
    });
    executor.block_on([&]() -> Task<> {
        Park sleeping = park();
        waker = sleeping.waker();
        ready.store(true, std::memory_order_release);
        co_await sleeping;
    });
    other.join();
}

TEST(Ex4_5_RemoteWake, WakeBetweenTheLastLookAndTheSleepIsNotLost) {
    Story story("the waker looks whether somebody sleeps: when must the sleeper have said so?");
    ScriptedParker parker;
    Executor executor({.parker = &parker});
    Waker waker;
    ScriptedSource last(executor);  // Asked after the inbox.
    last.on_before_sleep = [&] {
        wake_elsewhere(std::exchange(waker, Waker()));
        return true;
    };
    parker.on_park = [&] {  // So that a loop that never asks comes to an end, too.
        if (parker.parks > 1) std::exchange(waker, Waker()).wake();
    };
    executor.block_on(park_once(waker));
    story.step("a task parks; the loop asks each source whether it may sleep");
    story.step("the inbox has nothing; another thread wakes the task now; the loop sleeps");
    story.expect("the waker ended the sleep: unparks", 1, parker.unparks());
    story.expect("sleeps that nobody would have ended", 0, parker.overslept);
}

TEST(Ex4_5_RemoteWake, WakeBeforeTheLastLookMeansNoSleep) {
    Story story("something arrived after the poll: who looks again, and may it still refuse?");
    ScriptedParker parker;
    Executor executor({.parker = &parker});
    Waker waker;
    ScriptedSource source(executor);  // Polled after the inbox.
    source.on_poll = [&] {
        if (waker.valid()) wake_elsewhere(std::exchange(waker, Waker()));
    };
    executor.block_on(park_once(waker));
    story.step("a task parks; just after the inbox was polled, another thread wakes it");
    story.expect("sleeps", 0, parker.parks);
    story.expect("unparks", 0, parker.unparks());
}

TEST(Ex4_3_Loop, WakeOnItsOwnThreadNeedsNoSleep) {
    ScriptedParker parker;
    Executor executor({.parker = &parker});
    Waker waker;
    executor.spawn(park_once(waker)).detach();
    executor.block_on([&]() -> Task<> {
        co_await testing_support::Yield{};
        waker.wake();
        co_await testing_support::Yield{};
    });
    EXPECT_EQ(parker.parks, 0);
    EXPECT_EQ(parker.unparks(), 0);
    EXPECT_EQ(executor.live_tasks(), 0u);
}

TEST(Ex4_5_RemoteWake, EachSleepIsEndedOnce) {
    ScriptedParker parker;
    Executor executor({.parker = &parker});
    Waker waker;
    parker.on_park = [&] {
        const Waker mine = std::exchange(waker, Waker());
        wake_elsewhere(mine);
        wake_elsewhere(mine);
    };
    executor.block_on([&]() -> Task<> {
        for (int i = 0; i < 5; ++i) co_await park_once(waker);
    });
    EXPECT_EQ(parker.parks, 5);
    EXPECT_EQ(parker.unparks(), 5) << "the second wake finds the target scheduled";
    EXPECT_EQ(parker.overslept, 0);
}

TEST(Ex4_5_RemoteWake, ExecutorsOnTwoThreadsPlayPingPong) {
    constexpr int kRounds = 500;
    struct Side {
        std::atomic<Waker*> waker{nullptr};  // The other side takes it, wakes, and deletes it.
        int rounds = 0;
    } sides[2];
    auto wake = [](Side& side) {
        Waker* waker = nullptr;
        while ((waker = side.waker.exchange(nullptr, std::memory_order_acquire)) == nullptr) {
            std::this_thread::yield();
        }
        waker->wake();
        delete waker;
    };
    auto play = [&](int me) {
        Executor executor;
        executor.block_on([&]() -> Task<> {
            for (int i = 0; i < kRounds; ++i) {
                Park turn = park();
                sides[me].waker.store(new Waker(turn.waker()), std::memory_order_release);
                if (me == 0) wake(sides[1]);
                co_await turn;
                if (me == 1) wake(sides[0]);
                ++sides[me].rounds;
            }
        });
    };
    std::thread other([&] { play(1); });
    play(0);
    other.join();
    EXPECT_EQ(sides[0].rounds + sides[1].rounds, 2 * kRounds);
}

TEST(Ex4_3_End, ExecutorMayEndWhileOthersStillWake) {
    for (int round = 0; round < 20; ++round) {
        std::vector<Waker> wakers(100);
        std::atomic<bool> go{false};
        std::thread other([&] {
            while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
            for (const Waker& waker : wakers) waker.wake();
        });
        {
            Executor executor;
            for (Waker& waker : wakers) executor.spawn(park_once(waker)).detach();
            executor.run_once();
            go.store(true, std::memory_order_release);
            if (round % 2 == 0) std::this_thread::yield();
        }
        other.join();
        for (const Waker& waker : wakers) EXPECT_EQ(waker.use_count(), 1u);
    }
}

TEST(Ex4_5_Sleep, NobodySleepsWhenASourceRefuses) {
    Story story(
        "one has found work after all: who has been told that the loop sleeps, and who is asked "
        "for a "
        "deadline that may still change?");
    ScriptedParker parker;
    Log log;
    Hold hold;
    Executor executor({.parker = &parker});
    ScriptedSource a(executor, "a");
    ScriptedSource b(executor, "b");
    ScriptedSource c(executor, "c");
    for (ScriptedSource* source : {&a, &b, &c}) source->log = parker.log = &log;
    b.is_active = true;
    b.on_before_sleep = [] { return false; };
    b.on_poll = [&] {
        if (b.asked > 0 && hold.held()) hold.go();
    };
    executor.block_on([&]() -> Task<> { co_await hold; });
    story.step("three sources; the second refuses, and brings its event at the next poll");
    std::sort(log.begin(), log.end());
    story.expect("who heard of it (sorted)",
                 Log{"a after", "a asked", "b after", "b asked", "b refuses"}, log);
}

TEST(Ex4_5_Sleep, EverySourceHearsOfTheSleepAndOfItsEnd) {
    ScriptedParker parker;
    Hold hold;
    Executor executor({.parker = &parker});
    ScriptedSource a(executor);
    ScriptedSource b(executor);
    a.is_active = true;
    a.next_deadline = TimePoint::min();
    parker.on_park = [&] {
        EXPECT_EQ(a.asked - a.after, 1);
        EXPECT_EQ(b.asked - b.after, 1);
    };
    a.on_poll = [&] {
        if (parker.parks == 3 && hold.held()) hold.go();
    };
    executor.block_on([&]() -> Task<> { co_await hold; });
    EXPECT_EQ(parker.parks, 3);
    EXPECT_EQ(a.after, 3);
    EXPECT_EQ(b.after, 3);
    EXPECT_EQ(executor.stats().parks, 3u);
}

TEST(Ex4_5_Sleep, DeadlinesAreReadLast) {
    Story story("before_sleep may start a timer: when must its deadline be read?");
    VirtualClock clock;
    VirtualParker parker(clock);
    Hold hold;
    Executor executor({.parker = &parker, .clock = &clock});
    ScriptedSource timer(executor);
    ScriptedSource last(executor);
    timer.is_active = true;
    last.on_before_sleep = [&] {
        timer.next_deadline = clock.now() + 10ms;
        return true;
    };
    timer.on_poll = [&] {
        if (clock.now() >= timer.next_deadline && hold.held()) hold.go();
    };
    timer.next_deadline = clock.now() + 1h;
    executor.block_on([&]() -> Task<> { co_await hold; });
    story.step("a source's deadline is one hour; while the last is asked, it becomes 10 ms");
    story.expect("the clock has run", Duration(10ms), clock.elapsed());
}

TEST(Ex4_5_Sleep, SleepsUntilTheEarliestDeadline) {
    VirtualClock clock;
    VirtualParker parker(clock);
    Hold hold;
    Executor executor({.parker = &parker, .clock = &clock});
    ScriptedSource late(executor);
    ScriptedSource early(executor);
    late.is_active = early.is_active = true;
    late.next_deadline = clock.now() + 5s;
    early.next_deadline = clock.now() + 3s;
    early.on_poll = [&] {
        if (clock.now() >= early.next_deadline && hold.held()) hold.go();
    };
    executor.block_on([&]() -> Task<> { co_await hold; });
    EXPECT_EQ(clock.elapsed(), 3s);
    EXPECT_EQ(executor.now(), clock.now()) << "the executor's time is read again after a sleep";
}

TEST(Ex4_5_Sleep, NoDeadlockWhileAWakerExists) {
    TurnLimit turns;
    ScriptedParker parker;
    Executor executor({.parker = &parker, .clock = &turns});
    Waker waker;
    parker.on_park = [&] { wake_elsewhere(waker); };
    executor.block_on(park_once(waker));
    EXPECT_EQ(parker.parks, 1) << "somebody may still come, so it sleeps";
    waker = Waker();
    EXPECT_THROW(executor.block_on([&]() -> Task<> { co_await park(); }), Deadlock)
        << "nobody has a waker: nobody can come";
}

TEST(Given4_Parker, UnparkThatCameFirstCounts) {
    ThreadParker parker;
    parker.unparker()->unpark();
    parker.unparker()->unpark();
    parker.park(TimePoint::max());
    parker.park(std::chrono::steady_clock::now());  // Both counted as one: this one waits for time.
    std::thread other([unparker = parker.unparker()] { unparker->unpark(); });
    parker.park(TimePoint::max());
    other.join();
}

}  // namespace
}  // namespace starling
