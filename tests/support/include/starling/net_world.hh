// NetWorld: one shard with a real driver and real loopback sockets, on a clock that a test drives.
//
//     NetWorld world(GetParam());
//     if (world.missing()) return;
//     world.run([&]() -> Task<> { … });      turns until the task has ended
//
// When nothing happens any more, not even after a little patience with the kernel, everybody waits for
// the time: then the clock jumps to the next deadline. So an hour's timeout takes a millisecond.
//
// Affinity: one thread.
#pragma once

#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <starling/executor.hh>
#include <starling/kernel.hh>
#include <starling/socket_address.hh>
#include <starling/test_drivers.hh>
#include <starling/timer_service.hh>
#include <starling/virtual_clock.hh>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace starling::testing_support {

class NetWorld {
  public:
    explicit NetWorld(const TestDriver& which, DriverOptions options = {})
        : driver_(make_test_driver(which, options)) {
        if (driver_ == nullptr) return;
        executor_ = std::make_unique<Executor>(
            ExecutorOptions{.parker = driver_.get(), .clock = &clock_});
        executor_->add_source(*driver_);
        provide_service(executor_->env(), driver_.get());
        timers_ = std::make_unique<TimerService>(*executor_);
        start_ = clock_.now();
    }
    ~NetWorld() {
        if (missing()) return;
        // What was closed without waiting has its last completion now.
        executor_->stop_all();
        turn_until([&] { return executor_->live_tasks() == 0 && driver_->in_flight() == 0; });
        timers_.reset();
        executor_.reset();
    }
    NetWorld(const NetWorld&) = delete;

    bool missing() const noexcept { return driver_ == nullptr; }
    Driver& driver() noexcept { return *driver_; }
    Executor& executor() noexcept { return *executor_; }
    VirtualClock& clock() noexcept { return clock_; }
    /// Virtual time since the beginning, in whole milliseconds.
    long elapsed_ms() const {
        return std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - start_).count();
    }

    /// Turns without moving the clock. \return whether `done()` came about
    bool turn_until(const std::function<bool()>& done, int turns_max = 200'000) {
        for (int i = 0; i < turns_max; ++i) {
            if (done()) return true;
            executor_->run_once();
        }
        return done();
    }
    /// Lets everything happen that needs no time to pass.
    void settle() {
        for (int idle = 0; idle < kIdleTurns;) idle = executor_->run_once() ? 0 : idle + 1;
    }

    /// For a task: what the kernel has done arrives now, in the middle of this turn, not at its end.
    /// \return whether there was something
    bool poll_now() {
        const auto before = driver_->stats().completions;
        for (int i = 0; i < 1000 && driver_->stats().completions == before; ++i) driver_->poll();
        return driver_->stats().completions != before;
    }

    /// How long, in real time, the kernel may take for something before the clock jumps. More where it
    /// is given more than fits its buffers.
    void set_patience(Duration patience) noexcept { patience_ = patience; }

    /// Runs a task to its end; the clock jumps when there is nothing else to do. What it throws fails
    /// the case.
    template <class F>
    void run(F&& body) {
        auto handle = executor_->spawn(std::forward<F>(body), {.name = "the test's task"});
        while (!handle.done()) {
            settle();
            if (handle.done()) break;
            const TimePoint next = timers_->deadline();
            if (something_comes(next == TimePoint::max() ? kLastPatience : patience_)) continue;
            if (next == TimePoint::max()) {
                ADD_FAILURE() << "nothing can happen any more; still waiting: "
                              << executor_->live_task_names();
                std::fflush(stdout);
                std::abort();  // What it waits for will not come: there is no way to end it properly.
            }
            clock_.advance_to(next);
        }
        Executor::Enter scope(*executor_);
        handle.finish();
    }

  private:
    static constexpr int kIdleTurns = 20;
    static constexpr Duration kLastPatience = std::chrono::seconds(2);

    bool something_comes(Duration patience) {
        const auto before = driver_->stats().completions;
        driver_->park(Clock::steady().now() + patience);
        executor_->run_once();
        return driver_->stats().completions != before;
    }

    Duration patience_ = std::chrono::milliseconds(1);

    VirtualClock clock_;
    TimePoint start_;
    std::unique_ptr<Driver> driver_;
    std::unique_ptr<Executor> executor_;
    std::unique_ptr<TimerService> timers_;
};

