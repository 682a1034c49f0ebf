// What is given on top of 9.3: one-way messages, invoke_on_all, Sharded, ForeignPtr.
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <starling/send.hh>
#include <starling/sharded.hh>
#include <starling/story.hh>
#include <starling/virtual_shards.hh>
#include <string>
#include <vector>

#include "run_on_0.hh"

namespace starling {
namespace {

TEST(Ex9_2_OneWay, MessagesArriveInOrderAndNobodyWaits) {
    VirtualShards shards(2);
    std::vector<int> got;
    run_on_0(shards, [&]() -> Task<> {
        for (int i = 0; i < 5; ++i) EXPECT_FALSE(send_to(1, [&got, i] { got.push_back(i); }));
        EXPECT_TRUE(got.empty()) << "they are under way, not answered";
        co_return;
    });
    EXPECT_EQ(got, (std::vector{0, 1, 2, 3, 4}));
}

TEST(Ex9_2_OneWay, AFullLaneGivesTheFunctionBack) {
    VirtualShards shards(2, 2);
    int ran = 0;
    auto send_three = [&]() -> Task<int> {
        int refused = 0;
        for (int i = 0; i < 3; ++i) refused += send_to(1, [&] { ++ran; }).has_value();
        co_return refused;
    };
    EXPECT_EQ(run_on_0(shards, send_three), 1) << "two may be under way, three were sent";
    EXPECT_EQ(ran, 2);
    EXPECT_EQ(run_on_0(shards, send_three), 1) << "the first two are home again";
    EXPECT_EQ(ran, 4);
}

TEST(Ex9_2_OneWay, AnExceptionGoesToTheHook) {
    static int ignored;
    ignored = 0;
    auto previous =
        set_ignored_exception_hook([](const std::exception_ptr&) noexcept { ++ignored; });
    VirtualShards shards(2);
    run_on_0(shards, []() -> Task<> {
        EXPECT_FALSE(send_to(1, [] { throw 1; }));
        co_return;
    });
    set_ignored_exception_hook(previous);
    EXPECT_EQ(ignored, 1);
    EXPECT_EQ(shards.mailbox(0).outstanding(), 0u);
}

TEST(Ex9_3_OneWay, DuringTheShutdownTheFunctionIsGivenBack) {
    VirtualShards shards(2);
    int called = 0;
    shards.smp().close();
    run_on_0(shards, [&]() -> Task<> {
        auto cargo = std::make_unique<int>(5);
        auto refused = send_to(1, [&called, cargo = std::move(cargo)] { called = *cargo; });
        EXPECT_TRUE(refused.has_value());
        if (refused) (*refused)();  // The sender still has what it wanted to send.
        co_await submit_to(1,
                           [&] { ++called; });  // Whoever waits for an answer is served to the end.
    });
    EXPECT_EQ(called, 6);
}

TEST(Ex9_3_InvokeOnAll, EveryShardRunsItsCopyAndResultsComeByShard) {
    VirtualShards shards(3);
    const auto results = run_on_0(shards, []() -> Task<std::vector<unsigned>> {
        co_return co_await invoke_on_all([n = 0u]() mutable { return ++n * 10 + this_shard(); });
    });
    EXPECT_EQ(results, (std::vector<unsigned>{10, 11, 12}));
}

TEST(Ex9_3_InvokeOnAll, AllRunAtOnce) {
    VirtualShards shards(3);
    int begun = 0, met = 0;
    run_on_0(shards, [&]() -> Task<> {
        co_await invoke_on_all([&]() -> Task<> {
            ++begun;
            for (int i = 0; i < 5'000 && begun < 3; ++i) co_await yield();
            met += begun == 3;
        });
    });
    EXPECT_EQ(met, 3) << "each waited for the other two to begin";
}

TEST(Ex9_3_InvokeOnAll, OneFailureIsThrownAfterAllHaveEnded) {
    VirtualShards shards(3);
    int ended = 0;
    const std::string what = run_on_0(shards, [&]() -> Task<std::string> {
        try {
            co_await invoke_on_all([&]() -> Task<> {
                if (this_shard() == 1) throw std::runtime_error("shard 1");
                for (int i = 0; i < 10; ++i) co_await yield();
                ++ended;
            });
        } catch (const std::runtime_error& e) {
            EXPECT_EQ(ended, 2) << "thrown while others were still at it";
            co_return e.what();
        }
        co_return "nothing was thrown";
    });
    EXPECT_EQ(what, "shard 1");
}

TEST(Ex9_3_InvokeOnAll, AStopReachesEveryShard) {
    Promise<void> never[3];
    int stopped = 0;
    VirtualShards shards(3);
    testing_support::Story story("who passes the caller's stop on, and to how many?");
    auto caller = shards.spawn(0, [&]() -> Task<> {
        co_await invoke_on_all([&]() -> Task<> {
            try {
                co_await never[this_shard()].get_future();
            } catch (const Cancelled&) {
                ++stopped;
                throw;
            }
        });
    });
    shards.run();
    caller.abort();
    shards.run();
    story.step("a task waits on each of three shards; their caller is asked to stop");
    story.expect("so many of them were stopped", 3, stopped);
    if (story.expect("the caller has ended", true, caller.done())) {
        EXPECT_THROW(caller.finish(), TaskAborted);
        return;
    }
    // What was not stopped goes on: it has to end before the case does.
    for (unsigned shard = 0; shard < 3; ++shard) {
        shards.spawn(shard, [&]() -> Task<> { co_return never[this_shard()].set_value(); })
            .detach();
    }
    shards.run();
}

/// Notes on which shard it lives and dies.
class Counter {
  public:
    Counter(std::vector<std::string>& log, int start) : log_(log), count_(start) { note("made"); }
    ~Counter() { note("gone"); }
    Task<> stop() {
        co_await yield();
        note("stopped");
    }
    int add(int n) { return count_ += n; }

  private:
    void note(const char* what) { log_.push_back(what + std::string(" on ") + home()); }
    std::string home() const { return std::to_string(this_shard()); }
    std::vector<std::string>& log_;
    int count_;
};

TEST(Ex9_3_Sharded, EachShardMakesUsesAndDestroysItsOwn) {
    VirtualShards shards(2);
    std::vector<std::string> log;
    const int sum = run_on_0(shards, [&]() -> Task<int> {
        Sharded<Counter> counters;
        co_await counters.start(std::ref(log), 10);
        counters.local().add(1);
        EXPECT_EQ(co_await counters.invoke_on(1, [](Counter& c) { return c.add(5); }), 15);
        co_await counters.invoke_on_all([](Counter& c) { c.add(100); });
        const int total =
            co_await counters.map_reduce([](Counter& c) { return c.add(0); }, 0, std::plus<>());
        co_await counters.stop();
        co_return total;
    });
    EXPECT_EQ(sum, 111 + 115);
    std::sort(log.begin(), log.end());
    EXPECT_EQ(log, (std::vector<std::string>{"gone on 0", "gone on 1", "made on 0", "made on 1",
                                             "stopped on 0", "stopped on 1"}));
}

TEST(Ex9_3_Sharded, AFailedStartStopsWhatWasMade) {
    VirtualShards shards(3);
    static int alive;
    alive = 0;
    struct Fragile {
        Fragile() {
            if (this_shard() == 2) throw std::runtime_error("not on shard 2");
            ++alive;
        }
        ~Fragile() { --alive; }
    };
    run_on_0(shards, []() -> Task<> {
        Sharded<Fragile> fragile;
        bool failed = false;
        try {
            co_await fragile.start();
        } catch (const std::runtime_error&) {
            failed = true;
        }
        EXPECT_TRUE(failed);
        EXPECT_EQ(alive, 0);
    });
}

TEST(Ex9_3_Sharded, MapReduceGoesByShardNumber) {
    VirtualShards shards(4);
    const std::string text = run_on_0(shards, []() -> Task<std::string> {
        Sharded<int> ints;
        co_await ints.start(1);
        auto all = co_await ints.map_reduce(
            [](int& i) { return std::to_string(i + this_shard()); }, std::string("="),
            [](std::string a, const std::string& b) { return a + b; });
        co_await ints.stop();
        co_return all;
    });
    EXPECT_EQ(text, "=1234");
}

TEST(Ex9_3_Sharded, AnswersOfYesAndNoAreReducedToo) {
    VirtualShards shards(3);
    const bool all_odd = run_on_0(shards, []() -> Task<bool> {
        Sharded<int> ints;
        co_await ints.start(1);
        const bool all =
            co_await ints.map_reduce([](int& i) { return i % 2 == 1; }, true, std::logical_and<>());
        co_await ints.stop();
        co_return all;
    });
    EXPECT_TRUE(all_odd);
}

TEST(Ex9_3_Sharded, AStopThatTakesNoTimeIsCalledToo) {
    VirtualShards shards(3);
    static int stopped;
    stopped = 0;
    struct Plain {
        void stop() { ++stopped; }
    };
    run_on_0(shards, []() -> Task<> {
        Sharded<Plain> plain;
        co_await plain.start();
        co_await plain.stop();
    });
    EXPECT_EQ(stopped, 3);
}

TEST(Ex9_3_Sharded, StoppingTwiceIsStoppingOnce) {
    VirtualShards shards(2);
    std::vector<std::string> log;
    run_on_0(shards, [&]() -> Task<> {
        Sharded<Counter> counters;
        co_await counters.stop();  // Clean-up that does not know how far its function has come.
        co_await counters.start(std::ref(log), 0);
        co_await counters.stop();
        co_await counters.stop();
    });
    EXPECT_EQ(log.size(), 6u) << "made, stopped and gone on both shards";
}

TEST(Ex9_3_Sharded, ItIsStoppedEvenIfTheCallerIsBeingStopped) {
    VirtualShards shards(2);
    std::vector<std::string> log;
    auto caller = shards.spawn(0, [&]() -> Task<> {
        Sharded<Counter> counters;
        co_await counters.start(std::ref(log), 0);
        Context& me = co_await this_context();
        me.request_stop();
        co_await counters.stop();
    });
    shards.run();
    ASSERT_TRUE(caller.done());
    EXPECT_EQ(log.size(), 6u) << "made, stopped and gone on both shards";
}

/// Asks its neighbour when it stops, as a server does that still answers.
struct Asking {
    Sharded<Asking>* all;
    int asked = 0;
    Task<> stop() {
        for (int i = 0; i < 3 * int(this_shard()); ++i) co_await yield();  // Not all at once.
        co_await all->invoke_on((this_shard() + 1) % shard_count(), [](Asking& a) { ++a.asked; });
    }
    ~Asking() { EXPECT_EQ(asked, 1) << "on shard " << this_shard(); }
};

TEST(Ex9_3_Sharded, AllAreThereUntilTheLastHasStopped) {
    VirtualShards shards(3);
    run_on_0(shards, []() -> Task<> {
        Sharded<Asking> asking;
        co_await asking.start(Asking{&asking, 1});
        co_await asking.invoke_on_all([](Asking& a) { a.asked = 0; });
        co_await asking.stop();
    });
}

/// Its stop fails on shard 0, at once, and takes a while elsewhere.
struct Failing {
    static inline int stopped = 0;
    Task<> stop() {
        if (this_shard() == 0) throw std::runtime_error("stop");
        for (int i = 0; i < 5; ++i) co_await yield();
        ++stopped;
    }
};

TEST(Ex9_3_Sharded, AStopThatFailsLeavesTheOthersTheirTime) {
    VirtualShards shards(3);
    Failing::stopped = 0;
    auto start_and_stop = []() -> Task<> {
        Sharded<Failing> failing;
        co_await failing.start();
        co_await failing.stop();
    };
    EXPECT_THROW(run_on_0(shards, start_and_stop), std::runtime_error);
    EXPECT_EQ(Failing::stopped, 2);
}

struct Noting {
    explicit Noting(std::vector<unsigned>& where) : where(where) {}
    ~Noting() { where.push_back(this_shard()); }
    std::vector<unsigned>& where;
};

TEST(Ex9_3_ForeignPtr, ItsObjectDiesAtHome) {
    VirtualShards shards(3);
    std::vector<unsigned> died_on;
    run_on_0(shards, [&]() -> Task<> {
        auto here = make_foreign<Noting>(died_on);
        EXPECT_EQ(here.get_deleter().home, 0u);
        co_await submit_to(1, [&]() -> Task<> {
            auto moved = std::move(here);
            co_await submit_to(2, [&] { auto dies_here = std::move(moved); });
        });
        EXPECT_FALSE(here);
    });
    shards.run();
    EXPECT_EQ(died_on, std::vector{0u}) << "made on 0, let go of on 2";
}

TEST(Ex9_3_ForeignPtr, AtHomeItDiesOnTheSpot) {
    VirtualShards shards(2);
    std::vector<unsigned> died_on;
    run_on_0(shards, [&]() -> Task<> {
        auto there = co_await submit_to(1, [&] { return make_foreign<Noting>(died_on); });
        EXPECT_EQ(there.get_deleter().home, 1u);
        EXPECT_EQ(&there->where, &died_on);
        co_await submit_to(1, [&] {
            there = {};
            EXPECT_EQ(died_on, std::vector{1u});
        });
    });
}

TEST(Ex9_3_ForeignPtr, AssigningLetsGoOfTheOldObject) {
    VirtualShards shards(2);
    std::vector<unsigned> died_on;
    run_on_0(shards, [&]() -> Task<> {
        auto a = make_foreign<Noting>(died_on);
        auto b = co_await submit_to(1, [&] { return make_foreign<Noting>(died_on); });
        a = std::move(b);
        EXPECT_EQ(died_on, std::vector{0u});
    });
    shards.run();
    EXPECT_EQ(died_on, (std::vector<unsigned>{0, 1}));
}

}  // namespace
}  // namespace starling
