// 3.2, 3.3, 3.4: five states. Where two threads meet, the test says which of them acts when.
#include <gtest/gtest.h>

#include <atomic>
#include <starling/scripted_atomic.hh>
#include <starling/story.hh>
#include <starling/wake_machine.hh>
#include <thread>
#include <vector>

namespace starling {

// For failures: the state's name.
void PrintTo(WakeState state, std::ostream* out) {
    constexpr const char* kNames[] = {"idle", "scheduled", "running", "notified", "done"};
    *out << kNames[static_cast<int>(state)];
}

namespace {

using testing_support::Interleave;
using testing_support::ScriptedAtomic;
using testing_support::Story;
using Machine = WakeMachine<ScriptedAtomic<WakeState>>;

constexpr int kAccessesMax = 8;  // More than any reasonable step of the machine has.

TEST(Ex3_2_WakeWhenIdle, FirstWakeSendsAndTheSecondDoesNot) {
    Story story("a target that is on its way already: what would sending it again do?");
    Machine machine;
    story.expect("wake() of an idle target: send it", true, machine.wake());
    story.expect("its state", WakeState::scheduled, machine.state());
    story.expect("wake() again: send it", false, machine.wake());
    story.expect("its state", WakeState::scheduled, machine.state());
}

TEST(Ex3_2_WakeWhenIdle, TwoWakesAtOnceSendOnce) {
    // Another thread wakes between any two accesses of our wake, wherever that is.
    for (int access = 0; access < kAccessesMax; ++access) {
        Story story("what can another thread do between your look at the state and your change?");
        Machine machine;
        bool theirs = false;
        Interleave interleave(access, [&] { theirs = machine.wake(); });
        const bool ours = machine.wake();
        if (!interleave.acted()) break;
        story.step("our wake() has made " + std::to_string(access) + " accesses to the state");
        story.step("now another thread calls wake() from beginning to end");
        story.step("our wake() goes on");
        story.expect("how many of the two have to send it", 1, int{ours} + int{theirs});
    }
}

TEST(Ex3_2_WakeWhenIdle, WakeThatChangesNoStatePublishesAllTheSame) {
    Story story("it will run anyway; but will that run see what this waker wrote before?");
    Machine machine;
    machine.wake();
    const int before = ScriptedAtomic<WakeState>::updates;
    machine.wake();
    story.step("a target is woken twice");
    story.expect("the second wake() wrote the state, in a read-modify-write", true,
                 ScriptedAtomic<WakeState>::updates > before);
}

TEST(Ex3_2_WakeWhenIdle, EightThreadsSendOnce) {
    WakeMachine<> machine;
    std::atomic<int> sent{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 1000; ++i) sent += machine.wake() ? 1 : 0;
        });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(sent, 1) << "8,000 wakes of one target that never ran: it is sent once";
    EXPECT_EQ(machine.state(), WakeState::scheduled);
}

TEST(Ex3_2_WakeWhenIdle, BeginOfARunReadsWhatItOverwrites) {
    Story story(
        "a wake may come between a look and a store, and a weak exchange may fail for no reason: "
        "do you see what the last wake wrote, and begin all the same?");
    Machine machine;
    machine.wake();
    const int before = ScriptedAtomic<WakeState>::updates;
    story.step("a target is on its way");
    story.expect("begin_run()", true, machine.begin_run());
    story.expect("it left scheduled by a read-modify-write", true,
                 ScriptedAtomic<WakeState>::updates > before);
}

TEST(Ex3_2_WakeWhenIdle, RunBeginsOnceForOneWake) {
    Story story("which state says that the target is on its way, and what is it afterwards?");
    Machine machine;
    story.expect("begin_run() of an idle target", false, machine.begin_run());
    story.expect("its state", WakeState::idle, machine.state());
    machine.wake();
    story.step("wake()");
    story.expect("begin_run()", true, machine.begin_run());
    story.expect("its state", WakeState::running, machine.state());
    story.expect("begin_run() again, without a wake", false, machine.begin_run());
}

