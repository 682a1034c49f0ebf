// What an operation costs, and what a stop costs. Argument "driver": 0 io_uring, 1 epoll.
#include <benchmark/benchmark.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <deque>
#include <memory>
#include <starling/driver.hh>
#include <starling/executor.hh>
#include <starling/io_op.hh>
#include <starling/io_stream.hh>
#include <starling/slot_table.hh>
#include <system_error>
#include <utility>

namespace starling {
namespace {

/// An executor on the driver that the benchmark's last argument names; null driver: not available.
struct Shard {
    explicit Shard(benchmark::State& state, std::int64_t driver_argument) {
        try {
            driver = make_driver(
                {.kind = driver_argument == 0 ? DriverKind::io_uring : DriverKind::epoll});
        } catch (const std::system_error& error) {
            state.SkipWithError(error.what());
            return;
        }
        state.SetLabel(driver->name());
        executor = std::make_unique<Executor>(ExecutorOptions{.parker = driver.get()});
        executor->add_source(*driver);
    }
    ~Shard() {
        executor.reset();  // Its tasks end first: they use the driver.
    }

    std::unique_ptr<Driver> driver;
    std::unique_ptr<Executor> executor;
};

std::pair<OwnedFd, OwnedFd> stream_pair() {
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0) std::perror("socketpair");
    return {OwnedFd(ends[0]), OwnedFd(ends[1])};
}

void count_syscalls(benchmark::State& state, const Driver& driver, double per) {
    state.counters["syscalls/op"] = static_cast<double>(driver.stats().syscalls()) /
                                    (static_cast<double>(state.iterations()) * per);
}

struct Nothing : Continuation {
    void resume() noexcept override {}
};

void BM_SlotTable_InsertFindErase(benchmark::State& state) {
    SlotTable<int> table;
    int object = 0;
    for (auto _ : state) {
        const auto key = table.insert(object);
        benchmark::DoNotOptimize(table.find(key));
        table.erase(key);
    }
}
BENCHMARK(BM_SlotTable_InsertFindErase);

void BM_BufferPool_TakeRelease(benchmark::State& state) {
    BufferPool pool(64, 4096);
    for (auto _ : state) benchmark::DoNotOptimize(PooledBuffer(pool, pool.take_index(), 64).bytes().data());
}
BENCHMARK(BM_BufferPool_TakeRelease);

void BM_WakeFd_UnparkDrain(benchmark::State& state) {
    WakeFd wake;
    for (auto _ : state) {
        wake.unpark();
        wake.drain();
    }
}
BENCHMARK(BM_WakeFd_UnparkDrain);

/// A batch of receives that can all finish: the cost of one, and its share of the system calls.
void BM_Driver_RecvBatch(benchmark::State& state) {
    Shard shard(state, state.range(1));
    if (shard.driver == nullptr) return;
    const auto batch = static_cast<std::size_t>(state.range(0));
    std::deque<IoFd> ours;
    std::deque<OwnedFd> theirs;
    for (std::size_t i = 0; i < batch; ++i) {
        auto [a, b] = stream_pair();
        ours.emplace_back(*shard.driver, std::move(a));
        theirs.push_back(std::move(b));
    }
    auto receive = [](IoFd& fd) -> Task<> {
        std::array<std::byte, 64> buffer{};
        co_await RecvOp(fd, buffer);
    };
    for (auto _ : state) {
        state.PauseTiming();
        for (const OwnedFd& fd : theirs) ::send(fd.get(), "x", 1, MSG_NOSIGNAL);
        state.ResumeTiming();
        shard.executor->block_on([&]() -> Task<> {
            for (IoFd& fd : ours) spawn(receive(fd)).detach();
            while (this_executor("bench").live_tasks() > 1) co_await yield();
        });
    }
    state.SetItemsProcessed(state.iterations() * state.range(0));
    count_syscalls(state, *shard.driver, static_cast<double>(batch));
}
BENCHMARK(BM_Driver_RecvBatch)->ArgNames({"batch", "driver"})->ArgsProduct({{1, 32, 256}, {0, 1}});

/// A message there and back, by one-shot operations.
void BM_Driver_PingPong(benchmark::State& state) {
    Shard shard(state, state.range(1));
    if (shard.driver == nullptr) return;
    auto [a, b] = stream_pair();
    IoFd ours(*shard.driver, std::move(a));
    IoFd theirs(*shard.driver, std::move(b));
    std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)));
    auto echo = shard.executor->spawn([&]() -> Task<> {
        std::vector<std::byte> buffer(message.size());
        for (;;) {
            std::size_t n = co_await RecvOp(theirs, buffer);
            if (n == 0) break;
            co_await SendOp(theirs, std::span(buffer).first(n));
        }
    });
    shard.executor->block_on([&]() -> Task<> {
        for (auto _ : state) {
            co_await SendOp(ours, message);
            std::size_t got = 0;
            while (got < message.size()) got += co_await RecvOp(ours, message);
        }
        ours.shutdown(SHUT_WR);
        co_await echo;
    });
    count_syscalls(state, *shard.driver, 1);
}
BENCHMARK(BM_Driver_PingPong)->ArgNames({"bytes", "driver"})->ArgsProduct({{64, 4096}, {0, 1}});

