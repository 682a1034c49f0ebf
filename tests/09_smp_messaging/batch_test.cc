// 9.2: batches.
#include <gtest/gtest.h>

#include <starling/atomic_steps.hh>
#include <starling/story.hh>

#include "probe.hh"

extern "C" [[gnu::weak]] std::size_t __sanitizer_get_current_allocated_bytes();

namespace starling {
namespace {

using testing_support::Story;

constexpr int kBatch = Mailbox::kBatch;

/// Sends all of `probes` from shard 0 to shard `to`, in one go, as a task would.
void send_all(VirtualShards& shards, Probes& probes, unsigned to = 1) {
    for (Probe& probe : probes.all) shards.mailbox(0).send(to, probe);
}

TEST(Ex9_2_Batches, AMessageGoesThereAndComesHome) {
    VirtualShards shards(2);
    Probes probes(1);
    send_all(shards, probes);
    EXPECT_EQ(shards.mailbox(0).outstanding(), 1u);
    ASSERT_TRUE(shards.run_until([&] { return probes.home() == 1; }))
        << "it has " << (probes.ran() ? "not come home" : "not even arrived");
    EXPECT_EQ(probes.log, (Log{"0 runs on 1", "0 is home"}));
    EXPECT_EQ(shards.mailbox(0).outstanding(), 0u);
}

TEST(Ex9_2_Batches, MessagesOfOneTurnTravelTogether) {
    VirtualShards shards(2);
    Probes probes(3);
    send_all(shards, probes);
    shards.turn(1);
    shards.turn(1);
    Story story("who may still send in this turn, and what does each trip of a cache line cost?");
    story.step("shard 0 sends three messages to shard 1, and is still in its turn");
    story.step("shard 1 looks for messages, twice");
    story.expect("so many of them have run there", 0, probes.ran());
    shards.run();
    story.step("shard 0 ends its turn, and both shards go on");
    story.expect("so many of them have come home", 3, probes.home());
}

TEST(Ex9_2_Batches, AFullBatchDoesNotWaitForTheTurnToEnd) {
    VirtualShards shards(2);
    Probes probes(kBatch);
    send_all(shards, probes);
    shards.turn(1);
    shards.turn(1);
    EXPECT_EQ(probes.ran(), kBatch)
        << "a batch was full, so shard 1 could have begun while shard 0 goes on with its turn";
    shards.run();
}

TEST(Ex9_2_Batches, APartialBatchLeavesAtTheEndOfTheTurn) {
    for (int count : {1, kBatch - 1, kBatch + 1, 2 * kBatch + 3}) {
        VirtualShards shards(2);
        Probes probes(count);
        send_all(shards, probes);
        while (shards.turn(0)) {
        }
        while (shards.turn(1)) {
        }
        EXPECT_EQ(probes.ran(), count)
            << count << " messages were sent, a batch is " << kBatch
            << ".\nAsk yourself: who publishes what is left when no further message comes?";
        shards.run();
    }
}

TEST(Ex9_2_Batches, EveryShardGetsItsShare) {
    VirtualShards shards(4);
    Probes a(2, "a"), b(2, "b"), c(2, "c");
    send_all(shards, a, 1);
    send_all(shards, b, 2);
    send_all(shards, c, 3);
    shards.run();
    EXPECT_EQ(a.home() + b.home() + c.home(), 6)
        << "shard 1 answered " << a.home() << ", shard 2 " << b.home() << ", shard 3 " << c.home()
        << ", of 2 each";
}

TEST(Ex9_2_Batches, TheSameLaneIsFlushedAgainAndAgain) {
    VirtualShards shards(2);
    for (int round = 1; round <= 5; ++round) {
        Probes probes(kBatch / 2);
        send_all(shards, probes);
        shards.run();
        ASSERT_EQ(probes.home(), kBatch / 2)
            << "round " << round
            << ".\nAsk yourself: what still says that this lane is on the list of lanes to flush?";
    }
}

TEST(Ex9_2_Batches, WhoHasFlushedByHandSendsAgainInTheSameTurn) {
    VirtualShards shards(2);
    Probes probes(2);
    Story story("no lane is left to flush: is the mailbox out of the executor's queue, too?");
    shards.mailbox(0).send(1, probes.all[0]);
    shards.mailbox(0).flush();
    story.step("shard 0 sends a message and calls flush()");
    shards.mailbox(0).send(1, probes.all[1]);
    story.step("still in this turn, it sends another one");
    shards.run();
    story.expect("so many of them have come home", 2, probes.home());
}

/// What the heap has given out; without a sanitizer nobody counts.
std::size_t heap_bytes() {
    return __sanitizer_get_current_allocated_bytes != nullptr
               ? __sanitizer_get_current_allocated_bytes()
               : 0;
}

/// Comes and goes, and takes no memory for it.
struct Courier final : Message {
    void resume() noexcept override { mailbox("Courier").reply(*this); }
    bool returned() noexcept override { return ++returns, true; }
    int returns = 0;
};

TEST(Ex9_2_Batches, AThousandTurnsTakeNoMoreMemoryThanTen) {
    constexpr int kTurns = 1000;
    VirtualShards shards(2);
    Courier courier;
    Story story("a lane was flushed: what still speaks of it, and for how long?");
    std::size_t before = 0;
    for (int turn = 0; turn < kTurns; ++turn) {
        if (turn == 10) before = heap_bytes();
        shards.mailbox(0).send(1, courier);
        shards.run();
        if (courier.returns == turn) break;
    }
    story.step("one message goes there and comes home, again and again");
    story.expect("so often", kTurns, courier.returns);
    story.expect("from the tenth time on it took more memory", false, heap_bytes() > before + 2000);
}

TEST(Ex9_2_Batches, OrderIsKeptAcrossBatches) {
    VirtualShards shards(2);
    Probes probes(5 * kBatch + 2);
    send_all(shards, probes);
    shards.run();
    Log expected;
    for (int i = 0; i < 5 * kBatch + 2; ++i) expected.push_back(std::to_string(i));
    EXPECT_EQ(probes.who(" runs on 1"), expected);
    EXPECT_EQ(probes.who(" is home"), expected) << "replies keep their order, too";
}

TEST(Ex9_2_Batches, ABatchIsPublishedOnceAndNotMessageByMessage) {
    if (!kAtomicHooks) GTEST_SKIP() << "needs a build with assertions";
    VirtualShards shards(2);
    Probes warm_up(1), probes(kBatch);
    send_all(shards, warm_up);
    shards.run();
    int steps = 0;
    {
        ActAtStep count(1 << 30, [] {});
        send_all(shards, probes);
        steps = count.seen();
    }
    EXPECT_LT(steps, kBatch) << "atomic operations for " << kBatch << " messages";
    shards.run();
}

TEST(Ex9_2_Batches, AMessageToOneselfIsAMessageLikeAnyOther) {
    VirtualShards shards(2);
    Probes there(1, "there"), here(1, "here");
    send_all(shards, here, 0);
    send_all(shards, there, 1);
    shards.run();
    EXPECT_EQ(here.log, (Log{"here0 runs on 0", "here0 is home"}));
    EXPECT_EQ(there.home(), 1);
}

TEST(Ex9_2_Shutdown, IsOverWhenNobodyIsBusyAndNotBefore) {
    VirtualShards shards(3);
    Probes probes(1);
    Story story("shard 1 was idle when it was asked; what may have happened since?");
    shards.smp().close();
    story.expect("shard 1 is idle: is it over", false, shards.mailbox(1).report_idle());
    story.expect("shard 2 is idle: is it over", false, shards.mailbox(2).report_idle());
    send_all(shards, probes);
    story.step("shard 0, which is not, sends a message to shard 1");
    story.expect("shard 0 has nothing else to do: is it over", false,
                 shards.mailbox(0).report_idle());
    shards.run();
    story.step("the message has come home");
    story.expect("shard 0 is idle: is it over", false, shards.mailbox(0).report_idle());
    story.expect("shard 1 is idle again: is it over", true, shards.mailbox(1).report_idle());
    story.expect("shard 2 hears of it", true, shards.smp().quiescent());
}

}  // namespace
}  // namespace starling
