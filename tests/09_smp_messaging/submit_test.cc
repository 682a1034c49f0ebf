// 9.3: submit_to.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <starling/story.hh>
#include <starling/submit.hh>
#include <starling/virtual_shards.hh>
#include <stdexcept>
#include <string>
#include <vector>

#include "run_on_0.hh"

namespace starling {
namespace {

using testing_support::Story;

TEST(Ex9_3_Submit, TheFunctionRunsThereAndItsResultComesBack) {
    VirtualShards shards(2);
    const unsigned where = run_on_0(shards, []() -> Task<unsigned> {
        co_return co_await submit_to(1, [] { return 100 + this_shard(); });
    });
    EXPECT_EQ(where, 101u) << "100 + the shard that ran the function";
}

TEST(Ex9_3_Submit, TheCallerGoesOnOnItsOwnShard) {
    VirtualShards shards(3);
    std::vector<unsigned> where;
    run_on_0(shards, [&]() -> Task<> {
        co_await submit_to(2, [] {});
        where.push_back(this_shard());
        co_await submit_to(1, []() -> Task<> { co_await yield(); });
        where.push_back(this_shard());
    });
    EXPECT_EQ(where, (std::vector<unsigned>{0, 0}))
        << "after `co_await submit_to(…)` the caller found itself on another shard.\n"
           "Ask yourself: who posts the caller, and which shard's queue does `post` use there?";
}

TEST(Ex9_3_Submit, TheCallerHasNotRunWhenPollReturns) {
    VirtualShards shards(2);
    Story story("`poll` calls `returned`: what has it still to do for this message, and the next?");
    CountingCaller caller;
    auto call = as_shard_0(shards, [] { return submit_to(1, [] {}); });
    as_shard_0(shards, [&] { call.start(caller); });
    while (shards.turn(0)) {
    }
    while (shards.turn(1)) {
    }
    story.step("shard 0 has called shard 1, and the answer is on its way");
    as_shard_0(shards, [&] { shards.mailbox(0).poll(); });
    story.step("shard 0 polls its mailbox, and the message is home");
    story.expect("so often the caller has gone on inside of that", 0, caller.resumed);
    shards.run();
    story.expect("and in the next turn", 1, caller.resumed);
}

TEST(Ex9_3_Submit, AnExceptionComesBackToTheCaller) {
    Story story("the function throws, over there: how far does the exception get, and who waits?");
    VirtualShards shards(2);
    story.step("shard 0 submits a function to shard 1, which throws");
    const std::string what = run_on_0(shards, []() -> Task<std::string> {
        try {
            co_await submit_to(1, []() -> int { throw std::out_of_range("shard 1 has none"); });
        } catch (const std::out_of_range& e) {
            co_return e.what();
        }
        co_return "no exception";
    });
    story.expect("the caller caught", std::string("shard 1 has none"), what);
}

TEST(Ex9_3_Submit, AnExceptionOfATaskComesBackToo) {
    Story story("the task over there has ended by an exception: which of your lines throws it?");
    VirtualShards shards(2);
    story.step("shard 0 submits a task to shard 1, which waits, and then throws");
    const std::string what = run_on_0(shards, []() -> Task<std::string> {
        try {
            co_await submit_to(1, []() -> Task<int> {
                co_await yield();
                throw std::out_of_range("later");
            });
        } catch (const std::out_of_range& e) {
            co_return e.what();
        }
        co_return "no exception";
    });
    story.expect("the caller caught", std::string("later"), what);
}

TEST(Ex9_3_Submit, ResultsMayBeMoveOnlyOrReferences) {
    VirtualShards shards(2);
    static int on_shard_1 = 5;
    run_on_0(shards, []() -> Task<> {
        auto owned = co_await submit_to(1, [] { return std::make_unique<int>(7); });
        EXPECT_EQ(*owned, 7);
        int& reference = co_await submit_to(1, []() -> int& { return on_shard_1; });
        EXPECT_EQ(&reference, &on_shard_1);
        auto later = co_await submit_to(1, []() -> Task<std::unique_ptr<int>> {
            co_await yield();
            co_return std::make_unique<int>(8);
        });
        EXPECT_EQ(*later, 8);
    });
}

TEST(Ex9_3_Submit, ATaskIsAwaitedOverThere) {
    VirtualShards shards(2);
    std::vector<unsigned> where;
    const int result = run_on_0(shards, [&]() -> Task<int> {
        co_return co_await submit_to(1, [&]() -> Task<int> {
            for (int i = 0; i < 3; ++i) {
                where.push_back(this_shard());
                co_await yield();
            }
            co_return 42;
        });
    });
    EXPECT_EQ(result, 42);
    EXPECT_EQ(where, (std::vector<unsigned>{1, 1, 1})) << "each piece of the task belongs there";
}

TEST(Ex9_3_Submit, AFutureIsAwaitedOverThere) {
    VirtualShards shards(2);
    std::optional<Promise<int>> promise;
    auto caller = shards.spawn(0, [&]() -> Task<int> {
        co_return co_await submit_to(1, [&] {
            promise.emplace();
            return promise->get_future();
        });
    });
    shards.run();
    ASSERT_TRUE(promise.has_value());
    EXPECT_FALSE(caller.done()) << "its value has not come yet";
    auto setter = shards.spawn(1, [&]() -> Task<> {
        promise->set_value(3);
        co_return;
    });
    shards.run();
    ASSERT_TRUE(caller.done());
    EXPECT_EQ(caller.finish(), 3);
    EXPECT_TRUE(setter.done());
}

TEST(Ex9_3_Submit, AnyOperationIsAwaitedOverThere) {
    VirtualShards shards(2);
    run_on_0(shards, []() -> Task<> {
        co_await submit_to(1, [] { return yield(); });
        co_await submit_to(1, [] { return shield(yield()); });
        const int sum = co_await submit_to(1, [] {
            return spawn([]() -> Task<int> { co_return co_await submit_to(0, [] { return 6; }); });
        });
        EXPECT_EQ(sum, 6);
    });
}

TEST(Ex9_3_Submit, ToOneselfWorksLikeToAnyOther) {
    VirtualShards shards(2);
    const int sum = run_on_0(shards, []() -> Task<int> {
        int a = co_await submit_to(0, [] { return 1; });
        int b = co_await submit_to(0, []() -> Task<int> {
            co_await yield();
            co_return 2;
        });
        int c = co_await submit_to(1, [] { return 4; });
        co_return a + b + c;
    });
    EXPECT_EQ(sum, 7);
}

TEST(Ex9_3_Submit, ACallMayGoRoundInACircle) {
    VirtualShards shards(3);
    const std::string path = run_on_0(shards, []() -> Task<std::string> {
        co_return co_await submit_to(1, []() -> Task<std::string> {
            std::string rest = co_await submit_to(2, []() -> Task<std::string> {
                std::string last = co_await submit_to(0, [] { return std::string("0"); });
                co_return std::to_string(this_shard()) + last;
            });
            co_return std::to_string(this_shard()) + rest;
        });
    });
    EXPECT_EQ(path, "120");
}

TEST(Ex9_3_Submit, TheTaskOverThereDiesOverThere) {
    VirtualShards shards(2);
    std::vector<unsigned> died_on;
    struct Noting {
        std::vector<unsigned>& where;
        ~Noting() { where.push_back(this_shard()); }
    };
    run_on_0(shards, [&]() -> Task<> {
        co_await submit_to(1, [&]() -> Task<> {
            Noting noting{died_on};
            co_await yield();
        });
        EXPECT_EQ(died_on.size(), 1u) << "the caller went on while the task's locals still lived";
    });
    EXPECT_EQ(died_on, std::vector{1u});
}

TEST(Ex9_3_Submit, WhatATaskWasGivenDiesOverThereToo) {
    VirtualShards shards(2);
    std::vector<unsigned> died_on;
    auto note = [&](int*) { died_on.push_back(this_shard()); };
    auto keep = [](auto) -> Task<> { co_await yield(); };
    run_on_0(shards, [&]() -> Task<> {
        static int something;
        co_await submit_to(
            1, [&] { return keep(std::unique_ptr<int, decltype(note)>(&something, note)); });
    });
    EXPECT_EQ(died_on, std::vector{1u})
        << "a task was made on shard 1, with an argument that is freed with the task's frame, and "
           "this "
           "is the shard that freed it.\n"
           "Ask yourself: who owns the frame when the task has ended, and until when?";
}

TEST(Ex9_3_Submit, WhatIsThrownBeforeThereIsAnythingToAwaitComesBackToo) {
    Story story("`resume` is noexcept: which of the calls in it are not?");
    VirtualShards shards(2);
    story.step("shard 0 submits a function that gives a future, but throws instead of that");
    const std::string what = run_on_0(shards, []() -> Task<std::string> {
        try {
            co_await submit_to(1, []() -> Future<int> { throw std::out_of_range("no future"); });
        } catch (const std::out_of_range& e) {
            co_return e.what();
        }
        co_return "no exception";
    });
    story.expect("the caller caught", std::string("no future"), what);
}

/// An operation that has its result from the beginning.
struct AtOnce {
    int& started;
    bool ready() { return true; }
    void start(Continuation& c) {
        ++started;
        post(c);
    }
    bool stopped() const { return false; }
    int finish() { return 7; }
};

TEST(Ex9_3_Submit, WhatIsReadyAtOnceIsNotStarted) {
    VirtualShards shards(2);
    int started = 0;
    const int result = run_on_0(shards, [&]() -> Task<int> {
        co_return co_await submit_to(1, [&] { return AtOnce{started}; });
    });
    EXPECT_EQ(result, 7);
    EXPECT_EQ(started, 0)
        << "an operation that is ready may not be started: nothing is left to wait for";
}

TEST(Ex9_3_Submit, TheTaskOverThereHasTheCallersNameAndPriority) {
    VirtualShards shards(2);
    std::string name;
    Priority priority{};
    auto caller = shards.spawn(0,
                               [&]() -> Task<> {
                                   co_await submit_to(1, [&]() -> Task<> {
                                       Context& context = co_await this_context();
                                       name = context.name();
                                       priority = context.priority();
                                   });
                               },
                               {.name = "accountant", .priority = Priority::high});
    shards.run();
    EXPECT_TRUE(caller.done());
    EXPECT_EQ(name, "accountant");
    EXPECT_EQ(priority, Priority::high);
}

TEST(Given9_Ambient, OutsideOfAShardItSaysWhatIsMissing) {
    try {
        auto operation = submit_to(1, [] {});
        FAIL() << "there is no shard here";
    } catch (const std::logic_error& e) {
        EXPECT_NE(std::string(e.what()).find("submit_to needs a Mailbox"), std::string::npos)
            << e.what();
    }
}

}  // namespace
}  // namespace starling