/// The same through receive streams.
void BM_Driver_PingPongStream(benchmark::State& state) {
    Shard shard(state, state.range(1));
    if (shard.driver == nullptr) return;
    auto [a, b] = stream_pair();
    IoFd ours(*shard.driver, std::move(a));
    IoFd theirs(*shard.driver, std::move(b));
    RecvStream in(ours);
    std::vector<std::byte> message(static_cast<std::size_t>(state.range(0)));
    auto echo = shard.executor->spawn([&]() -> Task<> {
        RecvStream stream(theirs);
        while (!stream.at_end()) {
            co_await stream.wait();
            while (!stream.empty()) {
                PooledBuffer buffer = stream.take();
                while (!buffer.empty()) buffer.consume(co_await SendOp(theirs, buffer.bytes()));
            }
        }
    });
    shard.executor->block_on([&]() -> Task<> {
        for (auto _ : state) {
            co_await SendOp(ours, message);
            std::size_t got = 0;
            while (got < message.size()) {
                co_await in.wait();
                while (!in.empty()) got += in.take().size();
            }
        }
        ours.shutdown(SHUT_WR);
        co_await echo;
    });
    count_syscalls(state, *shard.driver, 1);
}
BENCHMARK(BM_Driver_PingPongStream)
    ->ArgNames({"bytes", "driver"})
    ->ArgsProduct({{64, 4096}, {0, 1}});

/// A read deadline that fires: on a stream the waiter withdraws, which is local.
void BM_Stop_StreamWaiter(benchmark::State& state) {
    Shard shard(state, state.range(0));
    if (shard.driver == nullptr) return;
    auto [a, b] = stream_pair();
    IoFd ours(*shard.driver, std::move(a));
    RecvStream stream(ours);
    Nothing waiter;
    for (auto _ : state) {
        Context context;
        waiter.set_context(&context);
        StreamWait wait = stream.wait();
        wait.start(waiter);
        context.request_stop();
        benchmark::DoNotOptimize(wait.stopped());
    }
}
BENCHMARK(BM_Stop_StreamWaiter)->ArgName("driver")->Arg(0)->Arg(1);

/// …and on a one-shot receive it takes a cancel, and its completion.
void BM_Stop_OneShot(benchmark::State& state) {
    Shard shard(state, state.range(0));
    if (shard.driver == nullptr) return;
    auto [a, b] = stream_pair();
    IoFd ours(*shard.driver, std::move(a));
    std::array<std::byte, 64> buffer{};
    Nothing waiter;
    for (auto _ : state) {
        Context context;
        waiter.set_context(&context);
        RecvOp op(ours, buffer);
        op.start(waiter);
        shard.driver->poll();
        context.request_stop();
        while (shard.driver->in_flight() > 0) shard.driver->poll();
    }
    count_syscalls(state, *shard.driver, 1);
}
BENCHMARK(BM_Stop_OneShot)->ArgName("driver")->Arg(0)->Arg(1);

}  // namespace
}  // namespace starling
