// 9.5: back-pressure without deadlock.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <starling/send.hh>
#include <starling/story.hh>

#include "probe.hh"
#include "run_on_0.hh"

namespace starling {
namespace {

using testing_support::Story;

TEST(Ex9_5_Backpressure, ASenderWithoutCreditWaits) {
    VirtualShards shards(2, 4);
    Probes probes(6);
    for (Probe& probe : probes.all) shards.mailbox(0).send(1, probe);
    EXPECT_FALSE(shards.mailbox(0).has_credit(1));
    while (shards.turn(0)) {
    }
    while (shards.turn(1)) {
    }
    EXPECT_EQ(probes.ran(), 4) << "4 requests may be under way, 6 were sent";
    shards.run();
    EXPECT_EQ(probes.home(), 6) << "each that comes home makes room for one that waits";
    EXPECT_TRUE(shards.mailbox(0).has_credit(1));
}

TEST(Ex9_5_Backpressure, WhoCameFirstLeavesFirst) {
    VirtualShards shards(2, 2);
    Probes probes(9);
    for (int i = 0; i < 6; ++i) shards.mailbox(0).send(1, probes.all[i]);
    // One turn each: the first two come home, and their credit goes to somebody.
    for (int i = 0; i < 2; ++i) shards.turn(0), shards.turn(1);
    for (int i = 6; i < 9; ++i) shards.mailbox(0).send(1, probes.all[i]);
    shards.run();
    EXPECT_EQ(probes.who(" runs on 1"), (Log{"0", "1", "2", "3", "4", "5", "6", "7", "8"}))
        << "Ask yourself: a request comes home, and others wait. Whose is its credit?";
}

TEST(Ex9_5_Backpressure, ANewcomerDoesNotOvertakeTheLine) {
    VirtualShards shards(2, 1);
    Probes probes(4);
    for (int i = 0; i < 3; ++i) shards.mailbox(0).send(1, probes.all[i]);
    while (!probes.all[0].home) shards.turn(1), shards.turn(0);
    shards.mailbox(0).send(1, probes.all[3]);  // At the very moment when a credit has come back.
    shards.run();
    EXPECT_EQ(probes.who(" runs on 1"), (Log{"0", "1", "2", "3"}));
}

TEST(Ex9_5_Backpressure, TwoShardsFullOfEachOthersRequestsStillAnswer) {
    for (std::size_t credits : {1, 2, 16, 128}) {
        VirtualShards shards(2, credits);
        const int count = static_cast<int>(3 * credits);
        Probes a(count, "a"), b(count, "b");
        for (Probe& probe : a.all) shards.mailbox(0).send(1, probe);
        for (Probe& probe : b.all) shards.mailbox(1).send(0, probe);
        shards.run();
        EXPECT_EQ(a.home(), count);
        EXPECT_EQ(b.home(), count)
            << "both shards had all their " << credits << " requests under way; " << a.ran()
            << " and " << b.ran() << " were run, " << a.home() << " and " << b.home()
            << " came home.\n"
            << "Ask yourself: what does a reply wait for, and who could bring it?";
    }
}

TEST(Ex9_5_Backpressure, AFullLaneDoesNotHoldUpAnother) {
    VirtualShards shards(3, 2);
    Probes to_1(5, "a"), to_2(1, "b");
    for (Probe& probe : to_1.all) shards.mailbox(0).send(1, probe);
    shards.mailbox(0).send(2, to_2.all[0]);
    for (int i = 0; i < 4; ++i) shards.turn(0), shards.turn(2);  // Shard 1 is busy elsewhere.
    EXPECT_EQ(to_2.home(), 1);
    shards.run();
    EXPECT_EQ(to_1.home(), 5);
}

TEST(Ex9_5_Backpressure, AMessageInLineCanBeWithdrawn) {
    VirtualShards shards(2, 1);
    Probes probes(5);
    for (Probe& probe : probes.all) shards.mailbox(0).send(1, probe);
    EXPECT_TRUE(shards.mailbox(0).withdraw(probes.all[2])) << "0 is under way, 1 to 4 wait in line";
    EXPECT_TRUE(shards.mailbox(0).withdraw(probes.all[4]));
    Story story("`credits` is below 0: what does it count, and who has just left?");
    story.step("one request under way, four in line, of which two are withdrawn");
    story.expect("outstanding", std::size_t{3}, shards.mailbox(0).outstanding());
    const Lane& lane = shards.smp().lane(0, 1);
    if (!story.expect("credits: so many in line, below 0", std::ptrdiff_t{-2}, lane.credits)) {
        shards.smp().lane(0, 1).credits = -2;  // Or the next that comes home looks for more.
    }
    EXPECT_FALSE(shards.mailbox(0).withdraw(probes.all[0])) << "0 is not in line, it is under way";
    shards.run();
    EXPECT_EQ(probes.who(" runs on 1"), (Log{"0", "1", "3"}));
    EXPECT_EQ(shards.mailbox(0).outstanding(), 0u);
    EXPECT_FALSE(shards.mailbox(0).withdraw(probes.all[3])) << "it has come home long ago";
}

TEST(Ex9_5_Backpressure, AStoppedCallerLeavesTheLine) {
    Story story("one of those in line has gone: for whom does the next credit look?");
    VirtualShards shards(2, 1);
    Log log;
    auto call = [&](std::string name) -> Task<> {
        co_await submit_to(1, [&] { log.push_back(name); });
    };
    auto a = shards.spawn(0, call("a"));
    auto b = shards.spawn(0, call("b"));
    auto c = shards.spawn(0, call("c"));
    shards.turn(0);
    ASSERT_EQ(shards.mailbox(0).outstanding(), 3u);
    b.abort();
    while (shards.turn(0)) {
    }
    EXPECT_TRUE(b.done()) << "b waited for credit; shard 1 has never heard of it";
    EXPECT_THROW(b.finish(), TaskAborted);
    shards.run();
    EXPECT_EQ(log, (Log{"a", "c"}));
    a.finish(), c.finish();
}

TEST(Ex9_5_Backpressure, WhoIsStoppedAlreadyDoesNotWaitInLine) {
    VirtualShards shards(2, 1);
    Story story(
        "a stop may come while the operation starts: which of its steps must be done by then?");
    Probes probes(1);
    shards.mailbox(0).send(1, probes.all[0]);
    story.step("there is one credit, and a message has it");
    bool called = false;
    CountingCaller caller;
    auto call = as_shard_0(shards, [&] { return submit_to(1, [&] { called = true; }); });
    caller.task.request_stop();
    as_shard_0(shards, [&] { call.start(caller); });
    story.step("a call to the same shard starts for somebody who was stopped before");
    shards.run();
    story.expect("the function was called", false, called);
    story.expect("so often the caller has gone on", 1, caller.resumed);
    story.expect("messages sent and not home", std::size_t{0}, shards.mailbox(0).outstanding());
}

TEST(Ex9_5_Backpressure, ADestructorNeverWaitsForCredit) {
    VirtualShards shards(2, 1);
    struct Noting {
        explicit Noting(std::vector<unsigned>& where) : where(where) {}
        ~Noting() { where.push_back(this_shard()); }
        std::vector<unsigned>& where;
    };
    std::vector<unsigned> where;
    std::vector<ForeignPtr<Noting>> objects;
    auto make = shards.spawn(1, [&]() -> Task<> {
        for (int i = 0; i < 4; ++i) objects.push_back(make_foreign<Noting>(where));
        co_return;
    });
    shards.run();
    auto drop = shards.spawn(0, [&]() -> Task<> {
        objects.clear();  // Four messages, one credit, no await.
        co_return;
    });
    shards.run();
    EXPECT_EQ(where, (std::vector<unsigned>{1, 1, 1, 1})) << "each dies on the shard that made it";
    EXPECT_TRUE(make.done() && drop.done());
}

TEST(Ex9_5_Backpressure, TasksThatAskEachOtherInCirclesCanBeStopped) {
    for (std::size_t credits : {1, 2, 7, 128}) {
        VirtualShards shards(2, credits);
        auto ask_back = [](unsigned here) -> Task<> {
            co_await submit_to(1 - here, [here]() -> Task<> {
                co_await yield();
                co_await submit_to(here, []() -> Task<> { co_return; });
            });
        };
        std::deque<JoinHandle<void>> callers;
        for (std::size_t i = 0; i < 4 * credits; ++i) {
            callers.push_back(shards.spawn(i % 2, ask_back(i % 2)));
        }
        shards.run();
        ASSERT_FALSE(shards.mailbox(0).has_credit(1)) << "each waits for the end of another";
        for (auto& caller : callers) caller.abort();
        shards.run();
        for (auto& caller : callers) {
            ASSERT_TRUE(caller.done())
                << "with " << credits << " credits: every call was stopped, and "
                << "some have not ended";
        }
        for (unsigned i = 0; i < 2; ++i) {
            EXPECT_EQ(shards.mailbox(i).outstanding(), 0u);
            EXPECT_TRUE(shards.mailbox(i).has_credit(1 - i));
        }
    }
}

TEST(Ex9_5_Backpressure, NothingIsLostUnderRandomTrafficAndRandomStops) {
    Story story("a request leaves the line in two ways: what has to be counted in each?");
    for (unsigned seed = 0; seed < 30; ++seed) {
        std::mt19937 random(seed);
        constexpr unsigned kShards = 3;
        // What callers refer to comes before the shards: they end the callers that never ended.
        int begun = 0, ended = 0, called = 0, answered = 0;
        auto caller = [&](unsigned to, bool task_there) -> Task<> {
            struct Count {
                int& ended;
                ~Count() { ++ended; }
            } count{ended};
            ++begun;
            for (int i = 0; i < 4; ++i) {
                if (task_there) {
                    co_await submit_to(to, [&]() -> Task<> {
                        ++called;
                        co_await yield();
                    });
                } else {
                    co_await submit_to(to, [&] { ++called; });
                }
                ++answered;
            }
        };
        VirtualShards shards(kShards, 1 + seed % 3);
        std::deque<JoinHandle<void>> callers;
        for (int step = 0; step < 400; ++step) {
            const unsigned shard = random() % kShards;
            switch (random() % 4) {
                case 0:
                    callers.push_back(
                        shards.spawn(shard, caller(random() % kShards, random() % 2 == 0)));
                    break;
                case 1:
                    if (!callers.empty()) callers[random() % callers.size()].abort();
                    break;
                default:
                    shards.turn(shard);
            }
        }
        shards.run();
        ASSERT_EQ(ended, begun) << "seed " << seed << ": callers that never ended";
        ASSERT_LE(answered, called) << "seed " << seed;
        for (unsigned i = 0; i < kShards; ++i) {
            ASSERT_EQ(shards.mailbox(i).outstanding(), 0u) << "seed " << seed << ", shard " << i;
            for (unsigned k = 0; k < kShards; ++k) {
                ASSERT_TRUE(shards.mailbox(i).has_credit(k))
                    << "seed " << seed << ": a credit is gone";
            }
        }
    }
}

}  // namespace
}  // namespace starling
