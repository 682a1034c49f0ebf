// The step's demo: many tasks on one thread; then none, and the thread really sleeps; then three
// that wait for each other, and the executor says so.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <deque>
#include <starling/executor.hh>
#include <thread>
#include <utility>

using namespace starling;
using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

/// The processor time this process has used.
Seconds cpu_time() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](const timeval& t) {
        return Seconds(static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6);
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void many_tasks(Executor& executor) {
    constexpr int kTasks = 100'000;
    constexpr int kSteps = 5;
    long steps = 0;
    std::size_t most_alive = 0;
    const auto begin = std::chrono::steady_clock::now();
    executor.block_on([&]() -> Task<> {
        std::deque<JoinHandle<>> handles;
        for (int i = 0; i < kTasks; ++i) {
            handles.push_back(spawn([&steps]() -> Task<> {
                for (int step = 0; step < kSteps; ++step) {
                    ++steps;
                    co_await yield();
                }
            }));
        }
        most_alive = executor.live_tasks();
        for (auto& handle : handles) co_await handle;
    });
    const Seconds took = std::chrono::steady_clock::now() - begin;
    std::printf("%zu tasks alive at once on one thread took %ld steps in %.0f ms: %.0f ns a step\n",
                most_alive - 1, steps, took.count() * 1e3,
                took.count() * 1e9 / static_cast<double>(steps));
}

void idle(Executor& executor) {
    std::thread waker_thread;
    const auto begin = std::chrono::steady_clock::now();
    const Seconds used_before = cpu_time();
    executor.block_on([&]() -> Task<> {
        Park sleeping = park();
        waker_thread = std::thread([waker = sleeping.waker()] {
            std::this_thread::sleep_for(1s);
            waker.wake();
        });
        co_await sleeping;
    });
    waker_thread.join();
    const Seconds took = std::chrono::steady_clock::now() - begin;
    const Seconds used = cpu_time() - used_before;
    std::printf("then nothing to do for %.2f s: %.2f ms of processor time, %.1f %%\n", took.count(),
                used.count() * 1e3, 100 * used / took);
}

/// Waits for the task of the next in the ring.
Task<> wait_for(std::deque<JoinHandle<>>& handles, std::size_t next) { co_await handles[next]; }

void deadlock(Executor& executor) {
    std::deque<JoinHandle<>> handles;
    const char* names[] = {"ann", "bob", "cat"};
    for (std::size_t i = 0; i < 3; ++i) {
        handles.push_back(executor.spawn(wait_for(handles, (i + 1) % 3), {.name = names[i]}));
    }
    std::printf(
        "ann waits for bob, bob for cat, cat for ann, and dan for a wake-up from nobody:\n");
    try {
        executor.block_on([]() -> Task<> { co_await park(); }, {.name = "dan"});
    } catch (const Deadlock& e) {
        std::printf("    %s\n", e.what());
    }
}

int main() {
    Executor executor;
    many_tasks(executor);
    idle(executor);
    deadlock(executor);
}
