// 6.5: several operations at once. Needs 6.1 to 6.4.
#include <gtest/gtest.h>
#include <array>
#include <memory>
#include <starling/channel.hh>
#include <starling/oneshot.hh>
#include <starling/select.hh>
#include <starling/semaphore.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/task_probes.hh>
#include <starling/timeout.hh>
#include <starling/timer_bed.hh>
#include <vector>

#include "channel_bed.hh"

namespace starling {
namespace {

using testing_support::Hold;
using testing_support::ScriptedPost;
using testing_support::Started;
using testing_support::Story;
using testing_support::TimerBed;
using namespace std::chrono_literals;

TEST(Ex6_5_Select, BranchThatIsReadyWins) {
    Story story("one branch need not wait: what do you do with the others?");
    auto [tx, rx] = channel<int>(4);
    auto [other_tx, other_rx] = channel<int>(4);
    EXPECT_TRUE(tx.try_send(7));
    Started both(select(other_rx.recv(), rx.recv()));
    story.step("select: an empty channel, and one with 7 in it");
    if (!story.expect("it waits", false, !both.done())) return;
    auto result = both.finish();
    story.expect("the winner", 1u, result.index());
    story.expect("its value", 7, result.take<1>().value_or(-1));
    story.expect("the other branch has ended", true, result.slot<0>().stopped());
    EXPECT_TRUE(other_tx.try_send(1));
    story.expect("a value for the other channel stays there", 1u, other_rx.size());
}

TEST(Ex6_5_Select, FirstThatEndsWins) {
    Story story("who learns that a branch has ended, and what is to be done then?");
    auto [tx, rx] = channel<int>(4);
    auto [other_tx, other_rx] = channel<int>(4);
    Started both(select(rx.recv(), other_rx.recv()));
    story.step("select over two empty channels");
    story.expect("it is done", false, both.done());
    EXPECT_TRUE(other_tx.try_send(5));
    story.step("a value for the second");
    if (!story.expect("it is done", true, both.done())) return;
    auto result = both.finish();
    story.expect("the winner", 1u, result.index());
    story.expect("its value", 5, result.take<1>().value_or(-1));
    EXPECT_TRUE(tx.try_send(6));
    story.expect("the loser has left its line: a value stays in its channel", 1u, rx.size());
}

TEST(Ex6_5_Select, TimerIsJustAnotherBranch) {
    Story story("the loser is a timer: is it still armed when the winner goes on?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto [tx, rx] = channel<int>(1);
        auto late = co_await select(rx.recv(), sleep(10ms));
        story.step("an empty channel against 10 ms");
        story.expect("the winner", 1u, late.index());
        EXPECT_TRUE(tx.try_send(1));
        auto in_time = co_await select(rx.recv(), sleep(10ms));
        story.step("a channel with a value against 10 ms");
        story.expect("the winner", 0u, in_time.index());
        story.expect("a timer is armed", false, bed.timers.active());
    });
    story.expect("ms that have passed", 10, bed.elapsed() / 1ms);
}

TEST(Ex6_5_Select, WinnerDoesNotGoOnBeforeEveryLoserHasEnded) {
    Story story("a stop is a request: when has a loser ended?");
    TimerBed bed;
    bool loser_ended = false;
    bed.run([&]() -> Task<> {
        auto slow_to_end = [&]() -> Task<> {
            try {
                co_await sleep(1h);
            } catch (const Cancelled&) {
            }
            co_await shield(sleep(30ms));
            loser_ended = true;
            throw Cancelled{};
        };
        auto result = co_await select(sleep(10ms), slow_to_end());
        story.step("10 ms against a task that takes 30 ms to clean up after it was stopped");
        story.expect("the winner", 0u, result.index());
        story.expect("the loser has ended", true, loser_ended);
    });
    story.expect("ms that have passed", 40, bed.elapsed() / 1ms);
}

TEST(Ex6_5_Select, LoserThatHadSucceededKeepsItsValue) {
    Story story("two branches get a value before either has run: one wins. And the other's value?");
    ScriptedPost posts;
    auto [tx, rx] = channel<int>(4);
    auto [other_tx, other_rx] = channel<int>(4);
    Started both(select(rx.recv(), other_rx.recv()));
    EXPECT_TRUE(tx.try_send(1));
    EXPECT_TRUE(other_tx.try_send(2));
    posts.run_all();
    story.step("select over two channels; both get a value in the same turn");
    if (!story.expect("it is done", true, both.done())) return;
    auto result = both.finish();
    if (!story.expect("the first has a value", true, result.slot<0>().has_value())) return;
    if (!story.expect("the second has a value", true, result.slot<1>().has_value())) return;
    story.expect("the first got", 1, result.take<0>().value_or(-1));
    story.expect("the second got", 2, result.take<1>().value_or(-1));
}

TEST(Ex6_5_Select, LoserThatSucceedsInSpiteOfTheStopIsVisible) {
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto stubborn = []() -> Task<int> {
            try {
                co_await sleep(1h);
            } catch (const Cancelled&) {
            }
            co_return 7;
        };
        auto result = co_await select(sleep(10ms), stubborn());
        EXPECT_EQ(result.index(), 0u);
        EXPECT_EQ(result.slot<1>().has_value() ? result.take<1>() : -1, 7);
    });
}

