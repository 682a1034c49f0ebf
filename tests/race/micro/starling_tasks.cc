// Tasks, futures and channels, all on one thread.
#include <starling/channel.hh>
#include <starling/executor.hh>
#include <starling/future.hh>
#include <starling/oneshot.hh>
#include <starling/task.hh>

#include "micro.hh"
#include "starling_micro.hh"

namespace starling_micro {
namespace {

using namespace starling;

/// Never over; costs nothing of its own, so that a parked task's memory is the task's.
struct Never {
    bool ready() const noexcept { return false; }
    void start(Continuation&) noexcept {}
    bool stopped() const noexcept { return false; }
    void finish() const noexcept {}
};

Task<> nothing() { co_return; }
// Not inlined, so that there is a frame and a transfer to measure.
[[gnu::noinline]] Task<std::size_t> child(std::size_t i) { co_return i + 1; }

/// Runs `body(n)`, a coroutine, until it has taken long enough.
template <class F>
double ns_in_a_task(F body) {
    return ns_each([&](std::size_t count) {
        Executor executor;
        executor.block_on([&]() -> Task<> { return body(count); });
    });
}

}  // namespace

double spawn_join(std::size_t) {
    return ns_in_a_task([](std::size_t count) -> Task<> {
        for (std::size_t i = 0; i < count; ++i) co_await spawn(nothing());
    });
}

double yield_once(std::size_t) {
    return ns_in_a_task([](std::size_t count) -> Task<> {
        for (std::size_t i = 0; i < count; ++i) co_await yield();
    });
}

double await_child(std::size_t) {
    return ns_in_a_task([](std::size_t count) -> Task<> {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < count; ++i) sum += co_await child(i);
        asm volatile("" : "+r"(sum));  // The sum is needed.
    });
}

double ready_then(std::size_t) {
    return ns_each([](std::size_t count) {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < count; ++i) {
            sum +=
                make_ready_future<std::size_t>(i).then([](std::size_t x) { return x + 1; }).get();
            asm volatile("" : "+r"(sum));
        }
    });
}

// One task sends, one receives; the channel fills up and empties in turns.
double channel_message(std::size_t) {
    return ns_in_a_task([](std::size_t count) -> Task<> {
        auto ends = channel<std::size_t>(kChannelCapacity);
        auto producer = spawn([tx = std::move(ends.sender), count]() -> Task<> {
            for (std::size_t i = 0; i < count; ++i) {
                const auto sent = co_await tx.send(i);
                if (!sent) std::abort();
            }
        });
        for (std::size_t i = 0; i < count; ++i) {
            const auto value = co_await ends.receiver.recv();
            if (*value != i) std::abort();
        }
        co_await producer;
    });
}

// Made, sent, received; the value is there when it is asked for.
double oneshot_message(std::size_t) {
    return ns_in_a_task([](std::size_t count) -> Task<> {
        for (std::size_t i = 0; i < count; ++i) {
            auto ends = oneshot<std::size_t>();
            (void)ends.sender.send(i);
            const auto value = co_await ends.receiver;
            if (*value != i) std::abort();
        }
    });
}

double task_memory(std::size_t tasks) {
    Executor executor;
    double bytes = 0;
    executor.block_on([&]() -> Task<> {
        const double before = resident_bytes();
        for (std::size_t i = 0; i < tasks; ++i) {
            spawn([]() -> Task<> { co_await Never{}; }).detach();
        }
        co_await yield();
        bytes = (resident_bytes() - before) / static_cast<double>(tasks);
        // A million tasks that nothing can end: not worth the wait.
        std::printf("%.3f\n", bytes);
        std::fflush(stdout);
        std::_Exit(0);
    });
    return bytes;
}

// All at once: started, then joined.
double spawn_many(std::size_t tasks) {
    return ns_each_counted(tasks, [tasks] {
        Executor executor;
        double ns = 0;
        executor.block_on([&]() -> Task<> {
            std::vector<JoinHandle<void>> handles;
            handles.reserve(tasks);
            const auto begin = MicroClock::now();
            for (std::size_t i = 0; i < tasks; ++i) handles.push_back(spawn(nothing()));
            for (auto& handle : handles) co_await handle;
            ns = ns_since(begin);
        });
        return ns;
    });
}

}  // namespace starling_micro
