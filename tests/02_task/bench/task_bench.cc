// What tasks and their frames cost. Figures: steps/02_task/README.md.
#include <benchmark/benchmark.h>
#include <cstddef>
#include <starling/frame_pool.hh>
#include <starling/future.hh>
#include <starling/task.hh>
#include <utility>
#include <vector>

namespace starling {
namespace {

/// Runs a task whose body is the benchmark.
void run(Task<>&& task) {
    Context context("benchmark");
    task.promise().set_context(&context);
    post(task.promise());
}

Task<int> leaf(int x) { co_return x; }
[[gnu::noinline]] Task<int> leaf_elsewhere(int x) { co_return x; }

Task<> await_leaves(benchmark::State& state) {
    int sum = 0;
    for (auto _ : state) sum += co_await leaf(1);
    benchmark::DoNotOptimize(sum);
}
void BM_Task_AwaitChild(benchmark::State& state) { run(await_leaves(state)); }
BENCHMARK(BM_Task_AwaitChild);

/// The same with a child that the compiler cannot see into.
Task<> await_leaves_elsewhere(benchmark::State& state) {
    int sum = 0;
    for (auto _ : state) sum += co_await leaf_elsewhere(1);
    benchmark::DoNotOptimize(sum);
}
void BM_Task_AwaitChildElsewhere(benchmark::State& state) { run(await_leaves_elsewhere(state)); }
BENCHMARK(BM_Task_AwaitChildElsewhere);

Task<int> deep(int depth) { co_return depth == 0 ? 0 : 1 + co_await deep(depth - 1); }
Task<> dive(benchmark::State& state) {
    const int depth = static_cast<int>(state.range(0));
    for (auto _ : state) benchmark::DoNotOptimize(co_await deep(depth));
}
/// A recursion so deep, down and up. Time per level.
void BM_Task_Recursion(benchmark::State& state) {
    run(dive(state));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Task_Recursion)->Arg(10)->Arg(1'000)->Arg(100'000);

Task<> await_ready_futures(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(co_await make_ready_future<int>(1));
}
void BM_Task_AwaitReadyFuture(benchmark::State& state) { run(await_ready_futures(state)); }
BENCHMARK(BM_Task_AwaitReadyFuture);

/// A pending future: suspend, set_value, resume.
Task<> await_pending_futures(Promise<int>& promise) {
    for (;;) {
        promise = Promise<int>();
        if (co_await promise.get_future() == 0) co_return;
    }
}
void BM_Task_AwaitPendingFuture(benchmark::State& state) {
    Context context("benchmark");
    Promise<int> promise;
    Task<> task = await_pending_futures(promise);
    task.promise().set_context(&context);
    post(task.promise());
    for (auto _ : state) {
        Promise<int> now = std::move(promise);
        now.set_value(1);
    }
    Promise<int> last = std::move(promise);
    last.set_value(0);
}
BENCHMARK(BM_Task_AwaitPendingFuture);

Task<> throw_and_catch(benchmark::State& state) {
    struct Child {
        static Task<> run() {
            throw 1;
            co_return;
        }
    };
    for (auto _ : state) {
        try {
            co_await Child::run();
        } catch (int) {
        }
    }
}
void BM_Task_ExceptionThroughAnAwait(benchmark::State& state) { run(throw_and_catch(state)); }
BENCHMARK(BM_Task_ExceptionThroughAnAwait);

void BM_Task_MakeAndDestroy(benchmark::State& state) {
    for (auto _ : state) {
        Task<int> task = leaf_elsewhere(1);
        benchmark::DoNotOptimize(task);
    }
}
BENCHMARK(BM_Task_MakeAndDestroy);

template <void* (*take)(std::size_t), void (*give)(void*, std::size_t)>
void recycle(benchmark::State& state) {
    const auto bytes = static_cast<std::size_t>(state.range(0));
    for (auto _ : state) {
        void* memory = take(bytes);
        benchmark::DoNotOptimize(memory);
        give(memory, bytes);
    }
}
void* malloc_take(std::size_t bytes) { return ::operator new(bytes); }
void malloc_give(void* memory, std::size_t) { ::operator delete(memory); }
void* pool_take(std::size_t bytes) { return FramePool::allocate(bytes); }
void pool_give(void* memory, std::size_t bytes) { FramePool::deallocate(memory, bytes); }

void BM_FramePool_TakeAndGive(benchmark::State& state) { recycle<pool_take, pool_give>(state); }
BENCHMARK(BM_FramePool_TakeAndGive)->Arg(96)->Arg(480);
void BM_Malloc_TakeAndGive(benchmark::State& state) { recycle<malloc_take, malloc_give>(state); }
BENCHMARK(BM_Malloc_TakeAndGive)->Arg(96)->Arg(480);

void BM_Stop_LinkAndUnlink(benchmark::State& state) {
    StopSource source;
    int calls = 0;
    for (auto _ : state) {
        StopCallback callback(StopToken(source), [&calls] { ++calls; });
        benchmark::DoNotOptimize(callback);
    }
}
BENCHMARK(BM_Stop_LinkAndUnlink);

}  // namespace
}  // namespace starling
