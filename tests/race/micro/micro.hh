// What the small measurements share. Every program (Starling, Asio, Tokio, the limits) understands
//   program --list             the cases it has
//   program CASE [SIZE]        one number: nanoseconds an operation, or bytes, see
//   tools/race/micro.py
// so that the harness can run them in turns, each case in a process of its own.
#pragma once

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <random>
#include <string_view>
#include <vector>

namespace starling_micro {

using MicroClock = std::chrono::steady_clock;

struct Case {
    const char* name;
    double (*measure)(std::size_t size);
    std::size_t size;  // When none is given.
};

inline double ns_since(MicroClock::time_point begin) {
    return std::chrono::duration<double, std::nano>(MicroClock::now() - begin).count();
}

/// Nanoseconds an operation: `run(n)` does n of them. Tries more until they take long enough; the
/// last try counts, so the first ones warm up.
template <class F>
double ns_each(F&& run) {
    constexpr double kLongEnoughNs = 2e8;
    std::size_t count = 1;
    for (;;) {
        const auto begin = MicroClock::now();
        run(count);
        const double ns = ns_since(begin);
        if (ns >= kLongEnoughNs) return ns / static_cast<double>(count);
        const double wanted = 1.2 * kLongEnoughNs / std::max(ns, 100.0);
        count *= static_cast<std::size_t>(std::clamp(wanted, 2.0, 64.0));
    }
}

/// Nanoseconds an operation where each round has a part that is not counted: `round()` returns the
/// nanoseconds that count, for `count` operations. The median of nine rounds.
template <class F>
double ns_each_counted(std::size_t count, F&& round) {
    std::array<double, 9> rounds{};
    for (double& ns : rounds) ns = round();
    std::nth_element(rounds.begin(), rounds.begin() + 4, rounds.end());
    return rounds[4] / static_cast<double>(count);
}

/// Bytes of memory that this process has touched.
inline double resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::size_t total = 0;
    std::size_t resident = 0;
    file >> total >> resident;
    return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

/// Keeps this thread on one processor: where two threads take turns, it matters that they are on
/// two.
inline void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof set, &set);
}

/// Delays between 5 s and 69 s, the same in every run: I/O timeouts. None ends while it is
/// measured.
inline std::vector<std::chrono::nanoseconds> spread_delays(std::size_t count) {
    std::mt19937_64 random(5);
    std::vector<std::chrono::nanoseconds> delays(count);
    for (auto& delay : delays)
        delay = std::chrono::nanoseconds(5'000'000'000 + random() % 64'000'000'000);
    return delays;
}

/// How many are inserted and cancelled beside those that are armed.
inline constexpr std::size_t kTimerBatch = 4096;
/// "Overdue": deadlines within this time, which then passes before anybody looks.
inline constexpr std::chrono::milliseconds kOverdue{100};
inline constexpr std::size_t kChannelCapacity = 128;
inline constexpr std::size_t kInFlight = 128;

template <std::size_t N>
int micro_main(const Case (&cases)[N], int argc, char** argv) {
    const std::string_view wanted = argc > 1 ? argv[1] : "--list";
    for (const Case& one : cases) {
        if (wanted == "--list") std::printf("%s\n", one.name);
        if (wanted != one.name) continue;
        const std::size_t size = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : one.size;
        std::printf("%.3f\n", one.measure(size));
        return 0;
    }
    if (wanted == "--list") return 0;
    std::fprintf(stderr, "there is no case \"%s\"; --list shows them\n", argv[1]);
    return 2;
}

}  // namespace starling_micro
