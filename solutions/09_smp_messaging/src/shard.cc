#include <cstdio>
#include <starling/shard.hh>

namespace starling {

// Sources are polled in this order: a comparison or two, the lanes, a look at the wheel, and then
// the driver, which may enter the kernel.
Shard::Shard(Smp& smp, unsigned id, const RuntimeOptions& options)
    : smp_(smp),
      options_(options),
      driver_(make_driver({.kind = options.driver, .entries = options.io_entries})),
      executor_({.parker = driver_.get(), .spin = options.spin.value_or(Duration::zero())}),
      // This is a source as well, and before the mailbox, so that it is asked first before a sleep.
      mailbox_(smp, id, (executor_.add_source(*this), executor_)),
      timers_(executor_) {
    provide_service(executor_.env(), driver_.get());
    executor_.add_source(*driver_);
}

void Shard::serve() {
    executor_.run_until([this] { return smp_.closing(); });
    expect_end();
    while (!over_) {
        executor_.end_tasks();
        // Still serving: a message may bring new work, and even new tasks.
        executor_.run_until([this] { return over_ || executor_.has_live_tasks(); });
    }
}

void Shard::poll() noexcept {
    over_ = smp_.quiescent();
    if (executor_.now() >= report_at_) [[unlikely]] {
        report_at_ = TimePoint::max();
        report_who_is_alive();
    }
}

TimePoint Shard::deadline() const noexcept {
    return std::min(report_at_, timers_.after(options_.park_timeout));
}

// Asked when nothing is queued: a shard is idle if, on top of that, nothing of its own can happen.
bool Shard::before_sleep() noexcept {
    const bool idle = executor_.inbox()->wakers() == 0 && !timers_.active() && !driver_->active();
    if (smp_.closing() && idle && mailbox_.report_idle()) return false;
    return options_.parking;
}

void Shard::report_who_is_alive() const {
    const bool tasks = executor_.has_live_tasks();
    if (!tasks && mailbox_.outstanding() == 0 && driver_->in_flight() == 0)
        return;  // Not this one.
    std::fprintf(stderr,
                 "starling: shutdown: shard %u still has %zu requests that no shard has answered, "
                 "%zu I/O operations in flight, the tasks: %s\n",
                 mailbox_.shard(), mailbox_.outstanding(), driver_->in_flight(),
                 tasks ? executor_.live_task_names().c_str() : "none");
}

}  // namespace starling
