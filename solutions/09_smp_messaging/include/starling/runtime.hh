// Runtime: N shards, one thread each, from the first to the last moment.
//
//     Runtime runtime = Runtime::builder().shards(2).driver(DriverKind::epoll).build();
//     int result = runtime.run([]() -> Task<int> { … });
//
//     run():  start every shard ─► main runs on shard 0 ─► main has ended ─► shutdown ─► result
//                                      ▲
//                   stop(), a signal ──┘ asks main to stop
//
// Shard 0 is the thread that calls `run`; the others get threads of their own for as long as it
// lasts. A server therefore puts "stop accepting, finish what was begun" at the end of its main.
// When main has ended, all other tasks are asked to stop; the shards serve each other until nobody
// has anything left to do, and no message is under way; then the threads are joined and everything
// is freed.
//
// Affinity: `run` one thread at a time; `stop` and StopHandle any thread.
#pragma once

#include <memory>
#include <starling/shard.hh>
#include <utility>

namespace starling {
namespace detail {

/// What `stop` touches; lives as long as anybody may call it. \affinity any thread
class StopControl;

}  // namespace detail

/// Asks a runtime to stop, also when the runtime is long gone. Copyable. \affinity any thread
class StopHandle {
  public:
    /// Asks main to stop, once per run. Before `run` it counts for the next run.
    void stop() const;

  private:
    friend class Runtime;
    explicit StopHandle(std::shared_ptr<detail::StopControl> control) noexcept
        : control_(std::move(control)) {}
    std::shared_ptr<detail::StopControl> control_;
};

/// \affinity as marked in the banner
class Runtime {
  public:
    class Builder;
    static Builder builder();

    explicit Runtime(RuntimeOptions options = {});
    Runtime(Runtime&&) noexcept = default;
    Runtime& operator=(Runtime&&) noexcept = default;

    /// Starts the shards, runs `main` (a task, or a callable that returns one) on shard 0, which is
    /// this thread, and shuts down. A runtime may be run again. \return what main returned. A
    /// Task<void> that ended because of a stop returns normally \throws what main threw;
    /// TaskAborted if a main with a result was stopped before it had one;
    ///         std::system_error if a shard cannot be started
    template <class A>
    auto run(A&& main);
    /// The same, under the name that other runtimes use.
    template <class A>
    auto block_on(A&& main) {
        return run(std::forward<A>(main));
    }

    /// Asks main to stop. Any thread, but not a signal handler: see Builder::stop_on_signals.
    void stop() { stop_handle().stop(); }
    StopHandle stop_handle() const noexcept { return StopHandle(control_); }

    /// How many shards `run` starts.
    unsigned shards() const noexcept { return options_.shards; }

  private:
    /// The shards of one run.
    class Session {
      public:
        explicit Session(Runtime& runtime);
        /// Shuts down, unless that is done, and frees everything.
        ~Session();
        Session(const Session&) = delete;
        Executor& executor() noexcept;
        /// \param on_stop called once, on shard 0, if a stop is asked for
        void run_until(const std::function<bool()>& done, std::function<void()> on_stop);
        void shut_down();
        bool stop_requested() const noexcept;

      private:
        struct State;
        const std::unique_ptr<State> state_;
    };

    RuntimeOptions options_;
    std::shared_ptr<detail::StopControl> control_;
};

/// Says what a runtime is made of. Each returns the builder.
class Runtime::Builder {
  public:
    /// How many; 0, the default: one for every CPU this process may use.
    Builder& shards(unsigned count) { return set(&RuntimeOptions::shards, count); }
    /// Of the threads that `run` starts; "-1", "-2" … is added. At most 15 characters in all are
    /// kept.
    Builder& thread_name(std::string name) {
        return set(&RuntimeOptions::thread_name, std::move(name));
    }
    Builder& driver(DriverKind kind) { return set(&RuntimeOptions::driver, kind); }
    /// io_uring: submissions per system call.
    Builder& io_entries(std::uint32_t n) { return set(&RuntimeOptions::io_entries, n); }
    /// Requests that may be under way from one shard to another, before senders wait.
    Builder& queue_size(std::size_t n) { return set(&RuntimeOptions::queue_size, n); }
    /// Keep each shard on a CPU of its own (Linux). Off by default.
    Builder& pin(bool on = true) { return set(&RuntimeOptions::pin, on); }
    /// Off: never sleep; lowest latency, one whole CPU per shard. On by default.
    Builder& parking(bool on) { return set(&RuntimeOptions::parking, on); }
    /// Sleep no longer than this at a time. By default as long as nothing happens.
    Builder& park_timeout(Duration longest) { return set(&RuntimeOptions::park_timeout, longest); }
    /// Poll for this long before sleeping. By default 20 µs if there are several shards on as many
    /// CPUs: less than a sleeping thread takes to wake.
    Builder& spin(Duration time) { return set(&RuntimeOptions::spin, std::optional(time)); }
    /// During `run`, SIGINT and SIGTERM stop the runtime; a second one of a kind has its default
    /// effect. The handler sets a flag and writes to shard 0's eventfd. One runtime of a process at
    /// a time.
    Builder& stop_on_signals(bool on = true) { return set(&RuntimeOptions::stop_on_signals, on); }
    /// How long a stop may take before the names of what is still alive are reported, by each shard
    /// for itself. The wait goes on: memory that the kernel or another shard may still use cannot
    /// be freed.
    Builder& shutdown_timeout(Duration time) {
        return set(&RuntimeOptions::shutdown_timeout, time);
    }
    /// Who hears of it, on the shard concerned, one at a time. By default it is a line on stderr.
    Builder& on_slow_shutdown(std::function<void(const std::string&)> hear) {
        return set(&RuntimeOptions::on_slow_shutdown, std::move(hear));
    }

    Runtime build() { return Runtime(options_); }

  private:
    template <class M, class T>
    Builder& set(M RuntimeOptions::*member, T&& value) {
        options_.*member = std::forward<T>(value);
        return *this;
    }
    RuntimeOptions options_;
};

inline Runtime::Builder Runtime::builder() { return {}; }

template <class A>
auto Runtime::run(A&& main) {
    Session session(*this);
    auto handle = session.executor().spawn(std::forward<A>(main), {.name = "main"});
    session.run_until([&] { return handle.done(); }, [&] { handle.abort(); });
    session.shut_down();
    if constexpr (std::is_void_v<decltype(handle.finish())>) {
        try {
            handle.finish();
        } catch (const TaskAborted&) {
            if (!session.stop_requested()) throw;
        }
    } else {
        return handle.finish();
    }
}

}  // namespace starling
