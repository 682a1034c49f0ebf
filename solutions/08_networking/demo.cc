// A chat. Join it from another terminal with `nc 127.0.0.1 PORT`; if nobody does, two guests talk.
//
// One task per guest reads lines like straight-line code. Everybody's line goes into the channel of
// everybody else, where a second task per guest takes it out: a stream has one writer at a time.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <starling/channel.hh>
#include <starling/executor.hh>
#include <starling/sleep.hh>
#include <starling/tcp_listener.hh>
#include <string>
#include <vector>

namespace starling {
namespace {

// Two tasks have one: what reads from it, and what writes to it.
struct Guest {
    std::string name;
    TcpStream stream;
    Sender<std::string> lines;  // What it is to be told.
};

class Chat {
  public:
    explicit Chat(TcpListener listener) : listener_(std::move(listener)) {}

    SocketAddress address() const { return listener_.local_address(); }
    int guests_so_far() const noexcept { return guests_so_far_; }

    Task<> run() {
        for (;;) {
            TcpStream stream = co_await listener_.accept();
            ++guests_so_far_;
            spawn(talk(std::move(stream)), {.name = "guest"}).detach();
        }
    }

  private:
    static constexpr std::size_t kLinesMax = 100;

    // A guest's whole life. Whatever ends it, its place at the table is free afterwards.
    Task<> talk(TcpStream stream) {
        auto [sender, receiver] = channel<std::string>(kLinesMax);
        const auto guest = std::make_shared<Guest>(Guest{"", std::move(stream), std::move(sender)});
        spawn(tell(guest, std::move(receiver)), {.name = "guest's lines"}).detach();
        guests_.push_back(guest);
        try {
            (void)guest->lines.try_send("your name? ");
            guest->name = co_await read_line(guest->stream);
            tell_all(guest->name + " is here\n");
            for (;;) {
                const std::string line = co_await read_line(guest->stream);
                if (line.empty()) break;
                tell_all(guest->name + ": " + line + "\n");
            }
        } catch (const std::exception& error) {
            std::printf("  (%s: %s)\n", guest->name.c_str(), error.what());
        }
        std::erase(guests_, guest);
        guest->lines = Sender<std::string>();  // The last one: its other task ends with that.
        tell_all(guest->name + " has left\n");
    }

    // Writes to a guest, one line after the other, as fast as it reads.
    static Task<> tell(std::shared_ptr<Guest> guest, Receiver<std::string> lines) {
        try {
            for (;;) {
                const std::optional<std::string> line = co_await lines.recv();
                if (!line) break;
                co_await guest->stream.write_all(*line);
            }
        } catch (const std::exception&) {
            // It has gone: the task that reads will notice.
        }
    }

    // Up to the end of a line, or of the stream: then nothing.
    Task<std::string> read_line(TcpStream& stream) {
        std::string line;
        for (;;) {
            const bool more = co_await stream.readable();
            if (!more) co_return "";
            const std::string_view here = stream.buffered();
            const std::size_t end = here.find('\n');
            line += here.substr(0, end);
            stream.consume(end == std::string_view::npos ? here.size() : end + 1);
            if (end == std::string_view::npos) continue;
            if (line.ends_with('\r')) line.pop_back();
            co_return line;
        }
    }

    // Nobody waits here: a guest that does not read misses lines, and holds nobody up.
    void tell_all(const std::string& text) {
        std::printf("  %s", text.c_str());
        std::fflush(stdout);
        for (const auto& guest : guests_) {
            if (!guest->name.empty()) (void)guest->lines.try_send(text);
        }
    }

    TcpListener listener_;
    std::vector<std::shared_ptr<Guest>> guests_;
    int guests_so_far_ = 0;
};

Task<> guest(SocketAddress address, std::vector<std::string> lines) {
    TcpStream stream = co_await TcpStream::connect(address);
    for (const std::string& line : lines) {
        co_await stream.write_all(line);
        co_await sleep(std::chrono::milliseconds(300));
    }
    stream.shutdown_write();
    for (;;) {
        const PooledBuffer rest = co_await stream.read_buffer();
        if (!rest.valid()) break;
    }
}

Task<> evening(int seconds) {
    Chat chat(TcpListener::bind(SocketAddress::loopback()));
    auto server = spawn([&] { return chat.run(); }, {.name = "chat"});
    std::printf("The chat is open for %d seconds: nc 127.0.0.1 %u\n", seconds,
                chat.address().port());
    std::fflush(stdout);
    co_await sleep(std::chrono::seconds(1));
    if (chat.guests_so_far() == 0) {
        std::printf("Nobody has come, so Ada and Charles talk:\n");
        auto ada = spawn(guest(chat.address(), {"Ada\n", "does this thread wait for us?\n",
                                                "with how many threads?\n"}));
        co_await sleep(std::chrono::milliseconds(150));
        auto charles =
            spawn(guest(chat.address(),
                        {"Charles\n", "no, it sleeps until one of us says something\n", "one\n"}));
        co_await ada;
        co_await charles;
    } else {
        co_await sleep(std::chrono::seconds(seconds - 1));
    }
    server.abort();
    std::printf("The chat closes.\n");
}

}  // namespace
}  // namespace starling

int main(int argc, char** argv) {
    using namespace starling;
    const int seconds = argc > 1 ? std::max(2, std::atoi(argv[1])) : 5;
    try {
        const std::unique_ptr<Driver> driver = make_driver();
        Executor executor({.parker = driver.get()});
        executor.add_source(*driver);
        provide_service(executor.env(), driver.get());
        TimerService timers(executor);
        std::printf("Driver: %s\n", driver->name());
        executor.block_on(evening(seconds));
        const IoStats& io = driver->stats();
        std::printf("%llu system calls in all.\n", static_cast<unsigned long long>(io.syscalls()));
    } catch (const std::exception& error) {
        std::fprintf(stderr, "demo: %s\n", error.what());
        return 1;
    }
}
