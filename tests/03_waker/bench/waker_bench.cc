// Layer 03: what a wake-up costs. One thread, so atomics are never contended: the best case.
#include <benchmark/benchmark.h>

#include <starling/scheduler.hh>
#include <starling/task.hh>
#include <starling/waker.hh>

namespace {

using namespace starling;

void BM_ManualScheduler_Run(benchmark::State& state) {
    struct Nothing final : Continuation {
        void resume() noexcept override {}
    };
    ManualScheduler scheduler;
    Nothing task;
    for (auto _ : state) {
        scheduler.schedule(task);
        scheduler.run_batch();
    }
}
BENCHMARK(BM_ManualScheduler_Run);

void BM_Waker_CloneAndDrop(benchmark::State& state) {
    ManualScheduler scheduler;
    WakeSlot slot(scheduler.inbox(), [] {});
    Waker waker = slot.waker();
    for (auto _ : state) {
        Waker copy = waker;
        benchmark::DoNotOptimize(copy);
    }
}
BENCHMARK(BM_Waker_CloneAndDrop);

void BM_Waker_WakeOfAScheduledTarget(benchmark::State& state) {
    ManualScheduler scheduler;
    WakeSlot slot(scheduler.inbox(), [] {});
    Waker waker = slot.waker();
    waker.wake();
    for (auto _ : state) waker.wake();
    scheduler.run_until_idle();
}
BENCHMARK(BM_Waker_WakeOfAScheduledTarget);

// From outside of the scheduler's loop, so through the inbox, as another thread would.
void BM_Waker_WakeAndRunThroughTheInbox(benchmark::State& state) {
    ManualScheduler scheduler;
    WakeSlot slot(scheduler.inbox(), [] {});
    Waker waker = slot.waker();
    for (auto _ : state) {
        waker.wake();
        scheduler.run_batch();
    }
}
BENCHMARK(BM_Waker_WakeAndRunThroughTheInbox);

// A slot that wakes itself while it runs: state machine and run queue, no inbox.
void BM_Waker_WakeAndRunOnItsOwnThread(benchmark::State& state) {
    ManualScheduler scheduler;
    Waker waker;
    bool again = true;
    WakeSlot slot(scheduler.inbox(), [&] {
        if (again) waker.wake();
    });
    waker = slot.waker();
    waker.wake();
    for (auto _ : state) scheduler.run_batch();
    again = false;
    scheduler.run_until_idle();
}
BENCHMARK(BM_Waker_WakeAndRunOnItsOwnThread);

void BM_Park_MakeWakeResume(benchmark::State& state) {
    struct Waiter final : Continuation {
        void resume() noexcept override {}
    };
    ManualScheduler scheduler;
    Waiter waiter;
    for (auto _ : state) {
        Park park(scheduler.inbox());
        park.start(waiter);
        park.waker().wake();
        scheduler.run_batch();
        park.finish();
    }
}
BENCHMARK(BM_Park_MakeWakeResume);

}  // namespace
