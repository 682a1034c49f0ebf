#include <starling/shard.hh>

namespace starling {

// Sources are polled in this order: a comparison for the steward, two loads for the mailbox, a look
// at the wheel, then the driver, which may enter the kernel.
Shard::Shard(Smp& smp, unsigned id, const RuntimeOptions& options)
    : smp_(smp),
      id_(id),
      options_(options),
      driver_(make_driver({.kind = options.driver, .entries = options.io_entries})),
      executor_({.parker = driver_.get(), .spin = options.spin.value_or(Duration::zero())}),
      steward_(*this),
      mailbox_(smp, id, executor_),
      timers_(executor_) {
    provide_service(executor_.env(), driver_.get());
    executor_.add_source(*driver_);
}

Shard::~Shard() { executor_.end_tasks(); }  // There are none, after serve().

void Shard::serve() {
    executor_.run_until([this] { return smp_.closing(); });
    expect_end();
    mailbox_.begin_census();
    while (!smp_.quiescent()) {
        ending_tasks_ = true;
        executor_.end_tasks();
        ending_tasks_ = false;
        // Still serving: a message may bring new work, and even new tasks.
        executor_.run_until([this] { return smp_.quiescent() || executor_.has_live_tasks(); });
    }
}

void Shard::expect_end() noexcept {
    if (report_at_ == TimePoint::max()) report_at_ = executor_.now() + options_.shutdown_timeout;
}

void Shard::Steward::poll() noexcept {
    if (shard_.executor_.now() >= shard_.report_at_) [[unlikely]]
        shard_.report_who_is_alive();
}

TimePoint Shard::Steward::deadline() const noexcept {
    const Duration longest = shard_.options_.park_timeout;
    if (longest == Duration::max()) return shard_.report_at_;
    return std::min(shard_.report_at_, shard_.executor_.now() + longest);
}

// Asked when nothing is queued: a shard is idle if, on top of that, nothing of its own can happen.
bool Shard::Steward::before_sleep() noexcept {
    Shard& s = shard_;
    const bool idle =
        s.executor_.inbox()->wakers() == 0 && !s.timers_.active() && !s.driver_->active();
    if (s.smp_.closing() && idle && s.mailbox_.report_idle()) return false;
    return s.options_.parking;
}

void Shard::report_who_is_alive() {
    report_at_ = TimePoint::max();
    const bool tasks = executor_.has_live_tasks();
    if (!tasks && mailbox_.outstanding() == 0 && driver_->in_flight() == 0) return;  // Not this one.
    std::string text = "shutdown: shard " + std::to_string(id_) + " still has ";
    if (tasks) text += "the tasks: " + executor_.live_task_names() + "; ";
    text += std::to_string(mailbox_.outstanding()) + " requests that no shard has answered, " +
            std::to_string(driver_->in_flight()) + " I/O operations in flight";
    options_.on_slow_shutdown(text);
}

}  // namespace starling