/// A blocking TCP socket, for the other side of a test. \pre the kernel answers at once: loopback
class PlainSocket {
  public:
    explicit PlainSocket(OwnedFd fd) : fd_(std::move(fd)) {}
    static PlainSocket connect(const SocketAddress& to) {
        PlainSocket s(OwnedFd(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0)));
        if (!s.fd_.valid() || ::connect(s.fd_.get(), to.data(), to.size()) != 0) {
            throw std::system_error(errno, std::generic_category(), "connect");
        }
        const int on = 1;  // Small pieces leave at once: they do not wait for the other side's ACK.
        if (!to.is_unix()) ::setsockopt(s.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        return s;
    }

    int get() const noexcept { return fd_.get(); }
    /// \return how many bytes were taken: all of a short text
    std::size_t send(std::string_view text) {
        const ssize_t n =
            ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        return n < 0 ? 0 : static_cast<std::size_t>(n);
    }
    /// What is there, without waiting.
    std::string received() {
        std::string text;
        char buffer[65536];
        for (;;) {
            const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
            if (n <= 0) {
                ended_ = n == 0;
                reset_ = n < 0 && errno == ECONNRESET;
                return text;
            }
            text.append(buffer, static_cast<std::size_t>(n));
        }
    }
    /// What is there and what the kernel still has under way, until `size` bytes or the end; at most
    /// 5 seconds, real ones.
    std::string receive(std::size_t size) {
        std::string text = received();
        pollfd one{.fd = fd_.get(), .events = POLLIN, .revents = 0};
        while (text.size() < size && !ended_ && !reset_ && ::poll(&one, 1, 5000) > 0) {
            text += received();
        }
        return text;
    }
    /// After `received`: the other side has ended its stream, or has cut the connection.
    bool ended() const noexcept { return ended_; }
    bool reset() const noexcept { return reset_; }
    void shutdown_write() { ::shutdown(fd_.get(), SHUT_WR); }
    void close() { fd_ = OwnedFd(); }
    OwnedFd release() { return std::move(fd_); }

  private:
    OwnedFd fd_;
    bool ended_ = false;
    bool reset_ = false;
};

/// Two connected TCP sockets: the first for the code under test, the second for the test.
inline std::pair<OwnedFd, PlainSocket> tcp_pair() {
    OwnedFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const SocketAddress any = SocketAddress::loopback();
    if (::bind(listener.get(), any.data(), any.size()) != 0 || ::listen(listener.get(), 8) != 0) {
        throw std::system_error(errno, std::generic_category(), "listen");
    }
    PlainSocket client = PlainSocket::connect(SocketAddress::local_of(listener.get()));
    OwnedFd server(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return {std::move(server), std::move(client)};
}

/// Waits for all of them; when one fails, the others are stopped, and then it fails the same way. So
/// nothing that they refer to goes while one of them runs.
inline Task<> join(std::vector<JoinHandle<void>> tasks) {
    std::exception_ptr error;
    for (auto& task : tasks) {
        try {
            co_await task;
        } catch (const std::exception&) {
            if (error == nullptr) error = std::current_exception();
            for (auto& other : tasks) other.abort();
        }
    }
    if (error != nullptr) std::rethrow_exception(error);
}

/// Open descriptors of this process.
inline int open_fds() {
    DIR* dir = ::opendir("/proc/self/fd");
    int count = -3;  // ".", "..", and the directory itself.
    while (::readdir(dir) != nullptr) ++count;
    ::closedir(dir);
    return count;
}

inline std::span<std::byte> writable(std::string& text) {
    return std::as_writable_bytes(std::span(text));
}

}  // namespace starling::testing_support
