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
// Affinity: `run` one thread at a time; `stop` and StopHandle any thread. Linux.
#pragma once

#include <functional>
#include <starling/shard.hh>

namespace starling {

/// Asks a runtime to stop, also when the runtime is long gone. Copyable. \affinity any thread, and
/// signal handlers
class StopHandle {
  public:
    /// Asks main to stop, once per run. Before `run` it counts for the next run.
    void stop() const noexcept;

  private:
    friend class Runtime;
    struct Control;
    StopHandle();
    std::shared_ptr<Control> control_;  // What `stop` touches.
};

/// N shards, one thread each. \affinity as marked in the banner
class Runtime {
  public:
    class Builder;
    /// The way to make one.
    static Builder builder();

    /// Fills in what was left to it.
    explicit Runtime(RuntimeOptions options = {});
    /// \pre not running
    Runtime(Runtime&&) noexcept = default;

    /// Starts the shards, runs `main` (a task, or a callable that returns one) on shard 0, which is
    /// this thread, and shuts down. A runtime may be run again.
    /// \return what main returned. A Task<void> that ended because of a stop returns normally
    /// \throws what main threw; TaskAborted if a main with a result was stopped before it had one;
    ///         std::system_error if a shard cannot be started
    template <class A>
    decltype(auto) run(A&& main) {
        decltype(std::declval<Executor&>().spawn(std::forward<A>(main))) handle;
        auto start = [&](Executor& shard_0) -> Context& {
            handle = shard_0.spawn(std::forward<A>(main), {.name = "main"});
            return handle.context();
        };
        run_shards(start, [&] { return handle.done(); });
        [[maybe_unused]] const bool stopped = handle.context().stop_requested();
        try {
            return handle.finish();
        } catch (const TaskAborted&) {
            if constexpr (std::is_void_v<decltype(handle.finish())>) {
                if (stopped) return;
            }
            throw;
        }
    }

    /// Asks main to stop, as its StopHandle. \affinity any thread, and signal handlers
    void stop() noexcept { stop_.stop(); }
    /// To stop it from elsewhere.
    StopHandle stop_handle() const noexcept { return stop_; }
    /// How many shards `run` starts.
    unsigned shards() const noexcept { return options_.shards; }

  private:
    void run_shards(const std::function<Context&(Executor&)>& start_main,
                    const std::function<bool()>& main_is_done);

    RuntimeOptions options_;
    StopHandle stop_;
};

/// Says what a runtime is made of. Each returns the builder.
class Runtime::Builder {
  public:
    /// How many; 0, the default: one for every CPU this process may use.
    Builder& shards(unsigned count) { return set(options_.shards, count); }
    /// Of the threads that `run` starts; "-1", "-2" … is added. At most 15 characters in all are
    /// kept.
    Builder& thread_name(std::string name) { return set(options_.thread_name, std::move(name)); }
    /// What does the I/O. The best that works here, by default.
    Builder& driver(DriverKind kind) { return set(options_.driver, kind); }
    /// io_uring: submissions per system call.
    Builder& io_entries(std::uint32_t n) { return set(options_.io_entries, n); }
    /// Requests that may be under way from one shard to another, before senders wait.
    Builder& queue_size(std::size_t n) { return set(options_.queue_size, n); }
    /// Keep each shard on a CPU of its own. Off by default.
    Builder& pin(bool on = true) { return set(options_.pin, on); }
    /// Off: never sleep; lowest latency, one whole CPU per shard. On by default.
    Builder& parking(bool on) { return set(options_.parking, on); }
    /// Sleep no longer than this at a time. By default as long as nothing happens.
    Builder& park_timeout(AnyDuration longest) { return set(options_.park_timeout, longest); }
    /// Poll for this long before sleeping, and before this shard may end. By default 20 µs if there
    /// are several shards on as many CPUs: less than a sleeping thread takes to wake. For ever is
    /// parking(false).
    Builder& spin(AnyDuration time) { return set(options_.spin, time); }
    /// During `run`, SIGINT and SIGTERM stop the runtime; a second one of a kind has its default
    /// effect. One runtime of a process at a time.
    Builder& stop_on_signals(bool on = true) { return set(options_.stop_on_signals, on); }
    /// How long a stop may take before the names of what is still alive are written to stderr, by
    /// each shard for itself. The wait goes on: memory that the kernel or another shard may still
    /// use cannot be freed.
    Builder& shutdown_timeout(AnyDuration time) { return set(options_.shutdown_timeout, time); }

    /// What was described. May be called again.
    Runtime build() { return Runtime(options_); }

  private:
    Builder& set(auto& option, auto&& value) {
        option = std::forward<decltype(value)>(value);
        return *this;
    }
    RuntimeOptions options_;
};

inline Runtime::Builder Runtime::builder() { return {}; }

}  // namespace starling