TEST(Ex6_5_Select, WhenAnyGivesALosersValueBack) {
    Story story("only the winner's result is wanted: what becomes of the value the loser has got?");
    ScriptedPost posts;
    auto [tx, rx] = channel<int>(4);
    auto [other_tx, other_rx] = channel<int>(4);
    int winner = -1;
    {
        Started both(when_any(rx.recv(), other_rx.recv()));
        EXPECT_TRUE(tx.try_send(1));
        EXPECT_TRUE(other_tx.try_send(2));
        posts.run_all();
        story.step("when_any over two channels; both get a value in the same turn");
        if (!story.expect("it is done", true, both.done())) return;
        winner = both.finish().value_or(-1);
    }
    const auto left = rx.try_recv();
    const auto other_left = other_rx.try_recv();
    const int back = left ? *left : other_left.value_or(-1);
    story.expect("the winner's value and what is back in a channel make", 3, winner + back);
}

TEST(Ex6_5_Fairness, BranchesThatAreReadyTakeTurns) {
    Story story("where do you begin to ask?");
    auto [tx, rx] = unbounded_channel<int>();
    auto [tx1, rx1] = unbounded_channel<int>();
    auto [tx2, rx2] = unbounded_channel<int>();
    for (int i = 0; i < 3000; ++i) {
        for (auto* end : {&tx, &tx1, &tx2}) EXPECT_TRUE(end->try_send(i));
    }
    std::array<int, 3> wins{};
    for (int i = 0; i < 3000; ++i) {
        Started op(select(rx.recv(), rx1.recv(), rx2.recv()));
        ++wins[op.finish().index()];
    }
    story.step("3000 times: three channels that all have a value");
    for (int i = 0; i < 3; ++i) {
        story.expect("branch " + std::to_string(i) + " won at least 500 times", true,
                     wins[i] >= 500);
    }
}

TEST(Ex6_5_Fairness, BiasedSelectPrefersTheFirst) {
    Story story("who is asked first, and is anybody else asked when he says yes?");
    auto [tx, rx] = unbounded_channel<int>();
    auto [other_tx, other_rx] = unbounded_channel<int>();
    for (int i = 0; i < 100; ++i) {
        EXPECT_TRUE(tx.try_send(i));
        EXPECT_TRUE(other_tx.try_send(i));
        Started op(select_biased(rx.recv(), other_rx.recv()));
        if (!story.expect("the winner", 0u, op.finish().index())) return;
    }
    story.step("100 times: two channels that both have a value, biased");
    story.expect("values left in the second channel", 100u, other_rx.size());
}

TEST(Ex6_5_Select, ErrorOfABranchIsAResult) {
    Story story("a branch that fails has ended: has it been stopped?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto failing = []() -> Task<int> {
            co_await sleep(5ms);
            throw std::runtime_error("no");
        };
        auto result = co_await select(sleep(10ms), failing());
        story.step("10 ms against a task that fails after 5 ms");
        story.expect("the winner", 1u, result.index());
        story.expect("its slot has an error", true, result.slot<1>().has_error());
        EXPECT_THROW((void)result.take<1>(), std::runtime_error);
    });
    story.expect("ms that have passed", 5, bed.elapsed() / 1ms);
}

