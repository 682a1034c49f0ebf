// 9.3: a stop of the caller, at any point of a call to another shard.
#include <gtest/gtest.h>

#include <random>
#include <starling/story.hh>
#include <starling/submit.hh>
#include <starling/virtual_shards.hh>
#include <string>
#include <vector>

#include "run_on_0.hh"

namespace starling {
namespace {

using testing_support::Story;

TEST(Ex9_3_SubmitStop, ASuccessBeatsAStop) {
    VirtualShards shards(2);
    int result = 0;
    bool went_on = false;
    auto caller = shards.spawn(0, [&]() -> Task<> {
        result = co_await submit_to(1, [] { return 5; });
        co_await yield();
        went_on = true;
    });
    shards.turn(0);
    caller.abort();  // The request is under way.
    while (shards.turn(0)) {
    }
    EXPECT_FALSE(caller.done())
        << "shard 1 has not run the function, which may refer to the caller";
    shards.run();
    ASSERT_TRUE(caller.done());
    EXPECT_EQ(result, 5) << "the function was run and has a result";
    EXPECT_FALSE(went_on) << "the await after that should have thrown Cancelled";
    EXPECT_THROW(caller.finish(), TaskAborted);
}

/// The wait over there that was to be stopped goes on: it has to end before the case does.
template <class... T>
void end_wait(VirtualShards& shards, Promise<T...>& never, auto... value) {
    auto end = shards.spawn(1, [&]() -> Task<> {
        never.set_value(value...);
        co_return;
    });
    shards.run();
}

TEST(Ex9_3_SubmitStop, AStopReachesTheTaskOverThere) {
    Promise<void> never;
    std::vector<std::string> log;
    VirtualShards shards(2);
    Story story("the caller is asked to stop: who hears of it, and whom does that one tell?");
    auto caller = shards.spawn(0, [&]() -> Task<> {
        struct Note {
            std::vector<std::string>& log;
            ~Note() { log.push_back("caller ended on " + std::to_string(this_shard())); }
        } note{log};
        co_await submit_to(1, [&]() -> Task<> {
            try {
                co_await never.get_future();
            } catch (const Cancelled&) {
                log.push_back("stopped on " + std::to_string(this_shard()));
                throw;
            }
        });
    });
    shards.run();
    ASSERT_TRUE(log.empty());
    caller.abort();
    shards.run();
    story.step("a task waits on shard 1; its caller on shard 0 is asked to stop");
    if (!story.expect("what has ended, in this order",
                      std::vector<std::string>{"stopped on 1", "caller ended on 0"}, log)) {
        return end_wait(shards, never);
    }
    EXPECT_THROW(caller.finish(), TaskAborted);
    EXPECT_EQ(shards.mailbox(0).outstanding(), 0u);
}

TEST(Ex9_3_SubmitStop, ATaskThatHasNotBegunIsNotBegun) {
    VirtualShards shards(2);
    bool begun = false;
    auto caller = shards.spawn(0,
                               [&]() -> Task<> {
                                   co_await submit_to(1, [&]() -> Task<> {
                                       begun = true;
                                       co_return;
                                   });
                               },
                               {.priority = Priority::low});
    shards.turn(0);
    caller.abort();
    shards.turn(0);  // Both messages arrive together, and the request has low priority over there.
    shards.run();
    ASSERT_TRUE(caller.done());
    ASSERT_FALSE(begun) << "its caller was asked to stop before the task had begun.\n"
                           "Ask yourself: who on shard 1 can know of that when the request is "
                           "resumed?";
    EXPECT_THROW(caller.finish(), TaskAborted);
    EXPECT_EQ(shards.mailbox(0).outstanding(), 0u);
}

TEST(Ex9_3_SubmitStop, TheCallerWaitsForEverythingItHasSent) {
    VirtualShards shards(2);
    bool ended = false;
    auto caller = shards.spawn(0, [&]() -> Task<> {
        co_await submit_to(1, [&]() -> Task<> {
            ended = true;
            co_return;
        });
    });
    shards.turn(0);
    while (shards.turn(1)) {
    }
    ASSERT_TRUE(ended) << "the request should be answered by now";
    caller.abort();  // The answer is not home yet: a second message leaves.
    while (shards.turn(0)) {
    }
    ASSERT_FALSE(caller.done() && shards.mailbox(0).outstanding() > 0)
        << "the answer has come home, and the caller went on; but its second message, which asks "
           "for a "
           "stop, is still on its way to shard 1.\n"
           "Ask yourself: in whose frame does that message lie?";
    shards.run();
    EXPECT_TRUE(caller.done());
    EXPECT_EQ(shards.mailbox(0).outstanding(), 0u);
}

TEST(Ex9_3_SubmitStop, AStopWaitsForNoCredit) {
    Promise<void> never;
    VirtualShards shards(2, 1);
    auto caller = shards.spawn(
        0, [&]() -> Task<> { co_await submit_to(1, [&] { return never.get_future(); }); });
    shards.run();
    ASSERT_FALSE(shards.mailbox(0).has_credit(1)) << "the call has the only credit";
    caller.abort();
    shards.run();
    EXPECT_TRUE(caller.done())
        << "the call is to be stopped, and has the only credit. The message that "
           "says so must not wait until a call ends";
    if (!caller.done()) return end_wait(shards, never);
    EXPECT_TRUE(shards.mailbox(0).has_credit(1));
}

TEST(Ex9_3_SubmitStop, ACallThatWasStoppedGivesItsCreditBackOnce) {
    VirtualShards shards(2, 1);
    auto caller =
        shards.spawn(0, [&]() -> Task<> { co_await submit_to(1, []() -> Task<> { co_return; }); });
    shards.turn(0);
    while (shards.turn(1)) {
    }
    caller.abort();  // The answer is not home yet: a second message leaves.
    while (shards.turn(0)) {
    }
    EXPECT_FALSE(shards.mailbox(0).has_credit(1))
        << "the answer is home, and the message that asks for a stop is not.\n"
           "Ask yourself: there is room for two messages for each credit. Whose room does a third "
           "one take?";
    shards.run();
    EXPECT_TRUE(shards.mailbox(0).has_credit(1));
    auto next = shards.spawn(0, [&]() -> Task<> { co_await submit_to(1, [] {}); });
    shards.turn(0);
    EXPECT_FALSE(shards.mailbox(0).has_credit(1)) << "one credit has become two";
    shards.run();
    EXPECT_TRUE(next.done());
}

TEST(Ex9_3_SubmitStop, AStopBehindTheAnswerSendsNothing) {
    VirtualShards shards(2);
    Story story("the message is home, the caller is queued: who still hears of a stop?");
    CountingCaller caller;
    auto call = as_shard_0(shards, [] { return submit_to(1, []() -> Task<> { co_return; }); });
    as_shard_0(shards, [&] { call.start(caller); });
    while (shards.turn(0)) {
    }
    while (shards.turn(1)) {
    }
    as_shard_0(shards, [&] { shards.mailbox(0).poll(); });
    story.step("a task on shard 1 has ended, and the message is home again");
    as_shard_0(shards, [&] { caller.task.request_stop(); });
    story.step("before the caller has gone on it is asked to stop");
    story.expect("messages sent and not home", std::size_t{0}, shards.mailbox(0).outstanding());
    shards.run();
    story.expect("so often the caller has gone on", 1, caller.resumed);
}

TEST(Ex9_3_SubmitStop, AStopThatCrossesTheAnswerDoesNoHarm) {
    // The stop is asked for after each possible number of turns of either shard.
    for (int turns_0 = 0; turns_0 < 5; ++turns_0) {
        for (int turns_1 = 0; turns_1 < 6; ++turns_1) {
            VirtualShards shards(2);
            bool there = false;
            auto caller = shards.spawn(0, [&]() -> Task<> {
                co_await submit_to(1, [&]() -> Task<> {
                    co_await yield();
                    there = true;
                });
            });
            shards.turn(0);
            for (int i = 0; i < turns_1; ++i) shards.turn(1);
            for (int i = 0; i < turns_0; ++i) shards.turn(0);
            caller.abort();
            shards.run();
            ASSERT_TRUE(caller.done()) << turns_0 << " turns of shard 0, " << turns_1 << " of 1";
            ASSERT_EQ(shards.mailbox(0).outstanding(), 0u);
        }
    }
}

TEST(Ex9_3_SubmitStop, AStoppedWaitForAFutureOverThereEnds) {
    Promise<int> never;
    VirtualShards shards(2);
    Story story("a future has no stop of its own: whose context does the wait for it have?");
    auto caller = shards.spawn(0, [&]() -> Task<int> {
        co_return co_await submit_to(1, [&] { return never.get_future(); });
    });
    shards.run();
    caller.abort();
    shards.run();
    story.step("a future is awaited on shard 1; its caller on shard 0 is asked to stop");
    if (!story.expect("the caller has ended", true, caller.done())) {
        return end_wait(shards, never, 0);
    }
    EXPECT_THROW(caller.finish(), TaskAborted);
}

TEST(Ex9_3_SubmitStop, EveryCallIsAnsweredOnceUnderRandomStops) {
    for (unsigned seed = 0; seed < 40; ++seed) {
        std::mt19937 random(seed);
        VirtualShards shards(2);
        int called = 0, tasks_begun = 0, tasks_ended = 0, callers_ended = 0;
        auto caller = [&]() -> Task<> {
            struct Count {
                int& count;
                ~Count() { ++count; }
            } count{callers_ended};
            co_await submit_to(1, [&] { ++called; });
            co_await submit_to(1, [&]() -> Task<> {
                Count there{tasks_ended};
                ++tasks_begun;
                for (int i = 0; i < 3; ++i) co_await yield();
            });
        };
        std::deque<JoinHandle<void>> callers;
        for (int i = 0; i < 20; ++i) callers.push_back(shards.spawn(0, caller()));
        for (int step = 0; step < 60; ++step) {
            if (random() % 3 == 0) callers[random() % callers.size()].abort();
            shards.turn(random() % 2);
        }
        shards.run();
        for (auto& c : callers) ASSERT_TRUE(c.done()) << "seed " << seed;
        ASSERT_EQ(tasks_begun, tasks_ended) << "seed " << seed;
        ASSERT_LE(callers_ended, 20) << "seed " << seed;
        ASSERT_LE(tasks_begun, called) << "seed " << seed;
        ASSERT_EQ(shards.mailbox(0).outstanding(), 0u) << "seed " << seed;
    }
}

}  // namespace
}  // namespace starling
