// The runtime as a whole. It is given, but its shards sleep: it stands on 9.1 to 9.4.
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <random>
#include <set>
#include <starling/runtime.hh>
#include <starling/send.hh>
#include <starling/sharded.hh>
#include <starling/sleep.hh>
#include <starling/watchdog.hh>
#include <thread>

namespace starling {
namespace {

using namespace std::chrono_literals;

[[maybe_unused]] const bool watched = testing_support::watch_every_case();

Task<> forever() { co_await sleep(24h); }

TEST(Ex9_4_Runtime, MainRunsOnShardZeroWhichIsThisThread) {
    const auto me = std::this_thread::get_id();
    const int result = Runtime::builder().shards(2).build().run([&]() -> Task<int> {
        EXPECT_EQ(this_shard(), 0u);
        EXPECT_EQ(shard_count(), 2u);
        EXPECT_EQ(std::this_thread::get_id(), me);
        co_await sleep(1ms);
        co_return 7;
    });
    EXPECT_EQ(result, 7);
}

TEST(Ex9_4_Runtime, EveryOtherShardHasAThreadAndItsName) {
    auto runtime = Runtime::builder().shards(3).thread_name("hive").build();
    std::set<std::thread::id> ids;
    std::vector<std::string> names;
    runtime.run([&]() -> Task<> {
        for (unsigned shard = 0; shard < 3; ++shard) {
            ids.insert(co_await submit_to(shard, [] { return std::this_thread::get_id(); }));
        }
        names = co_await invoke_on_all([]() -> std::string {
            char name[16] = "";
            ::pthread_getname_np(::pthread_self(), name, sizeof name);
            return name;
        });
    });
    EXPECT_EQ(ids.size(), 3u);
    EXPECT_EQ(names[1], "hive-1");
    EXPECT_EQ(names[2], "hive-2");
}

TEST(Ex9_4_Runtime, PinnedShardsStayOnTheirCpuAndTheCallerIsFreeAfterwards) {
    cpu_set_t before, after;
    ASSERT_EQ(::pthread_getaffinity_np(::pthread_self(), sizeof before, &before), 0);
    Runtime::builder().shards(2).pin().build().run([]() -> Task<> {
        auto cpus = co_await invoke_on_all([] {
            cpu_set_t set;
            ::pthread_getaffinity_np(::pthread_self(), sizeof set, &set);
            return CPU_COUNT(&set);
        });
        EXPECT_EQ(cpus, (std::vector{1, 1}));
    });
    ASSERT_EQ(::pthread_getaffinity_np(::pthread_self(), sizeof after, &after), 0);
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(Ex9_4_Runtime, WhatMainThrowsComesOutOfRun) {
    auto runtime = Runtime::builder().shards(2).build();
    auto failing = []() -> Task<> {
        co_await submit_to(1, [] { throw std::runtime_error("from shard 1"); });
    };
    EXPECT_THROW(runtime.run(failing), std::runtime_error);
    EXPECT_EQ(runtime.run([]() -> Task<int> { co_return 1; }), 1) << "a runtime can run again";
}

TEST(Ex9_4_Runtime, StopFromAnotherThreadEndsMain) {
    auto runtime = Runtime::builder().shards(2).build();
    std::atomic<bool> running{false};
    bool cleaned_up = false;
    std::thread stopper([&, handle = runtime.stop_handle()] {
        while (!running.load()) std::this_thread::yield();
        handle.stop();
    });
    runtime.run([&]() -> Task<> {
        running.store(true);
        try {
            co_await forever();
        } catch (const Cancelled&) {
            cleaned_up = true;
            throw;
        }
    });
    stopper.join();
    EXPECT_TRUE(cleaned_up);
}

TEST(Ex9_4_Runtime, AStoppedMainThatOwesAResultThrows) {
    auto runtime = Runtime::builder().shards(2).build();
    runtime.stop();  // Before run: it counts for the next one.
    auto owing = []() -> Task<int> {
        co_await forever();
        co_return 1;
    };
    EXPECT_THROW(runtime.run(owing), TaskAborted);
    EXPECT_EQ(runtime.run([]() -> Task<int> { co_return 2; }), 2) << "a stop counts for one run";
}

TEST(Ex9_4_Runtime, AHandleOutlivesItsRuntime) {
    auto runtime = std::make_unique<Runtime>(Runtime::builder().shards(2).build());
    const StopHandle handle = runtime->stop_handle();
    runtime->run([]() -> Task<> { co_return; });
    runtime.reset();
    handle.stop();
}

TEST(Ex9_4_Runtime, SigtermAndSigintStopItAndTheOldHandlersComeBack) {
    static std::atomic<int> old_handler_ran;
    old_handler_ran = 0;
    for (int signal : {SIGTERM, SIGINT}) {
        auto previous = std::signal(signal, [](int) { ++old_handler_ran; });
        auto runtime = Runtime::builder().shards(2).stop_on_signals().build();
        runtime.run([&]() -> Task<> {
            ::kill(::getpid(), signal);
            co_await forever();
        });
        EXPECT_EQ(old_handler_ran, 0);
        ::raise(signal);
        EXPECT_EQ(old_handler_ran.exchange(0), 1) << "after run the program has its handler back";
        std::signal(signal, previous);
    }
}

TEST(Ex9_4_Runtime, BothDriversRunIt) {
    for (DriverKind kind : {DriverKind::automatic, DriverKind::epoll}) {
        auto runtime = Runtime::builder().shards(2).driver(kind).io_entries(64).build();
        EXPECT_EQ(runtime.run([]() -> Task<int> {
            co_return co_await submit_to(1, []() -> Task<int> {
                co_await sleep(1ms);
                co_return 5;
            });
        }), 5);
    }
}

TEST(Given9_Runtime, AShardThatCannotStartIsAnErrorAndNothingIsLeft) {
    EXPECT_THROW(Runtime::builder().shards(2).driver(DriverKind::kqueue).build().run(forever),
                 std::system_error);
}

TEST(Given9_Runtime, ShardsThatRunOutOfDescriptorsAreAnErrorAndNothingHangs) {
#ifdef __has_feature
#if __has_feature(undefined_behavior_sanitizer)
    GTEST_SKIP() << "UBSan itself needs descriptors, and reports an invalid vptr without them";
#endif
#endif
    // Every number of descriptors: too few for shard 0, for shard 1, enough for both.
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
    const int next_fd = ::dup(0);
    ::close(next_fd);
    bool started = false;
    int failed = 0;
    for (int more = 0; more < 20 && !started; ++more) {
        rlimit low = limit;
        low.rlim_cur = static_cast<rlim_t>(next_fd) + more;
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
        try {
            Runtime::builder().shards(2).driver(DriverKind::epoll).build().run(
                []() -> Task<> { co_return; });
            started = true;
        } catch (const std::system_error&) {
            ++failed;
        }
        ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    EXPECT_TRUE(started);
    EXPECT_GE(failed, 2);  // At least one descriptor a shard.
}

TEST(Ex9_3_Runtime, WithoutParkingNobodySleeps) {
    auto runtime = Runtime::builder().shards(2).parking(false).build();
    const auto parks = runtime.run([]() -> Task<std::vector<std::uint64_t>> {
        co_await sleep(5ms);
        co_return co_await invoke_on_all([] { return this_executor("test").stats().parks; });
    });
    EXPECT_EQ(parks, (std::vector<std::uint64_t>{0, 0}));
}

TEST(Ex9_4_Runtime, ParkTimeoutBoundsEachSleep) {
    auto runtime = Runtime::builder().shards(1).park_timeout(2ms).spin(0ns).build();
    runtime.run([]() -> Task<> {
        auto parks = [] { return this_executor("test").stats().parks; };
        std::uint64_t most = 0;
        // A thread that is kept from running for 40 ms has not slept: it may try again.
        for (int attempt = 0; attempt < 50 && most < 5; ++attempt) {
            const auto before = parks();
            co_await sleep(40ms);
            most = std::max(most, parks() - before);
        }
        EXPECT_GE(most, 5u) << "40 ms of waiting, 2 ms of sleep at a time";
    });
}

TEST(Ex9_4_Runtime, IdleShardsUseNoCpu) {
    auto cpu_time = [] {
        rusage usage{};
        ::getrusage(RUSAGE_SELF, &usage);
        return std::chrono::seconds(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               std::chrono::microseconds(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
    };
    Runtime::builder().shards(2).build().run([&]() -> Task<> {
        co_await submit_to(1, [] {});
        const auto before = cpu_time();
        co_await sleep(200ms);
        EXPECT_LT((cpu_time() - before) / 1ms, 40) << "ms of CPU in 200 ms of nothing to do";
    });
}

// --- Shutdown ---

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
    Runtime::builder().shards(2).shutdown_timeout(5ms).build().run([&]() -> Task<> {
        co_await submit_to(1, [] {
            spawn([]() -> Task<> { co_await shield(sleep(30ms)); }, {.name = "slow writer"}).detach();
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

TEST(Ex9_4_Runtime, OneWayMessagesAreRunOrGivenBack) {
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