TEST(Ex6_5_Stop, OuterStopEndsEveryBranch) {
    Story story("whose stop does a branch hear of, and can one win that ends because of it?");
    auto [tx, rx] = channel<int>(1);
    auto [other_tx, other_rx] = channel<int>(1);
    Started both(select(rx.recv(), other_rx.recv()));
    both.stop();
    story.step("select over two empty channels, then a stop from outside");
    story.expect("it is done", true, both.done());
    story.expect("it was stopped", true, both.stopped());
    EXPECT_THROW((void)both.finish(), Cancelled);
    EXPECT_TRUE(tx.try_send(1));
    EXPECT_TRUE(other_tx.try_send(1));
    story.expect("values stay in their channels", 2u, rx.size() + other_rx.size());
}

TEST(Ex6_5_Stop, SuccessBeatsAnOuterStop) {
    Story story("one branch has got its value, then comes the stop: is there a winner?");
    ScriptedPost posts;
    auto [tx, rx] = channel<int>(1);
    auto [other_tx, other_rx] = channel<int>(1);
    Started both(select(rx.recv(), other_rx.recv()));
    EXPECT_TRUE(other_tx.try_send(5));
    both.stop();
    posts.run_all();
    story.step("select over two channels; the second gets 5, then a stop before anybody runs");
    story.expect("it is done", true, both.done());
    if (!story.expect("it was stopped", false, both.stopped())) return;
    auto result = both.finish();
    story.expect("the winner", 1u, result.index());
    story.expect("its value", 5, result.take<1>().value_or(-1));
}

TEST(Ex6_5_Stop, WinnerIsNotStoppedByItsOwnVictory) {
    Story story("the winner has ended: does anything it does later hear of the stop you sent?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto result = co_await select(sleep(5ms), sleep(10ms));
        story.step("5 ms against 10 ms");
        story.expect("the winner", 0u, result.index());
        co_await sleep(10ms);
        story.expect("the task goes on: ms that have passed", 15, bed.elapsed() / 1ms);
    });
}

TEST(Ex6_5_Select, WorksWithoutAScheduler) {
    Story story("a branch may end while you still start the next: who holds it back?");
    Promise<int> promise;
    Promise<int> other;
    Context context;
    testing_support::Waiter waiter;
    waiter.set_context(&context);
    auto op = select(promise.get_future(), other.get_future());
    ASSERT_FALSE(op.ready());
    op.start(waiter);
    other.set_value(4);
    story.step("select over two futures, outside of any executor; the second gets 4");
    story.expect("times the waiter was resumed", 1, waiter.resumed);
    auto result = op.finish();
    story.expect("the winner", 1u, result.index());
    story.expect("its value", 4, result.take<1>());
}

TEST(Ex6_5_Select, BranchThatBecomesReadyWhileOthersAreStarted) {
    Story story("your first branch makes the second one ready: does the second look again?");
    auto [tx, rx] = channel<int>(1);
    Started waiting(rx.recv());
    auto [a, b] = channel<int>(1);
    Started both(select_biased(b.recv(), rx.recv(), yield()));
    story.step("two receivers and a yield");
    EXPECT_TRUE(both.done());
    story.expect("the winner", 2u, both.finish().index());
    EXPECT_TRUE(tx.try_send(1));
    EXPECT_TRUE(a.try_send(1));
    story.expect("the one that waited before got its value", 1, waiting.finish().value_or(-1));
}

TEST(Ex6_5_Select, ReceiverGivenByReferenceCanBeAwaitedAgain) {
    Story story("a branch was lent to the select: what is left of it when it loses?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto [sender, receiver] = oneshot<int>();
        auto result = co_await select(receiver, sleep(5ms));
        story.step("a oneshot against 5 ms");
        story.expect("the winner", 1u, result.index());
        EXPECT_TRUE(bool(sender.send(9)));
        story.expect("send 9, await the receiver again", 9, (co_await receiver).value_or(-1));
    });
}

