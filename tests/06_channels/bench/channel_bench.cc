// The price of passing a value along, of a permit, and of waiting for several things at once.
#include <benchmark/benchmark.h>

#include <starling/channel.hh>
#include <starling/executor.hh>
#include <starling/gate.hh>
#include <starling/oneshot.hh>
#include <starling/select.hh>
#include <starling/semaphore.hh>

namespace {

using namespace starling;

/// Runs `body(state)`, a coroutine, on an executor.
template <class F>
void run(benchmark::State& state, F body) {
    Executor executor;
    executor.block_on([&]() -> Task<> { co_await body(state); });
}

void BM_Channel_TrySendTryRecv(benchmark::State& state) {
    auto [tx, rx] = channel<int>(16);
    for (auto _ : state) {
        benchmark::DoNotOptimize(tx.try_send(1));
        benchmark::DoNotOptimize(rx.try_recv());
    }
}
BENCHMARK(BM_Channel_TrySendTryRecv);

// One task sends and receives: neither ever waits.
void BM_Channel_SendRecv(benchmark::State& state) {
    run(state, [](benchmark::State& state) -> Task<> {
        auto [tx, rx] = channel<int>(16);
        for (auto _ : state) {
            benchmark::DoNotOptimize(co_await tx.send(1));
            benchmark::DoNotOptimize(co_await rx.recv());
        }
    });
}
BENCHMARK(BM_Channel_SendRecv);

// Two tasks, a buffer of `capacity`: whoever finds it full or empty waits. The time is per value.
void BM_Channel_TwoTasks(benchmark::State& state) {
    run(state, [](benchmark::State& state) -> Task<> {
        auto [tx, rx] = channel<int>(static_cast<std::size_t>(state.range(0)));
        auto producer = spawn([](Sender<int> tx) -> Task<> {
            while (co_await tx.send(1)) {
            }
        }(std::move(tx)));
        for (auto _ : state) benchmark::DoNotOptimize(co_await rx.recv());
        { Receiver<int> gone = std::move(rx); }
        co_await producer;
    });
}
BENCHMARK(BM_Channel_TwoTasks)->Arg(1)->Arg(16)->Arg(1024);

void BM_Oneshot_Ready(benchmark::State& state) {
    run(state, [](benchmark::State& state) -> Task<> {
        for (auto _ : state) {
            auto [tx, rx] = oneshot<int>();
            benchmark::DoNotOptimize(tx.send(1));
            benchmark::DoNotOptimize(co_await rx);
        }
    });
}
BENCHMARK(BM_Oneshot_Ready);

void BM_Semaphore_AcquireRelease(benchmark::State& state) {
    run(state, [](benchmark::State& state) -> Task<> {
        Semaphore semaphore(1);
        for (auto _ : state) benchmark::DoNotOptimize(co_await semaphore.acquire());
    });
}
BENCHMARK(BM_Semaphore_AcquireRelease);

void BM_Gate_EnterLeave(benchmark::State& state) {
    Gate gate;
    for (auto _ : state) benchmark::DoNotOptimize(gate.hold());
}
BENCHMARK(BM_Gate_EnterLeave);

// One branch is ready at once.
void BM_Select_Ready(benchmark::State& state) {
    run(state, [](benchmark::State& state) -> Task<> {
        auto [tx, rx] = channel<int>(1);
        auto [other_tx, other_rx] = channel<int>(1);
        for (auto _ : state) {
            benchmark::DoNotOptimize(tx.try_send(1));
            benchmark::DoNotOptimize(co_await select(rx.recv(), other_rx.recv()));
        }
    });
}
BENCHMARK(BM_Select_Ready);

// Both are started, one ends, the other is stopped and waited for.
void BM_Select_StopsLoser(benchmark::State& state) {
    run(state, [](benchmark::State& state) -> Task<> {
        auto [tx, rx] = channel<int>(1);
        for (auto _ : state) benchmark::DoNotOptimize(co_await select(yield(), rx.recv()));
    });
}
BENCHMARK(BM_Select_StopsLoser);

}  // namespace
