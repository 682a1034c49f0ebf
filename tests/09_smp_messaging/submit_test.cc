// 9.3: submit_to.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <random>
#include <starling/submit.hh>
#include <starling/virtual_shards.hh>
#include <stdexcept>
#include <string>
#include <vector>

namespace starling {
namespace {

/// Runs `task` on shard 0 of `shards` until it has ended, and gives its result.
template <class F>
auto run_on_0(VirtualShards& shards, F task) {
    auto handle = shards.spawn(0, std::move(task));
    shards.run();
    if (!handle.done()) throw std::logic_error("the caller on shard 0 still waits for its answer");
    return handle.finish();
}

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

TEST(Ex9_3_Submit, AnExceptionComesBackToTheCaller) {
    VirtualShards shards(2);
    const std::string what = run_on_0(shards, []() -> Task<std::string> {
        try {
            co_await submit_to(1, []() -> int { throw std::out_of_range("shard 1 has none"); });
        } catch (const std::out_of_range& e) {
            co_return e.what();
        }
        co_return "no exception";
    });
    EXPECT_EQ(what, "shard 1 has none");
}

TEST(Ex9_3_Submit, AnExceptionOfATaskComesBackToo) {
    VirtualShards shards(2);
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
    EXPECT_EQ(what, "later");
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
    VirtualShards shards(2);
    const std::string what = run_on_0(shards, []() -> Task<std::string> {
        try {
            co_await submit_to(1, []() -> Future<int> { throw std::out_of_range("no future"); });
        } catch (const std::out_of_range& e) {
            co_return e.what();
        }
        co_return "no exception";
    });
    EXPECT_EQ(what, "no future");
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
    auto caller = shards.spawn(
        0,
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
    EXPECT_FALSE(caller.done()) << "shard 1 has not run the function, which may refer to the caller";
    shards.run();
    ASSERT_TRUE(caller.done());
    EXPECT_EQ(result, 5) << "the function was run and has a result";
    EXPECT_FALSE(went_on) << "the await after that should have thrown Cancelled";
    EXPECT_THROW(caller.finish(), TaskAborted);
}

TEST(Ex9_3_SubmitStop, AStopReachesTheTaskOverThere) {
    VirtualShards shards(2);
    Promise<void> never;
    std::vector<std::string> log;
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
    EXPECT_EQ(log, (std::vector<std::string>{"stopped on 1", "caller ended on 0"}))
        << "the caller waits until the task over there has ended, and only then goes";
    EXPECT_THROW(caller.finish(), TaskAborted);
    EXPECT_EQ(shards.mailbox(0).outstanding(), 0u);
}

TEST(Ex9_3_SubmitStop, ATaskThatHasNotBegunIsNotBegun) {
    VirtualShards shards(2);
    bool begun = false;
    auto caller = shards.spawn(
        0,
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
    EXPECT_FALSE(begun);
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
        << "the answer has come home, and the caller went on; but its second message, which asks for a "
           "stop, is still on its way to shard 1.\n"
           "Ask yourself: in whose frame does that message lie?";
    shards.run();
    EXPECT_TRUE(caller.done());
    EXPECT_EQ(shards.mailbox(0).outstanding(), 0u);
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
    VirtualShards shards(2);
    Promise<int> never;
    auto caller = shards.spawn(0, [&]() -> Task<int> {
        co_return co_await submit_to(1, [&] { return never.get_future(); });
    });
    shards.run();
    caller.abort();
    shards.run();
    ASSERT_TRUE(caller.done());
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