// The waking thread writes plain memory, then wakes. The run must see it, even if another wake came
// first and this one changed no state. Only the thread sanitizer can tell; see the state's comment.
TEST(Ex3_2_WakeWhenIdle, RunSeesWhatEveryWakerWrote) {
    WakeMachine<> machine;
    int first = 0;
    int second = 0;
    std::atomic<int> arrived{0};  // Relaxed: it orders nothing.
    std::thread a([&] {
        first = 1;
        machine.wake();
        arrived.fetch_add(1, std::memory_order_relaxed);
    });
    std::thread b([&] {
        second = 1;
        machine.wake();
        arrived.fetch_add(1, std::memory_order_relaxed);
    });
    while (arrived.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
    EXPECT_TRUE(machine.begin_run());
    EXPECT_EQ(first + second, 2) << "two threads wrote, then woke; the run came after both";
    a.join();
    b.join();
}

TEST(Ex3_3_WakeWhileRunning, RunThatNobodyDisturbedEndsIdle) {
    Story story("nobody woke it: why should it run again?");
    Machine machine;
    machine.wake();
    machine.begin_run();
    story.step("wake(), begin_run()");
    story.expect("end_run(): run once more", false, machine.end_run());
    story.expect("its state", WakeState::idle, machine.state());
    story.expect("the next wake() sends it", true, machine.wake());
}

TEST(Ex3_3_WakeWhileRunning, WakeWhileItRunsMakesItRunOnceMore) {
    Story story("the target looked at its queue before this wake came: who looks again?");
    Machine machine;
    machine.wake();
    machine.begin_run();
    story.step("wake(), begin_run(): the target looks, and finds nothing to do");
    story.expect("now another thread calls wake(): send it", false, machine.wake());
    story.expect("end_run(): run once more", true, machine.end_run());
    story.expect("its state", WakeState::scheduled, machine.state());
    story.expect("begin_run()", true, machine.begin_run());
    story.expect("end_run(): run once more", false, machine.end_run());
}

TEST(Ex3_3_WakeWhileRunning, ManyWakesWhileItRunsCountOnce) {
    Machine machine;
    machine.wake();
    machine.begin_run();
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(machine.wake()) << "it runs: nobody sends it";
    EXPECT_EQ(machine.state(), WakeState::notified);
    EXPECT_TRUE(machine.end_run());
    EXPECT_FALSE(machine.wake()) << "it is on its way again";
    EXPECT_TRUE(machine.begin_run());
    EXPECT_FALSE(machine.end_run()) << "five wakes during one run make one more run, not five";
}

TEST(Ex3_3_WakeWhileRunning, WakeInTheMiddleOfTheEndIsNotLost) {
    for (int access = 0; access < kAccessesMax; ++access) {
        Story story("end_run decides that nobody called; what if somebody calls just then?");
        Machine machine;
        machine.wake();
        machine.begin_run();
        bool they_send = false;
        Interleave interleave(access, [&] { they_send = machine.wake(); });
        const bool again = machine.end_run();
        if (!interleave.acted()) break;
        story.step("the target has run; end_run() has made " + std::to_string(access) +
                   " accesses to the state");
        story.step("now another thread calls wake()");
        story.expect("runs that follow: by end_run(), or sent by the waker", 1,
                     int{again} + int{they_send});
        story.expect("its state", WakeState::scheduled, machine.state());
    }
}

TEST(Ex3_3_WakeWhileRunning, SecondWakeInTheMiddleOfTheEndCountsOnce) {
    for (int access = 0; access < kAccessesMax; ++access) {
        Story story("two states ask for another run: which of them asks whom?");
        Machine machine;
        machine.wake();
        machine.begin_run();
        machine.wake();
        bool they_send = false;
        Interleave interleave(access, [&] { they_send = machine.wake(); });
        const bool again = machine.end_run();
        if (!interleave.acted()) break;
        story.step("woken once while it ran; a second wake() before access " +
                   std::to_string(access) + " of end_run()");
        story.expect("runs that follow", 1, int{again} + int{they_send});
        story.expect("its state", WakeState::scheduled, machine.state());
    }
}

TEST(Ex3_3_WakeWhileRunning, EndThatFindsNotifiedReadsWhatItOverwrites) {
    Story story("one more wake comes between your look and your store: do you acquire from it?");
    Machine machine;
    machine.wake();
    machine.begin_run();
    machine.wake();
    const int before = ScriptedAtomic<WakeState>::updates;
    story.step("a target is woken while it runs");
    story.expect("end_run(): run once more", true, machine.end_run());
    story.expect("it left notified by a read-modify-write", true,
                 ScriptedAtomic<WakeState>::updates > before);
}

// Again a matter of memory order: the second run must see what the waker wrote during the first.
TEST(Ex3_3_WakeWhileRunning, SecondRunSeesWhatWasWrittenDuringTheFirst) {
    WakeMachine<> machine;
    machine.wake();
    machine.begin_run();
    int first = 0;
    int second = 0;
    std::atomic<int> arrived{0};  // Relaxed: it orders nothing.
    auto wake = [&](int& what) {
        what = 1;
        machine.wake();
        arrived.fetch_add(1, std::memory_order_relaxed);
    };
    std::thread a([&] { wake(first); });
    std::thread b([&] { wake(second); });
    while (arrived.load(std::memory_order_relaxed) < 2) std::this_thread::yield();
    EXPECT_TRUE(machine.end_run());
    EXPECT_TRUE(machine.begin_run());
    EXPECT_EQ(first + second, 2) << "both woke it while it ran; the second run sees both";
    a.join();
    b.join();
}

// And the other way: who sends it next links it into a list, with the link the owner has just read.
TEST(Ex3_3_WakeWhileRunning, NextSenderMayUseTheMemoryOfTheWay) {
    constexpr int kRounds = 32;  // ThreadSanitizer sees the race in about every second one.
    for (int round = 0; round < kRounds; ++round) {
        WakeMachine<> machine;
        int link = 0;  // Stands for the pointer that the inbox keeps in the target's node.
        machine.wake();
        machine.begin_run();
        std::atomic<bool> ended{false};  // Relaxed: it orders nothing.
        std::thread other([&] {
            while (!ended.load(std::memory_order_relaxed)) std::this_thread::yield();
            if (machine.wake()) link = 2;
        });
        link = 1;
        EXPECT_FALSE(machine.end_run());
        ended.store(true, std::memory_order_relaxed);
        other.join();
        ASSERT_EQ(link, 2) << "the run was over, so the next wake() sends it";
    }
}

TEST(Ex3_4_Done, WakeOfADoneTargetHasNoEffect) {
    Story story("the target is gone: where would a wake lead?");
    Machine machine;
    machine.finish();
    story.step("finish(): the target is destroyed");
    story.expect("its state", WakeState::done, machine.state());
    story.expect("wake(): send it", false, machine.wake());
    story.expect("begin_run()", false, machine.begin_run());
    story.expect("its state", WakeState::done, machine.state());
}

TEST(Ex3_4_Done, TargetThatEndsOnItsWayDoesNotRun) {
    Story story("it was sent, then it died; it arrives: may it run?");
    Machine machine;
    machine.wake();
    machine.finish();
    story.step("wake(), then finish() before it arrived");
    story.expect("begin_run()", false, machine.begin_run());
    story.expect("its state", WakeState::done, machine.state());
}

TEST(Ex3_4_Done, TargetThatEndsWhileItRunsStaysDone) {
    for (const bool woken : {false, true}) {
        Story story("end_run comes after the end of everything: what may it still change?");
        Machine machine;
        machine.wake();
        machine.begin_run();
        if (woken) machine.wake();
        machine.finish();
        story.step(woken ? "it runs, is woken, and destroys itself"
                         : "it runs and destroys itself");
        story.expect("end_run(): run once more", false, machine.end_run());
        story.expect("its state", WakeState::done, machine.state());
        story.expect("wake(): send it", false, machine.wake());
    }
}

TEST(Ex3_4_Done, WithdrawingSucceedsOnlyFromIdle) {
    Story story("a wake is on its way: can it still be refused?");
    Machine idle;
    story.expect("finish_if_idle() of an idle one", true, idle.finish_if_idle());
    story.expect("its state", WakeState::done, idle.state());
    Machine scheduled;
    scheduled.wake();
    story.expect("finish_if_idle() after a wake()", false, scheduled.finish_if_idle());
    story.expect("its state", WakeState::scheduled, scheduled.state());
    story.expect("begin_run()", true, scheduled.begin_run());
}

TEST(Ex3_4_Done, NobodyEndsItTwice) {
    Story story("it has ended already: is it this call that has ended it?");
    Machine machine;
    machine.finish();
    story.step("finish(), and then finish_if_idle()");
    story.expect("this call has ended it", false, machine.finish_if_idle());
    story.expect("its state", WakeState::done, machine.state());
}

TEST(Ex3_4_Done, WakeAndWithdrawalAgreeOnWhoWasFirst) {
    for (int access = 0; access < kAccessesMax; ++access) {
        Story story("wake and stop at the same moment: what if both believe they were first?");
        Machine machine;
        bool sent = false;
        Interleave interleave(access, [&] { sent = machine.wake(); });
        const bool withdrawn = machine.finish_if_idle();
        if (!interleave.acted()) break;
        story.step("another thread wakes before access " + std::to_string(access) +
                   " of finish_if_idle()");
        story.expect("exactly one of them was first", true, sent != withdrawn);
    }
}

}  // namespace
}  // namespace starling
