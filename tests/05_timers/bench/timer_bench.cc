// The price of a timer. The argument is how many are armed. Where a benchmark handles many timers
// at a time, the column per_timer is the one to read.
#include <benchmark/benchmark.h>

#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <starling/sleep.hh>
#include <starling/timeout.hh>
#include <starling/timer_wheel.hh>
#include <starling/virtual_clock.hh>
#include <vector>

namespace {

using namespace starling;
using namespace std::chrono_literals;

constexpr TimePoint kOrigin{1h};
constexpr std::int64_t kMany = 1 << 20;

struct Nothing final : Timer {
    using Timer::Timer;
    void expired() noexcept override {}
};

/// The processor time of this thread, in seconds: what other programs do is not counted.
double cpu_seconds() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

void report_per_timer(benchmark::State& state, std::size_t timers) {
    using benchmark::Counter;
    state.counters["per_timer"] =
        Counter(static_cast<double>(timers), Counter::kIsIterationInvariantRate | Counter::kInvert);
}

/// Delays of 1 ms to about a minute, the same in every run.
std::vector<Duration> delays(std::size_t count) {
    std::mt19937_64 random(5);
    std::vector<Duration> result(count);
    for (Duration& d : result)
        d = 1ms + Duration(static_cast<std::int64_t>(random() % 65'000'000'000));
    return result;
}

/// A wheel with `count` armed timers.
struct Armed {
    explicit Armed(std::size_t count) : timers(count) {
        const auto after = delays(count);
        for (std::size_t i = 0; i < count; ++i) {
            timers[i].set_deadline(kOrigin + after[i]);
            wheel.insert(timers[i]);
        }
    }
    std::vector<Nothing> timers;
    TimerWheel wheel{kOrigin};
};

// A deadline that does not pass: an I/O timeout.
void BM_TimerWheel_InsertCancel(benchmark::State& state) {
    Armed armed(static_cast<std::size_t>(state.range(0)));
    const auto after = delays(1024);
    std::size_t i = 0;
    for (auto _ : state) {
        Nothing timer(kOrigin + after[i++ % 1024]);
        armed.wheel.insert(timer);
        benchmark::DoNotOptimize(timer);
        timer.cancel();
    }
}
BENCHMARK(BM_TimerWheel_InsertCancel)->Arg(0)->Arg(1024)->Arg(kMany);

// Many at a time: insert a thousand, cancel a thousand; the halves are timed apart.
template <bool kTimeInsert>
void insert_or_cancel(benchmark::State& state) {
    Armed armed(static_cast<std::size_t>(state.range(0)));
    const auto after = delays(1024);
    std::vector<Nothing> batch(1024);
    for (auto _ : state) {
        const double begin = cpu_seconds();
        for (std::size_t i = 0; i < batch.size(); ++i) {
            batch[i].set_deadline(kOrigin + after[i]);
            armed.wheel.insert(batch[i]);
        }
        const double middle = cpu_seconds();
        for (Timer& timer : batch) timer.cancel();
        const double end = cpu_seconds();
        state.SetIterationTime(kTimeInsert ? middle - begin : end - middle);
    }
    report_per_timer(state, batch.size());
}
void BM_TimerWheel_Insert(benchmark::State& state) { insert_or_cancel<true>(state); }
void BM_TimerWheel_Cancel(benchmark::State& state) { insert_or_cancel<false>(state); }
BENCHMARK(BM_TimerWheel_Insert)->Arg(kMany)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_TimerWheel_Cancel)->Arg(kMany)->UseManualTime()->Unit(benchmark::kMicrosecond);

// All expire within a minute of virtual time: cascade, pop, call. Deadlines in the order in
// which the timers lie in memory, as when a server gives every request the same time; or scattered,
// where a cascade is one cache miss per timer and nothing else.
template <bool kScattered>
void fire(benchmark::State& state, Duration step) {
    const auto count = static_cast<std::size_t>(state.range(0));
    auto after = delays(count);
    if (!kScattered) std::ranges::sort(after);
    for (auto _ : state) {
        std::vector<Nothing> timers(count);
        TimerWheel wheel(kOrigin);
        for (std::size_t i = 0; i < count; ++i) {
            timers[i].set_deadline(kOrigin + after[i]);
            wheel.insert(timers[i]);
        }
        const double begin = cpu_seconds();
        for (TimePoint now = kOrigin; now < kOrigin + 66s; now += step) {
            wheel.advance(now);
            while (Timer* timer = wheel.pop_expired()) timer->expired();
        }
        state.SetIterationTime(cpu_seconds() - begin);
    }
    report_per_timer(state, count);
}
void BM_TimerWheel_Fire(benchmark::State& state) { fire<false>(state, 1ms); }
void BM_TimerWheel_FireScattered(benchmark::State& state) { fire<true>(state, 1ms); }
// Nobody has looked at the clock for a minute.
void BM_TimerWheel_FireOverdue(benchmark::State& state) { fire<false>(state, 33s); }
BENCHMARK(BM_TimerWheel_Fire)->Arg(kMany)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_TimerWheel_FireScattered)->Arg(kMany)->UseManualTime()->Unit(benchmark::kMicrosecond);
BENCHMARK(BM_TimerWheel_FireOverdue)->Arg(kMany)->UseManualTime()->Unit(benchmark::kMicrosecond);

void BM_TimerWheel_NextDeadline(benchmark::State& state) {
    Armed armed(static_cast<std::size_t>(state.range(0)));
    for (auto _ : state) benchmark::DoNotOptimize(armed.wheel.next_deadline());
}
BENCHMARK(BM_TimerWheel_NextDeadline)->Arg(1)->Arg(64)->Arg(kMany);

/// An executor whose time jumps to the next deadline.
struct Bench {
    VirtualClock clock;
    VirtualParker parker{clock};
    Executor executor{{.parker = &parker, .clock = &clock}};
    TimerService timers{executor};
};

// A task that sleeps again and again; the executor goes to sleep in between.
void BM_Sleep_Wake(benchmark::State& state) {
    Bench bench;
    bench.executor.block_on([&]() -> Task<> {
        for (auto _ : state) co_await sleep(1ms);
    });
}
BENCHMARK(BM_Sleep_Wake);

// An operation that is ready within its time limit, and one that suspends first.
void BM_Timeout_Ready(benchmark::State& state) {
    Bench bench;
    bench.executor.block_on([&]() -> Task<> {
        for (auto _ : state) co_await timeout(make_ready_future<int>(1), 1s);
    });
}
BENCHMARK(BM_Timeout_Ready);
void BM_Timeout_InTime(benchmark::State& state) {
    Bench bench;
    bench.executor.block_on([&]() -> Task<> {
        for (auto _ : state) co_await timeout(yield(), 1s);
    });
}
BENCHMARK(BM_Timeout_InTime);

}  // namespace