TEST(Ex6_5_Select, BranchesGivenByReferenceGoOnInTheNextRound) {
    Story story("the same operations in one select after the other: which is still stopped?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto [tx, rx] = channel<int>(4);
        auto deadline = sleep(25ms);
        auto value = rx.recv();
        std::vector<std::size_t> winners;
        for (int round = 1; round <= 4; ++round) {
            auto result = co_await select_biased(deadline, value, sleep(10ms));
            winners.push_back(result.index());
            if (round == 1) {
                EXPECT_TRUE(tx.try_send(7));
            }
            if (round == 2) story.expect("the value", 7, result.take<1>().value_or(-1));
        }
        story.step("a deadline of 25 ms, a receive, and 10 ms anew in each round");
        story.step("a value is sent after the first round");
        story.expect("the winners", (std::vector<std::size_t>{2, 1, 2, 0}), winners);
    });
    story.expect("ms that have passed", 25, bed.elapsed() / 1ms);
}

TEST(Ex6_5_Select, SelectsNest) {
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto [tx, rx] = channel<int>(1);
        auto result = co_await select(select(rx.recv(), sleep(1h)), timeout(sleep(1h), 5ms));
        EXPECT_EQ(result.index(), 1u);
        EXPECT_TRUE(result.slot<1>().has_error());
        EXPECT_TRUE(result.slot<0>().stopped());
        EXPECT_FALSE(bed.timers.active());
    });
    EXPECT_EQ(bed.elapsed() / 1ms, 5);
}

TEST(Ex6_5_Select, ResultsMayBeVoidReferencesAndMoveOnly) {
    TimerBed bed;
    bed.run([]() -> Task<> {
        static int target = 3;
        auto reference = []() -> Task<int&> { co_return target; };
        auto box = []() -> Task<std::unique_ptr<int>> { co_return std::make_unique<int>(4); };
        auto one = co_await select(reference());
        EXPECT_EQ(&one.take<0>(), &target);
        auto two = co_await select_biased(box(), sleep(1h));
        EXPECT_EQ(*two.take<0>(), 4);
        auto three = co_await select(yield());
        three.take<0>();
    });
}

TEST(Ex6_5_Conservation, NoValueIsLostBetweenChannelsTimersAndPermits) {
    for (unsigned seed = 1; seed <= 30; ++seed) {
        int received = 0;
        constexpr int kValues = 400;
        Semaphore permits(3);
        auto [tx, rx] = channel<int>(2);
        auto [other_tx, other_rx] = channel<int>(2);
        TimerBed bed;
        auto producer = [](Sender<int>& tx, unsigned seed) -> Task<> {
            std::mt19937 random(seed);
            for (int i = 0; i < kValues / 2; ++i) {
                EXPECT_TRUE(bool(co_await tx.send(i)));
                if (random() % 3 == 0) co_await sleep(std::chrono::microseconds(random() % 3000));
            }
        };
        auto holder = [](Semaphore& permits) -> Task<> {
            for (;;) {
                Permit all = co_await permits.acquire(3);
                co_await sleep(2ms);
            }
        };
        bed.run([&, &tx = tx, &rx = rx, &other_tx = other_tx, &other_rx = other_rx]() -> Task<> {
            auto holds = spawn(holder(permits));
            spawn(producer(tx, seed)).detach();
            spawn(producer(other_tx, seed + 1000)).detach();
            std::mt19937 random(seed);
            for (int round = 0; received < kValues && round < 10'000; ++round) {
                const auto patience = std::chrono::microseconds(random() % 2000);
                auto result = co_await select(rx.recv(), sleep(patience), other_rx.recv(),
                                              permits.acquire(1 + random() % 3));
                if (result.slot<0>().has_value() && result.take<0>()) ++received;
                if (result.slot<2>().has_value() && result.take<2>()) ++received;
                if (result.slot<3>().has_value()) co_await sleep(100us);
            }
            holds.abort();
            EXPECT_THROW(co_await holds, TaskAborted);
        });
        ASSERT_EQ(received, kValues)
            << "seed " << seed << "\nAsk yourself: may a loser have got something, too?";
        ASSERT_EQ(permits.available(), 3u) << "seed " << seed;
    }
}

}  // namespace
}  // namespace starling
