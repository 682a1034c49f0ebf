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
#include <set>
#include <starling/runtime.hh>
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
    int number = 5;
    int& reference =
        Runtime::builder().shards(1).build().run([&]() -> Task<int&> { co_return number; });
    EXPECT_EQ(&reference, &number);
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
        }),
                  5);
    }
}

TEST(Given9_Runtime, AShardThatCannotStartIsAnErrorAndNothingIsLeft) {
    EXPECT_THROW(Runtime::builder().shards(2).driver(DriverKind::kqueue).build().run(forever),
                 std::system_error);
}

TEST(Given9_Runtime, ShardsThatRunOutOfDescriptorsAreAnErrorAndNothingHangs) {
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
            Runtime::builder().shards(2).driver(DriverKind::epoll).build().run([]() -> Task<> {
                co_return;
            });
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

TEST(Ex9_4_Runtime, TheLongestTimesNeverEnd) {
    auto runtime = Runtime::builder()
                       .shards(2)
                       .park_timeout(Duration::max())
                       .shutdown_timeout(std::chrono::hours::max())
                       .build();
    runtime.run([]() -> Task<> {
        co_await submit_to(1, [] {});
        testing::internal::CaptureStderr();
        spawn([]() -> Task<> { co_await shield(sleep(5ms)); }).detach();
        co_await sleep(2ms);
    });
    EXPECT_EQ(testing::internal::GetCapturedStderr(), "")
        << "a stop that may take as long as it likes was late";
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

}  // namespace
}  // namespace starling
