// Demo of step 09: what two cores do to each other, and how shards avoid it.
//
//   1. A litmus: two stores and two loads, and an outcome that no interleaving explains.
//   2. A counter: one behind a mutex against one per shard, on 1 to N shards.
//   3. A conversation: what it costs to have a function called on another shard.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <functional>
#include <mutex>
#include <starling/runtime.hh>
#include <starling/sharded.hh>
#include <thread>

using namespace starling;

namespace {

using Seconds = std::chrono::duration<double>;

double seconds_since(std::chrono::steady_clock::time_point start) {
    return Seconds(std::chrono::steady_clock::now() - start).count();
}

/// Two threads: each writes its own variable, then reads the other's. In how many rounds did both
/// read the old value? Each loiters a little before its turn, so that now and then they coincide.
long both_blind(std::memory_order store, std::memory_order load, int rounds) {
    alignas(64) std::atomic<int> x{0};
    alignas(64) std::atomic<int> y{0};
    alignas(64) std::atomic<int> at_start{0};
    alignas(64) std::atomic<int> at_end{0};
    auto meet = [](std::atomic<int>& place, int round, int loiter) {
        place.fetch_add(1);
        for (int spins = 0; place.load() < 2 * round; ++spins) {
            if (spins > 1'000) std::this_thread::yield();
        }
        for (int i = 0; i < loiter; ++i) asm volatile("" : "+m"(i));
    };
    int seen_by_other = 0;
    std::thread other([&] {
        for (int round = 1; round <= rounds; ++round) {
            meet(at_start, round, round % 97);
            y.store(round, store);
            seen_by_other = x.load(load);
            meet(at_end, round, 0);
        }
    });
    int count = 0;
    for (int round = 1; round <= rounds; ++round) {
        meet(at_start, round, round % 89);
        x.store(round, store);
        const int seen = y.load(load);
        meet(at_end, round, 0);
        count += seen != round && seen_by_other != round;
    }
    other.join();
    return count;
}

void litmus() {
    constexpr int kRounds = 100'000;
    constexpr double kSecondsMax = 5;
    long weak = 0, strong = 0, rounds = 0;
    const auto start = std::chrono::steady_clock::now();
    do {
        weak += both_blind(std::memory_order_release, std::memory_order_acquire, kRounds);
        strong += both_blind(std::memory_order_seq_cst, std::memory_order_seq_cst, kRounds);
        rounds += kRounds;
    } while (weak == 0 && seconds_since(start) < kSecondsMax);
    std::printf("1. Two threads, %ld rounds:     x = 1; read y        y = 1; read x\n", rounds);
    std::printf("   Whoever comes second must see the other's 1. And yet, neither saw it\n");
    std::printf("      release and acquire: %7ld times   (a store waits in its core's buffer)\n",
                weak);
    std::printf("      seq_cst:             %7ld times   (the load waits for the store)\n", strong);
    if (weak == 0) {
        std::printf(
            "   Not once in %.0f seconds: the two never ran at the same moment. Again, when\n"
            "   the machine has two cores to spare? It may happen all the same.\n",
            seconds_since(start));
    }
    std::printf("\n");
    std::fflush(stdout);
}

constexpr int kIncrements = 4'000'000;  // Per shard.

double count_behind_a_mutex(unsigned shards) {
    std::mutex mutex;
    long counter = 0;
    const auto start = std::chrono::steady_clock::now();
    Runtime::builder().shards(shards).build().run([&]() -> Task<> {
        co_await invoke_on_all([&] {
            for (int i = 0; i < kIncrements; ++i) {
                std::lock_guard lock(mutex);
                ++counter;
            }
        });
    });
    const double seconds = seconds_since(start);
    if (counter != static_cast<long>(shards) * kIncrements) std::printf("   miscounted!\n");
    return static_cast<double>(counter) / seconds / 1e6;
}

struct Counter {
    long count = 0;
    void add() {
        ++count;
        asm volatile("" : "+m"(count));  // As with the mutex, each increment really happens.
    }
};

double count_on_every_shard(unsigned shards) {
    long sum = 0;
    const auto start = std::chrono::steady_clock::now();
    Runtime::builder().shards(shards).build().run([&]() -> Task<> {
        Sharded<Counter> counters;
        co_await counters.start();
        co_await counters.invoke_on_all([](Counter& c) {
            for (int i = 0; i < kIncrements; ++i) c.add();
        });
        sum = co_await counters.map_reduce([](Counter& c) { return c.count; }, 0L, std::plus<>());
        co_await counters.stop();
    });
    const double seconds = seconds_since(start);
    if (sum != static_cast<long>(shards) * kIncrements) std::printf("   miscounted!\n");
    return static_cast<double>(sum) / seconds / 1e6;
}

void counters() {
    const unsigned most = std::clamp(std::thread::hardware_concurrency(), 2u, 8u);
    std::printf("2. Millions of increments a second, %d on each shard\n", kIncrements);
    std::printf("   shards   one mutex   one counter a shard\n");
    for (unsigned shards = 1; shards <= most; shards *= 2) {
        const double locked = count_behind_a_mutex(shards);
        const double sharded = count_on_every_shard(shards);
        std::printf("   %6u   %9.0f   %19.0f\n", shards, locked, sharded);
    }
    std::printf("\n");
}

Task<> converse() {
    constexpr int kRounds = 20'000;
    auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRounds; ++i) co_await submit_to(1, [] {});
    const double one_by_one = seconds_since(start) / kRounds * 1e9;

    constexpr int kCallers = 128;
    start = std::chrono::steady_clock::now();
    std::vector<JoinHandle<void>> callers;
    for (int c = 0; c < kCallers; ++c) {
        callers.push_back(spawn([]() -> Task<> {
            for (int i = 0; i < kRounds / 50; ++i) co_await submit_to(1, [] {});
        }));
    }
    for (auto& caller : callers) co_await caller;
    const double together = seconds_since(start) / (kCallers * (kRounds / 50)) * 1e9;
    std::printf("3. \"Call this on shard 1, I wait\":  %.0f ns there and back, one at a time\n",
                one_by_one);
    std::printf("                                    %.0f ns each, with %d callers at once\n",
                together, kCallers);
}

}  // namespace

int main() {
    litmus();
    try {
        counters();
        Runtime::builder().shards(2).build().run(converse);
    } catch (const std::exception& unfinished) {  // An exercise that is still blank.
        std::printf("   The rest needs your messages between shards.\n   %s\n", unfinished.what());
        return 1;
    }
}
