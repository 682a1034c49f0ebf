// What is given in this step: oneshot; and semaphore, mutex and gate, which stand in the line of
// 6.2. A case that nobody stands in line in passes on blank stubs (Given6); the others belong to
// 6.2, those with a stop to 6.4.
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <starling/gate.hh>
#include <starling/oneshot.hh>
#include <starling/semaphore.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/timer_bed.hh>
#include <vector>

#include "channel_bed.hh"

namespace starling {
namespace {

using testing_support::ScriptedPost;
using testing_support::ShuffledPost;
using testing_support::Started;
using testing_support::Story;
using testing_support::TimerBed;
using namespace std::chrono_literals;

TEST(Given6_Semaphore, GivesOutAsManyPermitsAsItHas) {
    Semaphore semaphore(2);
    Permit a = semaphore.try_acquire();
    Permit b = semaphore.try_acquire();
    EXPECT_TRUE(a && b);
    EXPECT_FALSE(semaphore.try_acquire());
    a.release();
    EXPECT_TRUE(semaphore.try_acquire()) << "and gives it back at once: nobody keeps it";
    EXPECT_EQ(semaphore.available(), 1u);
}

TEST(Ex6_2_Semaphore, ReleaseServesEveryWaiterItCan) {
    Story story("two permits come at once: how many of those who wait can go on?");
    Semaphore semaphore(0);
    Started a(semaphore.acquire()), b(semaphore.acquire()), c(semaphore.acquire());
    semaphore.release(2);
    story.step("three wait for a permit each; release two");
    story.expect("the first is done", true, a.done());
    story.expect("the second is done", true, b.done());
    story.expect("the third is done", false, c.done());
}

TEST(Ex6_2_Semaphore, NobodyRunsBeforeEveryoneIsServed) {
    Semaphore semaphore(0);
    std::size_t seen = 99;
    testing_support::Waiter looks([&] { seen = semaphore.available(); });
    testing_support::Waiter other;
    AcquireOperation a = semaphore.acquire(), b = semaphore.acquire();
    a.start(looks);
    b.start(other);
    semaphore.release(2);
    EXPECT_EQ(seen, 0u)
        << "Ask yourself: two permits, two waiters; had the second got its own when the first ran?";
}

TEST(Ex6_2_Semaphore, LargeRequestIsNotStarvedBySmallOnes) {
    Semaphore semaphore(1);
    Started large(semaphore.acquire(3));
    EXPECT_FALSE(semaphore.try_acquire()) << "a newcomer overtook";
    Started small(semaphore.acquire());
    EXPECT_FALSE(small.done()) << "a newcomer overtook";
    semaphore.release(2);
    EXPECT_TRUE(large.done());
    EXPECT_FALSE(small.done());
    large.finish().release();
    EXPECT_TRUE(small.done());
}

TEST(Ex6_4_Semaphore, StoppedRequestNoLongerHoldsUpThoseBehindIt) {
    Story story("the one in front leaves: what can those behind it have now, and who tells them?");
    Semaphore semaphore(1);
    Started large(semaphore.acquire(3));
    Started small(semaphore.acquire());
    large.stop();
    story.step("one permit; somebody waits for three, and behind him somebody for one");
    story.step("the first is stopped");
    story.expect("it was stopped", true, large.stopped());
    story.expect("the second is done", true, small.done());
    EXPECT_THROW((void)large.finish(), Cancelled);
}

TEST(Ex6_2_Semaphore, PermitThatWasGrantedBeatsAStop) {
    ScriptedPost posts;
    Semaphore semaphore(0);
    Started waiter(semaphore.acquire());
    semaphore.release();
    waiter.stop();
    posts.run_all();
    EXPECT_FALSE(waiter.stopped());
    EXPECT_TRUE(waiter.finish());
}

TEST(Ex6_4_Semaphore, PermitsInEqualPermitsOutUnderRandomStops) {
    for (unsigned seed = 1; seed <= 100; ++seed) {
        ShuffledPost posts(seed);
        Semaphore semaphore(5);
        std::vector<std::unique_ptr<Started<AcquireOperation>>> waiters;
        std::vector<Permit> held;
        for (int i = 0; i < 400; ++i) {
            const unsigned dice = posts.random()() % 10;
            if (dice < 3) {
                waiters.push_back(std::make_unique<Started<AcquireOperation>>(
                    semaphore.acquire(1 + posts.random()() % 5)));
            } else if (dice < 5 && !waiters.empty()) {
                waiters[posts.random()() % waiters.size()]->stop();
            } else if (dice < 6 && !held.empty()) {
                held.pop_back();
            } else {
                posts.run_one();
            }
            std::erase_if(waiters, [&](auto& w) {
                if (!w->done()) return false;
                if (!w->stopped() && posts.random()() % 4 != 0) held.push_back(w->finish());
                return true;  // One of four lets its permits go without ever taking them.
            });
        }
        while (posts.run_one()) {
        }
        waiters.clear();
        held.clear();
        ASSERT_EQ(semaphore.available(), 5u) << "seed " << seed;
    }
}

TEST(Ex6_4_Semaphore, RequestThatWasStoppedCanBeMadeAgain) {
    Semaphore semaphore(0);
    Started request(semaphore.acquire());
    request.stop();
    EXPECT_TRUE(request.stopped());
    semaphore.release();
    EXPECT_TRUE(request.op().ready());
    EXPECT_FALSE(request.stopped()) << "that was the first time";
    EXPECT_TRUE(request.finish());
}

TEST(Ex6_2_Mutex, OneAtATimeAcrossAwaits) {
    TimerBed bed;
    Mutex mutex;
    int inside = 0;
    int entered = 0;
    auto section = [&]() -> Task<> {
        MutexGuard guard = co_await mutex.lock();
        EXPECT_EQ(++inside, 1);
        co_await sleep(10ms);
        --inside;
        ++entered;
    };
    bed.run([&]() -> Task<> {
        for (int i = 0; i < 5; ++i) spawn(section()).detach();
        co_await sleep(1s);
    });
    EXPECT_EQ(entered, 5);
    EXPECT_FALSE(mutex.locked());
    EXPECT_TRUE(mutex.try_lock());
}

TEST(Ex6_2_Gate, CloseWaitsUntilEverybodyHasLeft) {
    Gate gate;
    Gate::Holder a = gate.hold(), b = gate.hold();
    Started close(gate.close());
    EXPECT_FALSE(close.done());
    a.reset();
    EXPECT_FALSE(close.done());
    b.reset();
    EXPECT_TRUE(close.done());
    EXPECT_EQ(gate.count(), 0u);
}

TEST(Ex6_2_Gate, ClosedGateRefusesNewcomers) {
    Gate gate;
    gate.enter();
    Started close(gate.close());
    EXPECT_THROW(gate.enter(), GateClosed);
    EXPECT_THROW((void)gate.hold(), GateClosed);
    gate.leave();
    EXPECT_TRUE(close.done());
}

TEST(Ex6_4_Gate, StopEndsOnlyTheWaiting) {
    Gate gate;
    gate.enter();
    Started first(gate.close());
    first.stop();
    EXPECT_TRUE(first.stopped());
    EXPECT_TRUE(gate.closed());
    Started second(gate.close());
    gate.leave();
    EXPECT_TRUE(second.done());
    EXPECT_FALSE(second.stopped());
    EXPECT_TRUE(first.op().ready());
    EXPECT_NO_THROW(first.finish()) << "awaited again, it is not the one that was stopped";
}

TEST(Given6_Gate, NobodyInsideMeansNoWaiting) {
    Gate gate;
    Started close(gate.close());
    EXPECT_TRUE(close.done());
    EXPECT_EQ(close.resumed(), 0);
}

TEST(Given6_Oneshot, ValueArrivesInEitherOrder) {
    auto [tx, rx] = oneshot<std::unique_ptr<int>>();
    EXPECT_TRUE(bool(tx.send(std::make_unique<int>(1))));
    ASSERT_TRUE(rx.ready());
    EXPECT_EQ(**rx.finish(), 1);

    auto [sender, later] = oneshot<int>();
    testing_support::Waiter waiter;
    later.start(waiter);
    EXPECT_TRUE(bool(sender.send(2)));
    EXPECT_EQ(waiter.resumed, 1);
    EXPECT_EQ(later.finish().value_or(-1), 2);
}

TEST(Given6_Oneshot, ReceiverLearnsThatTheSenderWentAway) {
    testing_support::Waiter waiter;
    std::optional<OneshotSender<int>> tx(std::in_place);
    OneshotReceiver<int> rx(*tx);
    rx.start(waiter);
    EXPECT_EQ(waiter.resumed, 0);
    tx.reset();
    EXPECT_EQ(waiter.resumed, 1);
    EXPECT_FALSE(rx.finish().has_value());
}

TEST(Given6_Oneshot, ValueComesBackWhenNobodyWaitsForIt) {
    OneshotSender<int> tx;
    EXPECT_TRUE(tx.closed()) << "nobody has ever waited";
    std::optional<Oneshot<int>> pair(std::in_place, oneshot<int>());
    tx = std::move(pair->sender);
    EXPECT_FALSE(tx.closed());
    pair.reset();
    EXPECT_TRUE(tx.closed());
    auto result = tx.send(3);
    EXPECT_FALSE(result);
    EXPECT_EQ(result.value(), 3);
}

TEST(Given6_Oneshot, BothEndsMayMove) {
    Oneshot<int> pair = oneshot<int>();
    OneshotReceiver<int> rx = std::move(pair.receiver);
    OneshotSender<int> tx = std::move(pair.sender);
    OneshotReceiver<int> further = std::move(rx);
    EXPECT_TRUE(bool(tx.send(4)));
    EXPECT_EQ(further.finish().value_or(-1), 4);
}

TEST(Given6_Oneshot, SenderThatIsReplacedHangsUp) {
    auto [tx, rx] = oneshot<int>();
    auto [other_tx, other_rx] = oneshot<int>();
    tx = std::move(other_tx);
    ASSERT_TRUE(rx.ready()) << "its sender has gone";
    EXPECT_FALSE(rx.finish().has_value());
    EXPECT_TRUE(other_tx.closed());
    EXPECT_TRUE(bool(tx.send(6)));
    EXPECT_EQ(other_rx.finish().value_or(-1), 6);
}

TEST(Given6_Oneshot, ShieldedReceiverGoesWithItsTask) {
    bool gone = false;
    {
        Executor executor;
        executor
            .spawn([](bool& gone) -> Task<> {
                struct AtEnd {
                    bool& gone;
                    ~AtEnd() { gone = true; }
                } at_end{gone};
                auto [tx, rx] = oneshot<int>();
                (void)co_await shield(rx);  // Nobody sends, and no stop gets through.
            }(gone))
            .detach();
        executor.run_once();
    }
    EXPECT_TRUE(gone);
}

TEST(Given6_Oneshot, ReceiverMayBeDestroyedWhileItWaits) {
    testing_support::Waiter waiter;
    OneshotSender<int> tx;
    {
        OneshotReceiver<int> rx(tx);
        rx.start(waiter);
    }
    EXPECT_TRUE(tx.closed());
    EXPECT_FALSE(tx.send(1));
    EXPECT_EQ(waiter.resumed, 0) << "nobody waits any more";
}

TEST(Given6_Oneshot, StoppedReceiverCanBeAwaitedAgain) {
    auto [tx, rx] = oneshot<int>();
    Context context;
    testing_support::Waiter waiter;
    waiter.set_context(&context);
    rx.start(waiter);
    context.request_stop();
    EXPECT_TRUE(rx.stopped());
    EXPECT_THROW((void)rx.finish(), Cancelled);
    EXPECT_TRUE(bool(tx.send(5)));
    EXPECT_EQ(rx.finish().value_or(-1), 5);
}

TEST(Given6_Oneshot, ValueThatComesAfterTheStopButBeforeTheAwaiterRunsCounts) {
    ScriptedPost posts;
    auto [tx, rx] = oneshot<int>();
    Context context;
    testing_support::Waiter waiter;
    waiter.set_context(&context);
    rx.start(waiter);
    context.request_stop();
    EXPECT_TRUE(bool(tx.send(5)));
    posts.run_all();
    EXPECT_EQ(waiter.resumed, 1);
    EXPECT_FALSE(rx.stopped());
    EXPECT_EQ(rx.finish().value_or(-1), 5);
}

}  // namespace
}  // namespace starling
