// 9.4: sleep and wake without missing.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <starling/atomic_steps.hh>
#include <starling/story.hh>
#include <starling/submit.hh>
#include <starling/virtual_clock.hh>
#include <thread>

#include "probe.hh"

namespace starling {
namespace {

using namespace std::chrono_literals;
using testing_support::Story;

struct CountingUnparker final : Unparker {
    void unpark() noexcept override { ++count; }
    int count = 0;
};

/// Two virtual shards; shard 1 sleeps when the test says so, and its wake-ups are counted.
struct Sleeper {
    Sleeper() { shards.smp().endpoint(1).unparker = unparker; }
    /// \return whether shard 1 may sleep now
    bool go_to_sleep() { return shards.mailbox(1).before_sleep(); }
    /// Shard 0 sends and publishes.
    void send() {
        shards.mailbox(0).send(1, probes.all[sent++]);
        while (shards.turn(0)) {
        }
    }
    ~Sleeper() {
        shards.mailbox(1).after_sleep();
        shards.run();
        EXPECT_EQ(probes.home(), sent) << "messages were lost altogether";
    }

    std::shared_ptr<CountingUnparker> unparker = std::make_shared<CountingUnparker>();
    Probes probes{40};
    int sent = 0;
    VirtualShards shards{2};
};

TEST(Ex9_4_Sleep, NothingToDoMeansSleep) {
    Sleeper sleeper;
    EXPECT_TRUE(sleeper.go_to_sleep());
    EXPECT_EQ(sleeper.unparker->count, 0);
}

TEST(Ex9_4_Sleep, AMessageThatIsHereKeepsTheShardAwake) {
    Sleeper sleeper;
    sleeper.send();
    EXPECT_FALSE(sleeper.go_to_sleep()) << "a message lies in the lane from shard 0";
    sleeper.shards.mailbox(1).after_sleep();
    while (sleeper.shards.turn(1)) {
    }
    EXPECT_TRUE(sleeper.go_to_sleep()) << "it has been taken out and answered";
}

TEST(Ex9_4_Sleep, SomethingStagedKeepsTheShardAwake) {
    Sleeper sleeper;
    Probes own(1);
    Story story("who publishes a staged message while its sender sleeps?");
    sleeper.shards.mailbox(1).send(0, own.all[0]);
    story.step("shard 1 sends a message; it is staged, nobody has published it");
    story.step("shard 1 has nothing else to do and asks its mailbox");
    story.expect("it may sleep", false, sleeper.go_to_sleep());
    sleeper.shards.mailbox(1).after_sleep();
    sleeper.shards.run();
    story.step("both shards go on");
    story.expect("so many messages have come home", 1, own.home());
}

TEST(Ex9_4_Sleep, ASleeperIsWokenOnceForManyMessages) {
    Sleeper sleeper;
    ASSERT_TRUE(sleeper.go_to_sleep());
    sleeper.send();
    EXPECT_EQ(sleeper.unparker->count, 1) << "shard 1 sleeps and has a message";
    for (int i = 0; i < 30; ++i) sleeper.send();
    EXPECT_EQ(sleeper.unparker->count, 1) << "each further wake-up is a system call for nothing";
}

TEST(Ex9_4_Sleep, WhatHasLeftWakesNobodyWhenTheTurnEnds) {
    Sleeper sleeper;
    Story story(
        "a full batch has left early: what is new for its receiver at the end of the turn?");
    ASSERT_TRUE(sleeper.go_to_sleep());
    for (std::size_t i = 0; i < Mailbox::kBatch; ++i) {
        sleeper.shards.mailbox(0).send(1, sleeper.probes.all[sleeper.sent++]);
    }
    story.step("shard 1 sleeps; shard 0 sends a full batch, and is still in its turn");
    story.expect("wake-ups so far", 1, sleeper.unparker->count);
    sleeper.shards.mailbox(1).after_sleep();
    while (sleeper.shards.turn(1)) {
    }
    ASSERT_TRUE(sleeper.go_to_sleep()) << "all is answered, and all answers have left";
    while (sleeper.shards.turn(0)) {
    }
    story.step("shard 1 answers all of it and sleeps again; then shard 0 ends its turn");
    story.expect("wake-ups so far", 1, sleeper.unparker->count);
}

TEST(Ex9_4_Sleep, AShardThatIsAwakeIsNotWoken) {
    Sleeper sleeper;
    for (int i = 0; i < 30; ++i) sleeper.send();
    EXPECT_EQ(sleeper.unparker->count, 0) << "nobody slept";
    while (sleeper.shards.turn(1)) {
    }
    ASSERT_TRUE(sleeper.go_to_sleep());
    sleeper.shards.mailbox(1).after_sleep();
    sleeper.send();
    EXPECT_EQ(sleeper.unparker->count, 0) << "its sleep was over";
}

TEST(Ex9_4_Sleep, AMessageThatComesWhileTheShardLiesDownIsNeverMissed) {
    if (!kAtomicHooks) GTEST_SKIP() << "needs a build with assertions";
    for (int step = 0;; ++step) {
        Sleeper sleeper;
        ActAtStep act(step, [&] { sleeper.send(); });
        const bool sleeps = sleeper.go_to_sleep();
        if (!act.done()) {
            ASSERT_GT(step, 0) << "before_sleep looked at nothing that another shard writes";
            break;
        }
        ASSERT_TRUE(!sleeps || sleeper.unparker->count > 0)
            << "1 shard 1 goes to sleep\n"
            << "2 before its atomic step " << step << ", shard 0 sends a message, and sees "
            << (sleeper.unparker->count ? "" : "nobody ") << "sleeping\n"
            << "3 shard 1 sleeps on, with the message in its lane\n"
            << "Ask yourself: what must be said before one looks for the last time?";
    }
}

TEST(Ex9_4_Sleep, ASenderThatIsInterruptedAnywhereStillWakesTheSleeper) {
    if (!kAtomicHooks) GTEST_SKIP() << "needs a build with assertions";
    for (int step = 0;; ++step) {
        Sleeper sleeper;
        bool sleeps = false;
        ActAtStep act(step, [&] { sleeps = sleeper.go_to_sleep(); });
        sleeper.send();
        if (!act.done()) {
            ASSERT_GT(step, 0);
            sleeper.go_to_sleep();
            break;
        }
        ASSERT_TRUE(!sleeps || sleeper.unparker->count > 0)
            << "1 shard 0 sends a message\n"
            << "2 before its atomic step " << step << ", shard 1 looks, and goes to sleep\n"
            << "3 the message is there, and nobody wakes shard 1\n"
            << "Ask yourself: which comes first, showing the message or looking who sleeps?";
    }
}

/// C++ promises that a store is seen by others before a later load of another object is done only
/// if both are seq_cst. On one thread nothing shows a weaker order: so these two read what was
/// asked for.
constexpr const char* kStoreBuffer =
    "The litmus, with other names: both sides read the old value, and the message is slept over.\n"
    "Ask yourself: where may a store wait while the loads behind it go ahead?";

bool seq_cst(const detail::AtomicStep& step) { return step.order == std::memory_order_seq_cst; }

TEST(Ex9_4_Sleep, TheSleepersWordCannotWaitInAStoreBufferWhileItLooks) {
    if (!kAtomicHooks) GTEST_SKIP() << "needs a build with assertions";
    Sleeper sleeper;
    std::vector<detail::AtomicStep> steps;
    {
        AtomicTrace trace;
        EXPECT_TRUE(sleeper.go_to_sleep());
        steps = trace.steps();
    }
    const void* word = &sleeper.shards.smp().endpoint(1).sleeping;
    const auto said = std::ranges::find_if(
        steps, [&](const auto& step) { return step.object == word && step.writes; });
    ASSERT_TRUE(said != steps.end()) << "shard 1 went to sleep without a word";
    std::map<const void*, bool> looked_well;
    for (auto step = said + 1; step < steps.end(); ++step) {
        if (step->object != word && step->reads) looked_well[step->object] |= seq_cst(*step);
    }
    EXPECT_FALSE(looked_well.empty()) << "no lane was looked at behind that word";
    const char* const store =
        seq_cst(*said) ? "" : "the store of `sleeping` is weaker than seq_cst\n";
    const bool well =
        std::ranges::all_of(looked_well, [](const auto& lane) { return lane.second; });
    const char* const look = well ? "" : "a lane was looked at with less than seq_cst\n";
    EXPECT_TRUE(seq_cst(*said) && well) << store << look << kStoreBuffer;
}

TEST(Ex9_4_Sleep, ThePublishedMessageCannotWaitInAStoreBufferWhileTheSenderLooks) {
    if (!kAtomicHooks) GTEST_SKIP() << "needs a build with assertions";
    Sleeper sleeper;
    ASSERT_TRUE(sleeper.go_to_sleep());
    sleeper.shards.mailbox(1)
        .after_sleep();  // Awake: this is where a wrong look says "sleeps not".
    std::vector<detail::AtomicStep> steps;
    {
        AtomicTrace trace;
        sleeper.send();
        steps = trace.steps();
    }
    const void* word = &sleeper.shards.smp().endpoint(1).sleeping;
    const auto look = std::ranges::find_if(steps, [&](const auto& step) {
        return step.object == word && step.reads && seq_cst(step);
    });
    ASSERT_TRUE(look != steps.end())
        << "the sender looked at `sleeping` with less than seq_cst, or not\n"
        << kStoreBuffer;
    const auto store = std::find_if(std::make_reverse_iterator(look), steps.rend(),
                                    [](const auto& step) { return step.writes; });
    ASSERT_TRUE(store != steps.rend()) << "nothing was published before that look";
    EXPECT_TRUE(seq_cst(*store)) << "what was published is weaker than seq_cst\n" << kStoreBuffer;
}

/// Sends to this shard from another one, at the worst moment a source can choose: before_sleep.
struct InjectBeforeSleep final : EventSource {
    explicit InjectBeforeSleep(TimePoint awake_at) : awake_at(awake_at) {}
    void poll() noexcept override {}
    bool active() const noexcept override { return true; }
    TimePoint deadline() const noexcept override { return awake_at; }
    bool before_sleep() noexcept override {
        if (auto act = std::exchange(inject, nullptr)) act();
        return true;
    }
    TimePoint awake_at;
    std::function<void()> inject;
};

TEST(Ex9_4_Sleep, AnExecutorWakesForAMessageSentWhileItFellAsleep) {
    for (bool source_is_asked_first : {true, false}) {
        Smp smp(2);
        VirtualClock clock;
        VirtualParker parker(clock);
        Executor sender, sleeper({.parker = &parker, .clock = &clock});
        InjectBeforeSleep source(clock.now() + std::chrono::hours(1));
        if (source_is_asked_first) sleeper.add_source(source);
        Mailbox from(smp, 0, sender), to(smp, 1, sleeper);
        if (!source_is_asked_first) sleeper.add_source(source);
        Probes probes(1);
        source.inject = [&] {
            from.send(1, probes.all[0]);
            while (sender.run_once()) {
            }
        };
        int looks = 0;
        sleeper.run_until(
            [&] { return probes.ran() == 1 || clock.elapsed() > 30min || ++looks > 1'000; });
        EXPECT_EQ(clock.elapsed(), 0s)
            << "shard 1 slept for an hour, with a message in its lane.\n"
            << "The message came while it was about to sleep, "
            << (source_is_asked_first ? "just before" : "just after") << " the mailbox was asked";
        for (int i = 0; i < 5; ++i) sleeper.run_once(), sender.run_once();
        EXPECT_EQ(probes.home(), 1);
        sleeper.remove_source(source);
    }
}

TEST(Ex9_4_Sleep, TwoThreadsThatSleepAfterEachMessageNeverHang) {
    constexpr int kRounds = 100;
    Smp smp(2);
    std::atomic<bool> up{false}, over{false};
    std::shared_ptr<Unparker> unparker;
    std::thread other([&] {
        Executor executor;
        Mailbox mailbox(smp, 1, executor);
        unparker = executor.unparker();
        up.store(true);
        executor.run_until([&] { return over.load(); });
    });
    while (!up.load()) std::this_thread::yield();
    Executor executor;
    Mailbox mailbox(smp, 0, executor);
    const int sum = executor.block_on([&]() -> Task<int> {
        int total = 0;
        for (int i = 0; i < kRounds; ++i) total += co_await submit_to(1, [i] { return i; });
        co_return total;
    });
    over.store(true);
    unparker->unpark();
    other.join();
    EXPECT_EQ(sum, kRounds * (kRounds - 1) / 2);
}

// Given: what the hardware does with two stores and two loads, and what seq_cst forbids.
TEST(Given9_Litmus, SeqCstLetsAtLeastOneSideSeeTheOther) {
    constexpr int kRounds = 20'000;
    // On a machine that is busy with other work each round may take milliseconds.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    std::atomic<int> x{0}, y{0}, gate{0}, rounds{kRounds};
    int saw_y = 0, saw_x = 0, both_blind = 0;
    std::thread other([&] {
        for (int round = 1; round <= rounds.load(); ++round) {
            while (gate.load() != 2 * round - 1) std::this_thread::yield();
            y.store(round, std::memory_order_seq_cst);
            saw_x = x.load(std::memory_order_seq_cst);
            gate.store(2 * round);
        }
    });
    for (int round = 1; round <= rounds.load(); ++round) {
        if (std::chrono::steady_clock::now() > end) rounds.store(round);
        gate.store(2 * round - 1);
        x.store(round, std::memory_order_seq_cst);
        saw_y = y.load(std::memory_order_seq_cst);
        while (gate.load() != 2 * round) std::this_thread::yield();
        both_blind += saw_y != round && saw_x != round;
    }
    other.join();
    EXPECT_EQ(both_blind, 0) << "rounds in which neither thread saw the other's store";
}

}  // namespace
}  // namespace starling
