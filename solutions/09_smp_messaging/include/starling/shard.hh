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

#include <optional>
#include <starling/driver.hh>
#include <starling/mailbox.hh>
#include <starling/timer_service.hh>
#include <string>

namespace starling {

/// What a runtime is made of. See Runtime::Builder for what each means.
struct RuntimeOptions {
    unsigned shards = 0;  ///< See Runtime::Builder, here and below.
    std::string thread_name = "starling";
    DriverKind driver = DriverKind::automatic;
    std::uint32_t io_entries = DriverOptions{}.entries;
    std::size_t queue_size = Smp::kDefaultCredits;
    bool pin = false;
    bool parking = true;
    Duration park_timeout = Duration::max();
    std::optional<Duration> spin;
    bool stop_on_signals = false;
    Duration shutdown_timeout = std::chrono::seconds(30);
};

/// \affinity owner shard
class Shard final : private EventSource {
  public:
    /// \param options with the defaults filled in; outlives this
    /// \throws std::system_error if the driver cannot be made
    Shard(Smp& smp, unsigned id, const RuntimeOptions& options);
    /// Ends what tasks are left: after serve() there are none.
    ~Shard() override { executor_.end_tasks(); }

    /// Its loop, with all services.
    Executor& executor() noexcept { return executor_; }

    /// Runs until the shutdown begins, ends every task, and serves the others until all are done.
    void serve();
    /// From now on the shutdown timeout runs: who is still alive when it ends is reported.
    void expect_end() noexcept { report_at_ = executor_.now() + options_.shutdown_timeout; }

  private:
    void poll() noexcept override;
    bool active() const noexcept override { return !over_; }
    TimePoint deadline() const noexcept override;
    bool before_sleep() noexcept override;
    void report_who_is_alive() const;

    Smp& smp_;                       // Borrows: it outlives every shard.
    const RuntimeOptions& options_;  // Borrows: the runtime's.
    TimePoint report_at_ = TimePoint::max();
    bool over_ = false;  // Nothing can happen any more, on any shard.
    const std::unique_ptr<Driver> driver_;
    Executor executor_;
    Mailbox mailbox_;
    TimerService timers_;
};

}  // namespace starling
