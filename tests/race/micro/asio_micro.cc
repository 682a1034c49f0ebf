// Boost.Asio's side of `./workshop race --micro`: the same work with C++20 coroutines, on one
// thread without locks where one thread is enough.
#include <boost/asio.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <list>
#include <optional>
#include <thread>

#include "micro.hh"

namespace starling_micro {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using boost::system::error_code;
using Timer = asio::steady_timer;
using Channel = asio::experimental::channel<void(error_code, std::size_t)>;

awaitable<void> nothing() { co_return; }
[[gnu::noinline]] awaitable<std::size_t> child(std::size_t i) { co_return i + 1; }

/// Runs `body(n)`, a coroutine, until it has taken long enough.
template <class F>
double ns_in_a_task(F body) {
    return ns_each([&](std::size_t count) {
        asio::io_context context(1);
        asio::co_spawn(context, body(count), asio::detached);
        context.run();
    });
}

double spawn_join(std::size_t) {
    return ns_in_a_task([](std::size_t count) -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        for (std::size_t i = 0; i < count; ++i) {
            co_await asio::co_spawn(executor, nothing(), use_awaitable);
        }
    });
}

double yield_once(std::size_t) {
    return ns_in_a_task([](std::size_t count) -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        for (std::size_t i = 0; i < count; ++i) co_await asio::post(executor, use_awaitable);
    });
}

double await_child(std::size_t) {
    return ns_in_a_task([](std::size_t count) -> awaitable<void> {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < count; ++i) sum += co_await child(i);
        asm volatile("" : "+r"(sum));
    });
}

awaitable<void> send_all(Channel& channel, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        co_await channel.async_send(error_code{}, i, use_awaitable);
    }
}

double channel_message(std::size_t) {
    return ns_in_a_task([](std::size_t count) -> awaitable<void> {
        const auto executor = co_await asio::this_coro::executor;
        Channel channel(executor, kChannelCapacity);
        asio::co_spawn(executor, send_all(channel, count), asio::detached);
        for (std::size_t i = 0; i < count; ++i) {
            if (co_await channel.async_receive(use_awaitable) != i) std::abort();
        }
    });
}

awaitable<void> wait_for(Timer& never) { co_await never.async_wait(use_awaitable); }

double task_memory(std::size_t tasks) {
    asio::io_context context(1);
    Timer never(context, Timer::time_point::max());
    const double before = resident_bytes();
    for (std::size_t i = 0; i < tasks; ++i) {
        asio::co_spawn(context, wait_for(never), asio::detached);
    }
    context.poll();
    std::printf("%.3f\n", (resident_bytes() - before) / static_cast<double>(tasks));
    std::fflush(stdout);
    std::_Exit(0);
}

double spawn_many(std::size_t tasks) {
    return ns_each_counted(tasks, [tasks] {
        asio::io_context context(1);
        const auto begin = MicroClock::now();
        for (std::size_t i = 0; i < tasks; ++i) {
            asio::co_spawn(context, nothing(), asio::detached);
        }
        context.run();
        return ns_since(begin);
    });
}

double insert_or_cancel(std::size_t armed, bool time_insert) {
    asio::io_context context(1);
    const auto now = MicroClock::now();
    std::list<Timer> timers;
    for (const auto delay : spread_delays(armed)) {
        timers.emplace_back(context, now + delay).async_wait([](error_code) {});
    }
    std::list<Timer> batch;
    for (std::size_t i = 0; i < kTimerBatch; ++i) batch.emplace_back(context);
    const auto delays = spread_delays(kTimerBatch);
    const double ns = ns_each_counted(kTimerBatch, [&] {
        const auto base = MicroClock::now();
        const auto begin = MicroClock::now();
        std::size_t i = 0;
        for (Timer& timer : batch) {
            timer.expires_at(base + delays[i++]);
            timer.async_wait([](error_code) {});
        }
        const double inserted_ns = ns_since(begin);
        const auto middle = MicroClock::now();
        for (Timer& timer : batch) timer.cancel();
        const double cancelled_ns = ns_since(middle);
        context.poll();
        return time_insert ? inserted_ns : cancelled_ns;
    });
    std::printf("%.3f\n", ns);
    std::fflush(stdout);
    std::_Exit(0);  // To end a million timers is not what is measured.
}

double timer_insert(std::size_t armed) { return insert_or_cancel(armed, true); }
double timer_cancel(std::size_t armed) { return insert_or_cancel(armed, false); }

double timer_fire(std::size_t armed) {
    asio::io_context context(1);
    std::size_t fired = 0;
    const auto now = MicroClock::now() + std::chrono::seconds(2);
    std::list<Timer> timers;
    for (std::size_t i = 0; i < armed; ++i) {
        const auto delay =
            kOverdue * static_cast<std::int64_t>(i) / static_cast<std::int64_t>(armed);
        timers.emplace_back(context, now + delay).async_wait([&fired](error_code) { ++fired; });
    }
    std::this_thread::sleep_until(now + 2 * kOverdue);
    const auto begin = MicroClock::now();
    context.run();
    const double ns = ns_since(begin);
    if (fired != armed) std::abort();
    return ns / static_cast<double>(armed);
}

double start_up(std::size_t) {
    return ns_each([](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            asio::io_context context(1);
            asio::co_spawn(context, nothing(), asio::detached);
            context.run();
        }
    });
}

/// A second thread that runs its own io_context, as a shard would.
struct OtherThread {
    OtherThread()
        : thread([this] {
              pin(1);
              context.run();
          }) {
        pin(0);
    }
    ~OtherThread() {
        work.reset();
        thread.join();
    }
    asio::io_context context{1};
    std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work{
        asio::make_work_guard(context)};
    std::thread thread;
};

awaitable<void> round_trips(asio::io_context& there, std::size_t count) {
    const auto here = co_await asio::this_coro::executor;
    for (std::size_t i = 0; i < count; ++i) {
        co_await asio::post(there, asio::bind_executor(there, use_awaitable));
        co_await asio::post(here, use_awaitable);
    }
}

double messages(std::size_t in_flight) {
    OtherThread other;
    return ns_each([&](std::size_t count) {
        asio::io_context context(1);
        for (std::size_t i = 0; i < in_flight; ++i) {
            asio::co_spawn(context, round_trips(other.context, count / in_flight + 1),
                           asio::detached);
        }
        context.run();
    });
}

}  // namespace
}  // namespace starling_micro

int main(int argc, char** argv) {
    using namespace starling_micro;
    constexpr std::size_t kMillion = 1'000'000;
    static constexpr Case kCases[] = {
        {"spawn", spawn_join, 0},
        {"yield", yield_once, 0},
        {"await", await_child, 0},
        {"channel", channel_message, 0},
        {"task-memory", task_memory, kMillion},
        {"spawn-many", spawn_many, kMillion},
        {"timer-insert", timer_insert, kMillion},
        {"timer-cancel", timer_cancel, kMillion},
        {"timer-fire", timer_fire, kMillion},
        {"start-up", start_up, 0},
        {"message-sleeping", messages, 1},
        {"message-batched", messages, kInFlight},
    };
    return micro_main(kCases, argc, argv);
}
