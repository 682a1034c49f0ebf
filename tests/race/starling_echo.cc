// TCP echo on Starling, as a user would write it: a task per connection, straight-line code. One
// shard.
//   starling_echo --port 7000 --driver io_uring|epoll|auto
#include <cstdio>
#include <cstdlib>
#include <starling/runtime.hh>
#include <starling/tcp_listener.hh>
#include <string_view>
#include <system_error>

namespace {

using namespace starling;

Task<> echo(TcpStream stream) {
    try {
        while (co_await stream.readable()) {
            // Sent from where it was received.
            const std::string_view bytes = stream.buffered();
            const std::size_t sent = co_await stream.write_some(std::as_bytes(std::span(bytes)));
            stream.consume(sent);
        }
    } catch (const std::system_error&) {
        // The peer is gone.
    }
}

Task<> serve(std::uint16_t port) {
    TcpListener listener = TcpListener::bind(SocketAddress::loopback(port));
    std::printf("port %u\n", listener.local_address().port());
    std::fflush(stdout);
    for (;;) spawn(echo(co_await listener.accept()), {.name = "echo"}).detach();
}

}  // namespace

int main(int argc, char** argv) {
    std::uint16_t port = 0;
    DriverKind driver = DriverKind::automatic;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        const std::string_view value = argv[i + 1];
        if (name == "--port") port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
        if (name == "--driver" && value == "io_uring") driver = DriverKind::io_uring;
        if (name == "--driver" && value == "epoll") driver = DriverKind::epoll;
    }
    Runtime::builder().shards(1).driver(driver).stop_on_signals().build().run(serve(port));
}
