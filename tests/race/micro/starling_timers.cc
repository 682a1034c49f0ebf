// Timers beside many others that are armed. The operations are those of a sleeping task, without
// the task: arm with the service, cancel, expire in its poll, be posted and resumed.
#include <memory>
#include <starling/executor.hh>
#include <starling/timer_service.hh>
#include <thread>

#include "micro.hh"
#include "starling_micro.hh"

namespace starling_micro {
namespace {

using namespace starling;

std::size_t fired = 0;

/// What sleeps: 56 bytes, as in a task's frame.
struct Sleeper final : Continuation, Timer {
    void resume() noexcept override { ++fired; }
    void expired() noexcept override { post(*this); }
};

struct Bench {
    explicit Bench(std::size_t armed) : sleepers(armed), delays(spread_delays(kTimerBatch)) {
        const auto far = spread_delays(armed);
        const TimePoint now = executor.now();
        for (std::size_t i = 0; i < armed; ++i) arm(sleepers[i], now + far[i]);
    }
    void arm(Sleeper& sleeper, TimePoint deadline) {
        sleeper.set_deadline(deadline);
        service.arm(sleeper);
    }
    void disarm_all() {
        for (Sleeper& sleeper : sleepers) sleeper.cancel();
    }

    Executor executor;
    TimerService service{executor};
    std::vector<Sleeper> sleepers;
    std::vector<std::chrono::nanoseconds> delays;
};

double insert_or_cancel(std::size_t armed, bool time_insert) {
    Bench bench(armed);
    std::vector<Sleeper> batch(kTimerBatch);
    const double ns = ns_each_counted(kTimerBatch, [&] {
        const TimePoint now = bench.executor.now();
        const auto begin = MicroClock::now();
        for (std::size_t i = 0; i < kTimerBatch; ++i) bench.arm(batch[i], now + bench.delays[i]);
        const double inserted_ns = ns_since(begin);
        const auto middle = MicroClock::now();
        for (Sleeper& sleeper : batch) sleeper.cancel();
        const double cancelled_ns = ns_since(middle);
        return time_insert ? inserted_ns : cancelled_ns;
    });
    bench.disarm_all();
    return ns;
}

}  // namespace

double timer_insert(std::size_t armed) { return insert_or_cancel(armed, true); }
double timer_cancel(std::size_t armed) { return insert_or_cancel(armed, false); }

double timer_fire(std::size_t armed) {
    Executor executor;
    TimerService service(executor);
    std::vector<Sleeper> sleepers(armed);
    const TimePoint now = executor.now();
    for (std::size_t i = 0; i < armed; ++i) {
        const auto delay =
            kOverdue * static_cast<std::int64_t>(i) / static_cast<std::int64_t>(armed);
        sleepers[i].set_deadline(now + std::chrono::seconds(1) + delay);
        service.arm(sleepers[i]);
    }
    fired = 0;
    std::this_thread::sleep_until(now + std::chrono::seconds(1) + 2 * kOverdue);
    const auto begin = MicroClock::now();
    Executor::Enter scope(executor);
    while (fired < armed) executor.run_once();
    return ns_since(begin) / static_cast<double>(armed);
}

}  // namespace starling_micro
