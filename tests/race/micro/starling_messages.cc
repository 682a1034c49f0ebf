// Messages between shards, start-up, and what idle lanes cost.
#include <memory>
#include <starling/runtime.hh>
#include <starling/sharded.hh>
#include <starling/submit.hh>

#include "micro.hh"
#include "starling_micro.hh"

namespace starling_micro {
namespace {

using namespace starling;

Runtime::Builder two_shards() { return Runtime::builder().shards(2).pin(); }

Task<> round_trips(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t back = co_await submit_to(1, [i] { return i; });
        if (back != i) std::abort();
    }
}

Task<> round_trips_in_parallel(std::size_t tasks, std::size_t count) {
    std::vector<JoinHandle<void>> handles;
    for (std::size_t i = 0; i < tasks; ++i)
        handles.push_back(spawn(round_trips(count / tasks + 1)));
    for (auto& handle : handles) co_await handle;
}

template <class F>
double ns_in_a_runtime(Runtime runtime, F body) {
    double ns = 0;
    runtime.run([&]() -> Task<> {
        co_await body(std::size_t{1000});  // Until both shards run.
        std::size_t count = 1000;
        for (;;) {
            const auto begin = MicroClock::now();
            co_await body(count);
            ns = ns_since(begin) / static_cast<double>(count);
            if (ns * static_cast<double>(count) > 2e8) co_return;
            count *= 4;
        }
    });
    return ns;
}

}  // namespace

double start_up(std::size_t) {
    return ns_each([](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            Runtime::builder().shards(1).build().run([]() -> Task<> { co_return; });
        }
    });
}

double message_spinning(std::size_t) {
    return ns_in_a_runtime(two_shards().parking(false).build(),
                           [](std::size_t count) { return round_trips(count); });
}

double message_sleeping(std::size_t) {
    return ns_in_a_runtime(two_shards().spin(Duration::zero()).build(),
                           [](std::size_t count) { return round_trips(count); });
}

double message_batched(std::size_t in_flight) {
    return ns_in_a_runtime(two_shards().build(), [in_flight](std::size_t count) {
        return round_trips_in_parallel(in_flight, count);
    });
}

// Handlers that only compute, on as many shards: nanoseconds a handler, over all shards together.
double cpu_bound(std::size_t shards) {
    constexpr std::size_t kHandlers = 4000;
    double ns = 0;
    auto runtime = Runtime::builder().shards(static_cast<unsigned>(shards)).pin().build();
    runtime.run([&]() -> Task<> {
        for (int round = 0; round < 3; ++round) {
            const auto begin = MicroClock::now();
            co_await invoke_on_all([]() -> Task<> {
                for (std::size_t i = 0; i < kHandlers; ++i) {
                    std::uint64_t x = i;
                    for (int step = 0; step < 10'000; ++step) {
                        x = x * 6364136223846793005U + 1442695040888963407U;
                        asm volatile("" : "+r"(x));
                    }
                    co_await yield();
                }
            });
            ns = ns_since(begin) / static_cast<double>(kHandlers * shards);
        }
    });
    return ns;
}

namespace {

/// A whole runtime's mailboxes on one thread, so that it can be as large as one likes.
struct Mesh {
    struct Node {
        Node(Smp& smp, unsigned id) : mailbox(smp, id, executor) {}
        Executor executor;
        Mailbox mailbox;
    };

    explicit Mesh(unsigned shards) : smp(shards) {
        for (unsigned i = 0; i < shards; ++i) nodes.push_back(std::make_unique<Node>(smp, i));
    }
    Smp smp;
    std::vector<std::unique_ptr<Node>> nodes;
};

}  // namespace

// Nanoseconds that a shard spends on looking at all its lanes, when nothing came.
double idle_lane_poll(std::size_t shards) {
    Mesh mesh(static_cast<unsigned>(shards));
    Executor::Enter scope(mesh.nodes[0]->executor);
    return ns_each([&](std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) mesh.nodes[0]->mailbox.poll();
    });
}

// Bytes of all the lanes of a runtime.
double lane_memory(std::size_t shards) {
    const double before = resident_bytes();
    const Smp smp(static_cast<unsigned>(shards));
    return resident_bytes() - before;
}

}  // namespace starling_micro
