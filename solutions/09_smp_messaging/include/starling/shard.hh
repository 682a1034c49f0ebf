// Shard: one thread's share of the runtime, put together: an executor, its driver, timers, mailbox.
// The only file that knows every layer.
//
//     ┌──────────────────────── Shard ───────────────────────┐
//     │  Executor ── sources: inbox, this, mailbox, timers,  │
//     │      └────── parker:  the Driver ──────────► driver  │
//     └──────────────────────────────────────────────────────┘
//
//     serve():  serving ─close()─► ending: tasks are asked to stop ─► idle ─everybody is─► over
//                                        ▲                             │
//                                        └──────── a message ──────────┘
//
// As a source of its executor it watches over the end, and how long the shard sleeps.
//
// Affinity: owner shard: made, used and destroyed on one thread.
#pragma once

#include <cstdio>
#include <optional>
#include <starling/driver.hh>
#include <starling/mailbox.hh>
#include <starling/timer_service.hh>
#include <string>

namespace starling {

/// What a runtime is made of. Runtime::Builder says more about each.
struct RuntimeOptions {
    unsigned shards = 0;                        ///< 0: one for every CPU this process may use.
    std::string thread_name = "starling";       ///< "-1", "-2" … is added; 15 characters are kept.
    DriverKind driver = DriverKind::automatic;  ///< What does the I/O, on every shard.
    std::uint32_t io_entries = DriverOptions{}.entries;  ///< io_uring: submissions per system call.
    /// Requests under way from one shard to another; at least 1.
    std::size_t queue_size = Smp::kDefaultCredits;
    bool pin = false;     ///< Each shard on a CPU of its own, as long as there are enough.
    bool parking = true;  ///< False: never sleep, always poll.
    Duration park_timeout = Duration::max();  ///< The longest sleep.
    std::optional<Duration> spin;  ///< Time to poll before a sleep; none: the runtime chooses.
    bool stop_on_signals = false;  ///< SIGINT and SIGTERM stop it. For one runtime of a process.
    /// How long a stop may take before what is still alive is reported. The wait goes on.
    Duration shutdown_timeout = std::chrono::seconds(30);
};

/// One thread's share of the runtime. \affinity owner shard
class Shard final : private EventSource {
  public:
    /// \param options with the defaults filled in; outlives this
    /// \throws std::system_error if the driver cannot be made
    Shard(Smp& smp, unsigned id, const RuntimeOptions& options)
        : smp_(smp),
          options_(options),
          driver_(make_driver({.kind = options.driver, .entries = options.io_entries})),
          executor_({.parker = driver_.get(), .spin = options.spin.value_or(Duration::zero())}),
          // Sources are polled in the order in which they are added: this (hence the comma), a
          // comparison or two; the mailbox's lanes; a look at the wheel; and then the driver, which
          // may enter the kernel. So this is also asked first before a sleep.
          mailbox_(smp, id, (executor_.add_source(*this), executor_)),
          timers_(executor_) {
        provide_service(executor_.env(), driver_.get());
        executor_.add_source(*driver_);
    }
    /// Ends what tasks are left: after serve() there are none.
    ~Shard() override { executor_.end_tasks(); }

    /// Its loop, with all services.
    Executor& executor() noexcept { return executor_; }

    /// Runs until the shutdown begins, ends every task, and serves the others until all are done.
    void serve() {
        executor_.run_until([this] { return smp_.closing(); });
        expect_end();
        while (!over_) {
            executor_.end_tasks();
            // Still serving: a message may bring new work, and even new tasks.
            executor_.run_until([this] { return over_ || executor_.has_live_tasks(); });
        }
    }
    /// From now on the shutdown timeout runs: who is still alive when it ends is reported.
    void expect_end() noexcept { report_at_ = later(executor_.now(), options_.shutdown_timeout); }

  private:
    void poll() noexcept override {
        over_ = smp_.quiescent();
        if (executor_.now() < report_at_) [[likely]]
            return;
        report_at_ = TimePoint::max();
        report_who_is_alive();
    }
    bool active() const noexcept override { return !over_; }
    TimePoint deadline() const noexcept override {
        return std::min(report_at_, timers_.after(options_.park_timeout));
    }
    // Asked when nothing is queued: idle is who, on top of that, waits for nothing of its own.
    bool before_sleep() noexcept override {
        const bool waits = executor_.inbox()->wakers() > 0 || timers_.active() || driver_->active();
        if (smp_.closing() && !waits && mailbox_.report_idle()) return false;
        return options_.parking;
    }
    void report_who_is_alive() const {
        const bool tasks = executor_.has_live_tasks();
        if (!tasks && mailbox_.outstanding() == 0 && !driver_->active()) return;  // Not this one.
        std::fprintf(stderr,
                     "starling: shutdown: shard %u still has %zu requests that no shard has "
                     "answered, %zu I/O operations in flight, the tasks: %s\n",
                     mailbox_.shard(), mailbox_.outstanding(), driver_->in_flight(),
                     tasks ? executor_.live_task_names().c_str() : "none");
    }

    Smp& smp_;                       // Borrows: it outlives every shard.
    const RuntimeOptions& options_;  // Borrows: the runtime's.
    TimePoint report_at_ = TimePoint::max();
    bool over_ = false;  // As of the last poll: nothing can happen any more, on any shard.
    const std::unique_ptr<Driver> driver_;
    Executor executor_;
    Mailbox mailbox_;
    TimerService timers_;
};

}  // namespace starling
