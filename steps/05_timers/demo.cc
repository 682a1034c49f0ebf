// A million tasks sleep for one to three seconds, all on one thread. How late do they wake?
//
//     ./workshop demo 05 [sleepers]
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <starling/interval.hh>
#include <string>

namespace {

using namespace starling;
using namespace std::chrono_literals;

constexpr Duration kShortest = 1s;
constexpr Duration kLongest = 3s;
constexpr Duration kSpawnLimit = 3s;  // A slow build gets fewer sleepers, not more time.

// How late, in powers of two from 64 µs on.
struct Histogram {
    std::array<long, 12> counts{};
    long woken = 0;
    long early = 0;

    void add(Duration late) {
        ++woken;
        if (late < 0ns) ++early;
        std::size_t i = 0;
        while (i + 1 < counts.size() && late >= 64us * (1 << i)) ++i;
        ++counts[i];
    }
    void print() const {
        const long most = std::max(1L, *std::ranges::max_element(counts));
        for (std::size_t i = 0; i < counts.size(); ++i) {
            if (counts[i] == 0) continue;
            const std::string bar(static_cast<std::size_t>(50 * counts[i] / most), '#');
            std::printf("  < %6.2f ms %8ld  %s\n", 0.064 * (1 << i), counts[i], bar.c_str());
        }
    }
};

Task<> sleeper(Duration delay, Histogram& histogram) {
    const TimePoint deadline = std::chrono::steady_clock::now() + delay;
    co_await sleep(delay);
    histogram.add(std::chrono::steady_clock::now() - deadline);
}

/// One line per level: four slots to a character, '|' is the hand.
void draw(const TimerWheel& wheel) {
    constexpr const char* kNames[] = {"  1 ms", "256 ms", "65.5 s", "4.66 h"};
    for (int level = TimerWheel::kLevels - 1; level >= 0; --level) {
        const auto hand = (wheel.current_tick() >> (level * TimerWheel::kDigitBits)) & 255;
        std::string row;
        for (unsigned column = 0; column < 64; ++column) {
            const auto bits = wheel.occupied(level)[column / 16] >> column % 16 * 4 & 15;
            row += hand / 4 == column ? '|' : " .:+#"[__builtin_popcountll(bits)];
        }
        std::printf("  %s a slot [%s]\n", kNames[level], row.c_str());
    }
}

/// Draws the wheel over and over: in place on a terminal, a few times elsewhere.
Task<> animate(const Histogram& histogram, long sleepers) {
    const bool terminal = ::isatty(STDOUT_FILENO) != 0;
    const TimerWheel& wheel = service<TimerService>("the demo").wheel();
    Interval frames(terminal ? Duration(50ms) : Duration(600ms), MissedTick::skip);
    for (bool first = true; histogram.woken < sleepers; first = false) {
        if (terminal && !first) std::printf("\x1b[%dA", TimerWheel::kLevels + 1);
        std::printf("  tick %llu, %ld of %ld have woken%s\n",
                    static_cast<unsigned long long>(wheel.current_tick()), histogram.woken,
                    sleepers, terminal ? "\x1b[K" : "");
        draw(wheel);
        std::fflush(stdout);
        co_await frames.tick();
    }
}

long resident_bytes() {
    std::FILE* statm = std::fopen("/proc/self/statm", "r");
    long total = 0, resident = 0;
    if (statm != nullptr) {
        if (std::fscanf(statm, "%ld %ld", &total, &resident) != 2) resident = 0;
        std::fclose(statm);
    }
    return resident * ::sysconf(_SC_PAGESIZE);
}

double cpu_seconds() {
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

}  // namespace

int main(int argc, char** argv) {
    const long wanted = argc > 1 ? std::atol(argv[1]) : 1'000'000;
    Executor executor;
    TimerService timers(executor);
    Histogram histogram;

    executor.block_on([&]() -> Task<> {
        const long before = resident_bytes();
        const TimePoint begin = std::chrono::steady_clock::now();
        std::mt19937 random(5);
        long sleepers = 0;
        while (sleepers < wanted && std::chrono::steady_clock::now() - begin < kSpawnLimit) {
            for (int i = 0; i < 1000 && sleepers < wanted; ++i, ++sleepers) {
                const auto more = random() % ((kLongest - kShortest) / 1us);
                const Duration delay = kShortest + std::chrono::microseconds(more);
                spawn(sleeper(delay, histogram)).detach();
            }
            co_await yield();  // Those go to sleep now.
        }
        const double spawned = cpu_seconds();
        std::printf("%ld tasks spawned; %ld sleep now, %.0f bytes each (as the kernel counts)\n",
                    sleepers, sleepers - histogram.woken,
                    static_cast<double>(resident_bytes() - before) / static_cast<double>(sleepers));
        co_await animate(histogram, sleepers);
        std::printf("\nAll %ld have woken, %ld of them early. How late:\n", histogram.woken,
                    histogram.early);
        histogram.print();
        std::printf(
            "%.2f s of processor time since they were spawned; the thread slept %llu times\n",
            cpu_seconds() - spawned, static_cast<unsigned long long>(executor.stats().parks));
    });
}
