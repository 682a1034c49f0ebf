// What becomes of tasks and messages when a runtime stops. All of it is given, but its shards
// sleep: it stands on 9.1 to 9.4.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <starling/runtime.hh>
#include <starling/send.hh>
#include <starling/sharded.hh>
#include <starling/sleep.hh>
#include <starling/watchdog.hh>
#include <string>

namespace starling {
namespace {

using namespace std::chrono_literals;

Task<> forever() { co_await sleep(24h); }

TEST(Ex9_4_Shutdown, TasksOnEveryShardAreStoppedAndDieThere) {
    std::atomic<int> died_right{0};
    struct Noting {
        unsigned home = this_shard();
        std::atomic<int>& right;
        ~Noting() { right += home == this_shard(); }
    };
    Runtime::builder().shards(3).build().run([&]() -> Task<> {
        co_await invoke_on_all([&] {
            spawn([&]() -> Task<> {
                Noting noting{.right = died_right};
                co_await forever();
            }).detach();
        });
        co_await sleep(2ms);
    });
    EXPECT_EQ(died_right, 3);
}

TEST(Ex9_4_Shutdown, ATaskSpawnedDuringTheShutdownIsStoppedToo) {
    std::atomic<int> ended{0};
    Runtime::builder().shards(2).build().run([&]() -> Task<> {
        co_await submit_to(1, [&] {
            spawn([&]() -> Task<> {
                try {
                    co_await forever();
                } catch (const Cancelled&) {
                }
                spawn([&]() -> Task<> {
                    struct Count {
                        std::atomic<int>& n;
                        ~Count() { ++n; }
                    } count{ended};
                    co_await forever();
                }).detach();
            }).detach();
        });
        co_await sleep(1ms);
    });
    EXPECT_EQ(ended, 1);
}

TEST(Ex9_4_Shutdown, WhoeverWaitsForAnAnswerGetsItThoughMainHasEnded) {
    std::atomic<int> answers{0};
    Runtime::builder().shards(2).build().run([&]() -> Task<> {
        for (int i = 0; i < 20; ++i) {
            spawn([&]() -> Task<> {
                co_await submit_to(1, [] {});
                ++answers;
            }).detach();
        }
        co_await yield();
    });
    EXPECT_EQ(answers, 20) << "each had its request under way when the runtime began to stop";
}

TEST(Ex9_4_Shutdown, MessagesThatBringMessagesAreServedToTheEnd) {
    // "Stop, drain, join", shard by shard, hangs or loses the tail of these chains.
    for (int round = 0; round < 6; ++round) {
        std::atomic<int> hops{0};
        struct Chain {
            std::atomic<int>& hops;
            Task<> go(int left) const {
                ++hops;
                if (left == 0) co_return;
                const unsigned next = (this_shard() + 1) % shard_count();
                co_await shield(submit_to(next, [this, left] { return go(left - 1); }));
            }
        } chain{hops};
        Runtime::builder().shards(3).build().run([&]() -> Task<> {
            for (int i = 0; i < 3; ++i) spawn([&] { return chain.go(10); }).detach();
            co_await yield();
        });
        ASSERT_EQ(hops, 33) << "round " << round;
    }
}

TEST(Ex9_4_Shutdown, WhoIsStillAliveIsReportedByName) {
    Runtime::builder().shards(2).shutdown_timeout(0.005s).build().run([&]() -> Task<> {
        co_await submit_to(1, [] {
            spawn([]() -> Task<> { co_await shield(sleep(30ms)); }, {.name = "slow writer"})
                .detach();
        });
        testing::internal::CaptureStderr();
    });
    const std::string report = testing::internal::GetCapturedStderr();
    EXPECT_NE(report.find("shard 1"), std::string::npos) << report;
    EXPECT_NE(report.find("slow writer"), std::string::npos) << report;
    EXPECT_EQ(report.find("shard 0"), std::string::npos) << "nothing of it is alive: " << report;
}

TEST(Ex9_4_Shutdown, TasksThatNothingCanEndAreDestroyedInsteadOfWaitedFor) {
    std::atomic<int> destroyed{0};
    Runtime::builder().shards(2).build().run([&]() -> Task<> {
        co_await submit_to(1, [&] {
            spawn([&]() -> Task<> {
                struct Count {
                    std::atomic<int>& n;
                    ~Count() { ++n; }
                } count{destroyed};
                Promise<void> never;
                co_await shield(never.get_future());
            }).detach();
        });
        co_await sleep(1ms);
    });
    EXPECT_EQ(destroyed, 1);
}

TEST(Ex9_4_Shutdown, AForeignPtrThatIsDestroyedLastOfAllLeaksNothing) {
    static std::atomic<int> alive;
    alive = 0;
    struct Counted {
        Counted() { ++alive; }
        ~Counted() { --alive; }
    };
    Runtime::builder().shards(2).build().run([&]() -> Task<> {
        co_await submit_to(1, [foreign = make_foreign<Counted>()]() mutable {
            spawn([foreign = std::move(foreign)]() -> Task<> {
                Promise<void> never;
                co_await shield(never.get_future());
            }).detach();
        });
    });
    EXPECT_EQ(alive, 0);
}

TEST(Ex9_4_Shutdown, OneWayMessagesAreRunOrGivenBack) {
    std::atomic<int> ran{0};
    int given_back = 0, sent = 0;
    Runtime::builder().shards(2).queue_size(2).build().run([&]() -> Task<> {
        spawn([&]() -> Task<> {
            for (auto end = std::chrono::steady_clock::now() + 4ms;
                 std::chrono::steady_clock::now() < end;) {
                ++sent;  // Beyond the beginning of the shutdown, which asks this task to stop.
                given_back += send_to(1, [&] { ++ran; }).has_value();
                co_await shield(yield());
            }
        }).detach();
        co_await sleep(2ms);
    });
    EXPECT_EQ(ran + given_back, sent);
    EXPECT_GT(ran, 0);
    EXPECT_GT(given_back, 0);
}

/// Counts how many of it are alive, on all shards together.
struct Tracked {
    static inline std::atomic<int> alive{0};
    Tracked() { ++alive; }
    Tracked(const Tracked&) { ++alive; }
    ~Tracked() { --alive; }
};

/// Calls the other shard in every way there is, until it is stopped.
Task<> traffic(unsigned kind) {
    const unsigned other = (this_shard() + 1) % shard_count();
    for (;;) {
        Tracked here;
        switch (kind % 4) {
            case 0:
                co_await submit_to(other, [there = Tracked()] {});
                break;
            case 1:
                co_await submit_to(other, []() -> Task<> {
                    Tracked there;
                    co_await yield();
                });
                break;
            case 2:
                if (auto refused = send_to(other, [there = Tracked()] {})) {
                    co_await submit_to(other, std::move(*refused));
                }
                break;
            default:
                co_await submit_to(other, [p = make_foreign<Tracked>()]() mutable {
                    auto dies_far_from_home = std::move(p);
                });
        }
    }
}

TEST(Ex9_5_Runtime, AThousandStartsAndStopsUnderTrafficLeaveNothingBehind) {
#ifdef NDEBUG
    constexpr int kCycles = 1'000;
#else
    constexpr int kCycles = 300;  // Sanitizers make threads expensive.
#endif
    auto runtime = Runtime::builder().shards(2).queue_size(2).build();
    for (int cycle = 0; cycle < kCycles; ++cycle) {
        testing_support::still_going();
        runtime.run([&]() -> Task<> {
            co_await invoke_on_all([] {
                for (unsigned i = 0; i < 8; ++i) spawn([i] { return traffic(i); }).detach();
            });
            for (int i = 0; i < cycle % 8; ++i) co_await submit_to(1, [] {});
        });
        ASSERT_EQ(Tracked::alive, 0) << "after cycle " << cycle;
    }
}

}  // namespace
}  // namespace starling
