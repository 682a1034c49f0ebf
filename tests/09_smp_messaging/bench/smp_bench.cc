// What messages between shards cost. The machine must be quiet, with two CPUs to spare.
#include <benchmark/benchmark.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <starling/runtime.hh>
#include <starling/sharded.hh>
#include <thread>
#include <vector>

namespace starling {
namespace {

using namespace std::chrono_literals;

Runtime two_shards(Duration spin) {
    return Runtime::builder().shards(2).pin().spin(spin).build();
}

/// One thread; what the code costs without another core's cache. items = messages.
void BM_SpscRing_StagePublishConsume(benchmark::State& state) {
    const auto batch = static_cast<std::size_t>(state.range(0));
    SpscRing<void*> ring(256);
    for (auto _ : state) {
        for (std::size_t i = 0; i < batch; ++i) ring.try_push(&ring);
        ring.publish(std::memory_order_seq_cst);
        ring.consume(batch, [](void*&& p) { benchmark::DoNotOptimize(p); });
    }
    state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * batch));
}
BENCHMARK(BM_SpscRing_StagePublishConsume)->Arg(1)->Arg(16);

void BM_SubmitTo_RoundTripBothSpinning(benchmark::State& state) {
    two_shards(1ms).run([&]() -> Task<> {
        for (auto _ : state) co_await submit_to(1, [] {});
    });
}
BENCHMARK(BM_SubmitTo_RoundTripBothSpinning)->UseRealTime();

/// Time is per message.
void BM_SubmitTo_InFlight(benchmark::State& state) {
    constexpr int kEach = 100;
    const auto callers = static_cast<int>(state.range(0));
    two_shards(1ms).run([&]() -> Task<> {
        std::vector<JoinHandle<void>> handles;
        for (auto _ : state) {
            for (int i = 0; i < callers; ++i) {
                handles.push_back(spawn([]() -> Task<> {
                    for (int k = 0; k < kEach; ++k) co_await submit_to(1, [] {});
                }));
            }
            for (auto& handle : handles) co_await handle;
            handles.clear();
        }
    });
    state.SetItemsProcessed(state.iterations() * callers * kEach);
}
BENCHMARK(BM_SubmitTo_InFlight)->Arg(8)->Arg(128)->UseRealTime();

void BM_SubmitTo_RoundTripBothSleeping(benchmark::State& state) {
    two_shards(0ns).run([&]() -> Task<> {
        for (auto _ : state) co_await submit_to(1, [] {});
    });
}
BENCHMARK(BM_SubmitTo_RoundTripBothSleeping)->UseRealTime();

/// The floor of the one before: two threads, two eventfds, nothing else.
void BM_Eventfd_RoundTripBothSleeping(benchmark::State& state) {
    const int there = ::eventfd(0, EFD_CLOEXEC);
    const int back = ::eventfd(0, EFD_CLOEXEC);
    std::uint64_t value = 1;
    std::thread other([&] {
        std::uint64_t got = 0;
        do {
            if (::read(there, &got, sizeof got) < 0) return;
            if (::write(back, &got, sizeof got) < 0) return;
        } while (got == 1);
    });
    for (auto _ : state) {
        if (::write(there, &value, sizeof value) < 0) state.SkipWithError("write");
        if (::read(back, &value, sizeof value) < 0) state.SkipWithError("read");
    }
    value = 2;
    if (::write(there, &value, sizeof value) < 0) state.SkipWithError("write");
    other.join();
    ::close(there);
    ::close(back);
}
BENCHMARK(BM_Eventfd_RoundTripBothSleeping)->UseRealTime();

void BM_SubmitTo_Self(benchmark::State& state) {
    two_shards(0ns).run([&]() -> Task<> {
        for (auto _ : state) co_await submit_to(0, []() -> Task<> { co_return; });
    });
}
BENCHMARK(BM_SubmitTo_Self);

void BM_Runtime_StartStop(benchmark::State& state) {
    auto runtime = Runtime::builder().shards(static_cast<unsigned>(state.range(0))).build();
    for (auto _ : state) runtime.run([]() -> Task<> { co_return; });
}
BENCHMARK(BM_Runtime_StartStop)->Arg(1)->Arg(2)->UseRealTime();

}  // namespace
}  // namespace starling
