// What a connection costs: round trips, throughput, accepts, and setting a deadline.
#include <benchmark/benchmark.h>

#include <array>
#include <starling/executor.hh>
#include <starling/tcp_listener.hh>
#include <starling/udp_socket.hh>
#include <string>
#include <vector>

namespace starling {
namespace {

class Shard {
  public:
    explicit Shard(DriverKind kind) : driver_(make_driver({.kind = kind})), executor_({.parker = driver_.get()}) {
        executor_.add_source(*driver_);
        provide_service(executor_.env(), driver_.get());
    }
    ~Shard() { executor_.remove_source(*driver_); }
    template <class F>
    void run(F&& f) {
        TimerService timers(executor_);
        executor_.block_on(f);
    }
    Driver& driver() { return *driver_; }

  private:
    std::unique_ptr<Driver> driver_;
    Executor executor_;
};

DriverKind kind_of(const benchmark::State& state) {
    return state.range(0) == 0 ? DriverKind::io_uring : DriverKind::epoll;
}

Task<> echo(TcpStream stream) {
    for (;;) {
        const bool more = co_await stream.readable();
        if (!more) break;
        while (!stream.buffered().empty()) {
            PooledBuffer piece = co_await stream.read_buffer();
            co_await stream.write_all(std::span<const std::byte>(piece.bytes()));
        }
    }
}

// range(0): 0 io_uring, 1 epoll; range(1): bytes; range(2): connections, all in one thread.
void BM_Tcp_Echo(benchmark::State& state) {
    Shard shard(kind_of(state));
    const auto size = static_cast<std::size_t>(state.range(1));
    const auto connections = static_cast<std::size_t>(state.range(2));
    std::uint64_t syscalls = 0;
    shard.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        std::vector<TcpStream> clients;
        for (std::size_t i = 0; i < connections; ++i) {
            clients.push_back(co_await TcpStream::connect(listener.local_address()));
            spawn(echo(co_await listener.accept())).detach();
        }
        const std::string text(size, 'x');
        syscalls = shard.driver().stats().syscalls();
        while (state.KeepRunningBatch(static_cast<benchmark::IterationCount>(connections))) {
            for (TcpStream& client : clients) co_await client.write_all(text);
            for (TcpStream& client : clients) {
                for (std::size_t got = 0; got < size;) {
                    co_await client.readable();
                    const std::size_t n = client.buffered().size();
                    client.consume(n);
                    got += n;
                }
            }
        }
        syscalls = shard.driver().stats().syscalls() - syscalls;
    });
    state.SetBytesProcessed(state.iterations() * state.range(1));
    state.counters["syscalls"] = benchmark::Counter(static_cast<double>(syscalls),
                                                    benchmark::Counter::kAvgIterations);
}
BENCHMARK(BM_Tcp_Echo)
    ->ArgNames({"epoll", "bytes", "connections"})
    ->ArgsProduct({{0, 1}, {64, 4096}, {1, 64}});

void BM_Tcp_ConnectAcceptClose(benchmark::State& state) {
    Shard shard(kind_of(state));
    shard.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        for (auto _ : state) {
            TcpStream client = co_await TcpStream::connect(listener.local_address());
            TcpStream server = co_await listener.accept();
            co_await client.close();
            co_await server.close();
        }
    });
}
BENCHMARK(BM_Tcp_ConnectAcceptClose)->ArgName("epoll")->Arg(0)->Arg(1);

void BM_Tcp_MoveDeadline(benchmark::State& state) {
    Shard shard(DriverKind::automatic);
    shard.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        TcpStream stream = co_await TcpStream::connect(listener.local_address());
        TimePoint deadline = Clock::steady().now() + std::chrono::hours(1);
        for (auto _ : state) stream.set_read_deadline(deadline += std::chrono::nanoseconds(1));
    });
}
BENCHMARK(BM_Tcp_MoveDeadline);

void BM_Udp_SendReceive(benchmark::State& state) {
    Shard shard(kind_of(state));
    shard.run([&]() -> Task<> {
        UdpSocket a = UdpSocket::bind(SocketAddress::loopback());
        UdpSocket b = UdpSocket::bind(SocketAddress::loopback());
        const SocketAddress to = b.local_address();
        std::array<std::byte, 64> bytes{};
        for (auto _ : state) {
            co_await a.send_to(bytes, to);
            co_await b.recv_from(bytes);
        }
    });
}
BENCHMARK(BM_Udp_SendReceive)->ArgName("epoll")->Arg(0)->Arg(1);

}  // namespace
}  // namespace starling
