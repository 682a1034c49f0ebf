// Shard: one thread's share of the runtime, put together: an executor, its driver, timers, mailbox.
//
//     ┌────────────────────── Shard ──────────────────────┐
//     │  Executor ── sources: inbox, mailbox, timers, I/O │      the only file that knows every
//     layer │      └────── parker:  the Driver                  │
//     └───────────────────────────────────────────────────┘
//
//     serve():  serving ─close()─► ending: tasks are asked to stop ─► idle ─everybody is─► over
//                                        ▲                             │
//                                        └──────── a message ──────────┘
//
// Affinity: owner shard: made, used and destroyed on one thread.
#pragma once

#include <functional>
#include <optional>
#include <starling/driver.hh>
#include <starling/mailbox.hh>
#include <starling/timer_service.hh>
#include <string>

namespace starling {

/// What a runtime is made of. See Runtime::Builder for what each means.
struct RuntimeOptions {
    unsigned shards = 0;
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
    std::function<void(const std::string&)> on_slow_shutdown;
};

/// \affinity owner shard
class Shard {
  public:
    /// \param options with the defaults filled in; outlives this
    /// \throws std::system_error if the driver cannot be made
    Shard(Smp& smp, unsigned id, const RuntimeOptions& options);
    ~Shard();
    Shard(const Shard&) = delete;
    Shard& operator=(const Shard&) = delete;

    Executor& executor() noexcept { return executor_; }
    Driver& driver() noexcept { return *driver_; }

    /// Runs until the shutdown begins, ends every task, and serves the others until all are done.
    void serve();
    /// From now on the shutdown timeout runs: who is still alive when it ends is reported.
    void expect_end() noexcept;

  private:
    /// Watches over the shard's end, and how long it sleeps.
    class Steward final : public EventSource {
      public:
        explicit Steward(Shard& shard) : shard_(shard) { shard_.executor_.add_source(*this); }
        ~Steward() override { shard_.executor_.remove_source(*this); }
        void poll() noexcept override;
        /// While tasks are being ended: unless nothing can happen on any shard. Then they are stuck.
        bool active() const noexcept override {
            return !shard_.ending_tasks_ || !shard_.smp_.quiescent();
        }
        TimePoint deadline() const noexcept override;
        bool before_sleep() noexcept override;

      private:
        Shard& shard_;  // Borrows: it contains this.
    };
    void report_who_is_alive();

    Smp& smp_;  // Borrows: it outlives every shard.
    const unsigned id_;
    const RuntimeOptions& options_;  // Borrows: the runtime's.
    TimePoint report_at_ = TimePoint::max();
    bool ending_tasks_ = false;
    std::unique_ptr<Driver> driver_;
    Executor executor_;
    Steward steward_;
    Mailbox mailbox_;
    TimerService timers_;
};

}  // namespace starling
