// What futures and continuations cost. Figures: steps/01_future_promise/README.md.
#include <benchmark/benchmark.h>
#include <starling/continuation.hh>
#include <starling/future.hh>
#include <starling/when_all.hh>
#include <utility>
#include <vector>

namespace starling {
namespace {

void BM_Future_ReadyThen(benchmark::State& state) {
    int x = 0;
    for (auto _ : state) {
        auto next = make_ready_future<int>(x).then([](int v) { return v + 1; });
        x = next.get();
        benchmark::DoNotOptimize(x);
    }
}
BENCHMARK(BM_Future_ReadyThen);

void BM_Future_ReadyThenOfAFuture(benchmark::State& state) {
    int x = 0;
    for (auto _ : state) {
        auto next =
            make_ready_future<int>(x).then([](int v) { return make_ready_future<int>(v + 1); });
        x = next.get();
        benchmark::DoNotOptimize(x);
    }
}
BENCHMARK(BM_Future_ReadyThenOfAFuture);

void BM_Future_SetAndGet(benchmark::State& state) {
    for (auto _ : state) {
        Promise<int> promise;
        Future<int> future = promise.get_future();
        benchmark::DoNotOptimize(promise);
        promise.set_value(1);
        benchmark::DoNotOptimize(future.get());
    }
}
BENCHMARK(BM_Future_SetAndGet);

/// A chain of so many functions on a pending future, fed once. Time per link.
void BM_Future_PendingChain(benchmark::State& state) {
    const auto links = state.range(0);
    for (auto _ : state) {
        Promise<int> promise;
        Future<int> end = promise.get_future();
        for (auto i = links; i > 0; --i) end = std::move(end).then([](int v) { return v + 1; });
        promise.set_value(0);
        benchmark::DoNotOptimize(end.get());
    }
    state.SetItemsProcessed(state.iterations() * links);
}
BENCHMARK(BM_Future_PendingChain)->Arg(1)->Arg(1'000)->Arg(1'000'000);

void BM_Future_WhenAllPending(benchmark::State& state) {
    const auto count = static_cast<std::size_t>(state.range(0));
    for (auto _ : state) {
        std::vector<Promise<int>> promises(count);
        std::vector<Future<int>> futures;
        futures.reserve(count);
        for (auto& p : promises) futures.push_back(p.get_future());
        auto all = when_all(std::move(futures));
        for (auto& p : promises) p.set_value(1);
        benchmark::DoNotOptimize(all.get().size());
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Future_WhenAllPending)->Arg(10)->Arg(1'000);

/// From one resume() to the next, through post and the trampoline.
void BM_Trampoline_Hop(benchmark::State& state) {
    struct Hop final : Continuation {
        void resume() noexcept override {
            if (--left > 0) post(*this);
        }
        int left = 0;
    } hop;
    constexpr int kHops = 1'000;
    for (auto _ : state) {
        hop.left = kHops;
        post(hop);
    }
    state.SetItemsProcessed(state.iterations() * kHops);
}
BENCHMARK(BM_Trampoline_Hop);

}  // namespace
}  // namespace starling
