// Layer 04: what a task costs: to start, to step aside, to wake, to keep.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <atomic>
#include <starling/executor.hh>
#include <thread>
#include <utility>
#include <vector>

namespace {

using namespace starling;

/// Reports the time of one of the many steps of an iteration.
void per_step(benchmark::State& state, std::int64_t steps) {
    state.counters["per_step"] =
        benchmark::Counter(static_cast<double>(state.iterations() * steps),
                           benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

Task<> nothing() { co_return; }
Task<> yield_times(std::int64_t times) {
    for (std::int64_t i = 0; i < times; ++i) co_await yield();
}

void BM_Executor_SpawnJoin(benchmark::State& state) {
    constexpr int kTasks = 1000;
    Executor executor;
    for (auto _ : state) {
        executor.block_on([]() -> Task<> {
            for (int i = 0; i < kTasks; ++i) co_await spawn(nothing());
        });
    }
    per_step(state, kTasks);
}
BENCHMARK(BM_Executor_SpawnJoin);

void BM_Executor_SpawnJoinCallable(benchmark::State& state) {
    constexpr int kTasks = 1000;
    Executor executor;
    for (auto _ : state) {
        executor.block_on([]() -> Task<> {
            for (int i = 0; i < kTasks; ++i) {
                co_await spawn([i]() -> Task<int> { co_return i; });
            }
        });
    }
    per_step(state, kTasks);
}
BENCHMARK(BM_Executor_SpawnJoinCallable);

// All alive at once: memory that the cache does not hold any more.
void BM_Executor_SpawnManyThenJoin(benchmark::State& state) {
    Executor executor;
    for (auto _ : state) {
        executor.block_on([&]() -> Task<> {
            std::vector<JoinHandle<>> handles;
            handles.reserve(static_cast<std::size_t>(state.range(0)));
            for (int i = 0; i < state.range(0); ++i) handles.push_back(spawn(yield_times(1)));
            for (auto& handle : handles) co_await handle;
        });
    }
    per_step(state, state.range(0));
}
BENCHMARK(BM_Executor_SpawnManyThenJoin)->RangeMultiplier(100)->Range(100, 1'000'000);

void BM_Executor_Yield(benchmark::State& state) {
    constexpr std::int64_t kYields = 100'000;
    Executor executor;
    for (auto _ : state) {
        std::vector<JoinHandle<>> handles;
        for (int i = 0; i < state.range(0); ++i) {
            handles.push_back(executor.spawn(yield_times(kYields / state.range(0))));
        }
        executor.run_until([&] { return !executor.has_live_tasks(); });
    }
    per_step(state, kYields);
}
BENCHMARK(BM_Executor_Yield)->Arg(1)->Arg(10)->Arg(100)->Arg(10'000);

void BM_Executor_TurnWithNothingToDo(benchmark::State& state) {
    Executor executor;
    for (auto _ : state) executor.run_once();
}
BENCHMARK(BM_Executor_TurnWithNothingToDo);

/// Waits in a list of the benchmark's own, so that only the task itself is counted.
struct Bench {
    bool ready() const noexcept { return false; }
    void start(Continuation& c) { waiting.push_back(&c); }
    bool stopped() const noexcept { return false; }
    void finish() const noexcept {}
    std::vector<Continuation*> waiting;
};
Task<> sit_on(Bench& bench) { co_await bench; }

void BM_Executor_ParkedTaskBytes(benchmark::State& state) {
    const auto tasks = static_cast<std::size_t>(state.range(0));
    std::size_t bytes = 0;
    for (auto _ : state) {
        Bench bench;
        bench.waiting.reserve(tasks);
        Executor executor;
        FramePool::trim();
        const std::size_t before = mallinfo2().uordblks;
        for (std::size_t i = 0; i < tasks; ++i) executor.spawn(sit_on(bench)).detach();
        while (executor.run_once()) {
        }
        bytes = mallinfo2().uordblks - before;
        Executor::Enter scope(executor);
        for (Continuation* c : bench.waiting) post(*c);
    }
    state.counters["bytes_per_task"] = static_cast<double>(bytes) / static_cast<double>(tasks);
}
BENCHMARK(BM_Executor_ParkedTaskBytes)->Arg(100'000)->Iterations(3);

/// Where one side of a game leaves a waker for the other. Any thread.
class Turnstile {
  public:
    void leave(Waker waker) {
        waker_.store(new Waker(std::move(waker)), std::memory_order_release);
    }
    /// Waits for the waker, if need be, and wakes it.
    void wake() {
        Waker* waker = nullptr;
        while ((waker = waker_.exchange(nullptr, std::memory_order_acquire)) == nullptr) {
            std::this_thread::yield();
        }
        waker->wake();
        delete waker;
    }

  private:
    std::atomic<Waker*> waker_{nullptr};
};

// Two sleeping threads wake each other: the price of a system call, a wake-up and a context switch.
void BM_Executor_RemoteWakeRoundTrip(benchmark::State& state) {
    std::atomic<bool> stop{false};
    Turnstile ping;
    Turnstile pong;
    std::thread other([&] {
        Executor executor;
        executor.block_on([&]() -> Task<> {
            for (;;) {
                Park turn = park();
                ping.leave(turn.waker());
                co_await turn;
                if (stop.load(std::memory_order_relaxed)) co_return;
                pong.wake();
            }
        });
    });
    Executor executor;
    executor.block_on([&]() -> Task<> {
        for (auto _ : state) {
            Park turn = park();
            pong.leave(turn.waker());
            ping.wake();
            co_await turn;
        }
        stop.store(true, std::memory_order_relaxed);
        ping.wake();
    });
    other.join();
}
BENCHMARK(BM_Executor_RemoteWakeRoundTrip)->UseRealTime();

}  // namespace
