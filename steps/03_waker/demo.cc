// The step's demo: a coroutine sleeps on one thread, and other threads wake it. First eight of
// them, as fast as they can; then you, with Enter. Without a terminal it ends by itself.
#include <poll.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <semaphore>
#include <starling/scheduler.hh>
#include <starling/task.hh>
#include <starling/waker.hh>
#include <thread>
#include <vector>

using namespace starling;
using SteadyClock = std::chrono::steady_clock;

/// How the main thread sleeps. Layer 04 has a better one.
class Bell final : public Unparker {
  public:
    void unpark() noexcept override { semaphore_.release(); }
    void wait() { semaphore_.acquire(); }

  private:
    std::counting_semaphore<> semaphore_{0};
};

/// Runs what there is to run, and sleeps when there is nothing, until `done`.
void run(ManualScheduler& scheduler, Bell& bell, const bool& done) {
    Inbox& inbox = *scheduler.inbox();
    while (!done) {
        if (scheduler.run_batch() > 0) continue;
        if (inbox.before_sleep()) bell.wait();
        inbox.after_sleep();
    }
}

/// Wakes from eight threads at once, many more times than the slot can run.
void eight_threads(ManualScheduler& scheduler, Bell& bell) {
    constexpr int kWakes = 100'000;
    int runs = 0;
    std::atomic<int> finished{0};
    bool done = false;
    WakeSlot counter(scheduler.inbox(), [&] { ++runs; });
    WakeSlot end(scheduler.inbox(), [&] { done = finished == 8; });
    std::vector<std::thread> threads;
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, wake_counter = counter.waker(), wake_end = end.waker()] {
            for (int i = 0; i < kWakes; ++i) wake_counter.wake();
            ++finished;
            wake_end.wake();
        });
    }
    run(scheduler, bell, done);
    for (std::thread& thread : threads) thread.join();
    std::printf("8 threads woke one slot %d times; it ran %d times, always on its own thread.\n",
                8 * kWakes, runs);
}

SteadyClock::time_point pressed;  // Written before the wake, read after it.

/// Waits for Enter on a thread of its own, but not for ever.
void wait_for_enter(const Waker& waker) {
    pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    char line[256];
    if (::poll(&input, 1, ::isatty(STDIN_FILENO) != 0 ? 20'000 : 500) > 0) {
        [[maybe_unused]] auto bytes = ::read(STDIN_FILENO, line, sizeof line);
    }
    pressed = SteadyClock::now();
    waker.wake();
}

Task<> ask(ManualScheduler& scheduler, bool& done) {
    for (int round = 1; round <= 3; ++round) {
        std::printf("%d of 3: press Enter, and another thread wakes this coroutine… ", round);
        std::fflush(stdout);
        Park park(scheduler.inbox());
        std::thread reader(&wait_for_enter, park.waker());
        co_await park;
        const auto late = SteadyClock::now() - pressed;
        std::printf("\n    awake %.0f us after Enter was read\n",
                    std::chrono::duration<double, std::micro>(late).count());
        reader.join();
    }
    done = true;
}

int main() {
    auto bell = std::make_shared<Bell>();
    ManualScheduler scheduler(bell);
    eight_threads(scheduler, *bell);

    bool done = false;
    Context context("ask");
    Task<> task = ask(scheduler, done);
    task.promise().set_context(&context);
    scheduler.schedule(task.promise());
    run(scheduler, *bell, done);
    std::printf("It slept in between: no loop looked whether you had pressed.\n");
}
