// Interval: ticks at a steady rate; spawn_periodic: a function called at one.
//
// When a tick's consumer is late, the policy says what becomes of the ticks it has missed
// (period 10, the consumer is busy from 10 to 35):
//
//     burst   10 | 20 30 at once | 40 50        all of them, late: the number of ticks is right
//     delay   10 | 20 at once    | 45 55        the period is kept from the late one on
//     skip    10 | 20 at once    | 40 50        the missed ones are dropped: the beat is kept
//
// Affinity: owner shard.
#pragma once

#include <algorithm>
#include <cassert>
#include <starling/sleep.hh>
#include <starling/task.hh>
#include <type_traits>

namespace starling {

/// What becomes of ticks whose time has passed when somebody waits for them.
enum class MissedTick { burst, delay, skip };

/// Ticks at a steady rate. \affinity owner shard
class Interval {
  public:
    /// The first tick is one period from now. \pre a positive period; a TimerService
    explicit Interval(AnyDuration period, MissedTick missed = MissedTick::burst)
        : Interval(service<TimerService>("Interval").after(period), period, missed) {}
    /// The first tick is at `first`; it is due at once if that has passed. (Before the clock's
    /// begin there was no time: the earliest is TimePoint().) \pre a positive period
    Interval(TimePoint first, AnyDuration period, MissedTick missed = MissedTick::burst) noexcept
        : next_(std::max(first, TimePoint())), period_(period), missed_(missed) {
        assert(period_ > Duration::zero());
    }

    /// Waits for the next tick: `co_await interval.tick();` One that was stopped is not consumed.
    /// \return when the tick was due \pre the interval outlives the task
    Task<TimePoint> tick() {
        const TimePoint due = next_;
        co_await sleep_until(due);
        const TimePoint now = service<TimerService>("Interval").now();
        next_ = later(next_, period_);
        if (next_ <= now && missed_ == MissedTick::skip)
            next_ = now - (now - next_) % period_ + period_;
        if (next_ <= now && missed_ == MissedTick::delay) next_ = later(now, period_);
        co_return due;
    }

    /// When the next tick is due.
    TimePoint next() const noexcept { return next_; }

  private:
    TimePoint next_;
    Duration period_;
    MissedTick missed_;
};

/// Calls `f` every `period`, in a task of its own, until the handle aborts it or `f` throws. `f`
/// returns void or a Task<void>, which is awaited: calls never overlap. Keep the handle: to drop it
/// lets the task run on.
template <class F>
JoinHandle<void> spawn_periodic(AnyDuration period, F f, MissedTick missed = MissedTick::delay,
                                SpawnOptions options = {.name = "periodic"}) {
    auto loop = [](Duration period, MissedTick missed, F f) -> Task<> {
        Interval interval(period, missed);
        for (;;) {
            co_await interval.tick();
            if constexpr (std::is_void_v<std::invoke_result_t<F&>>) {
                f();
            } else {
                co_await f();
            }
        }
    };
    return spawn(loop(period, missed, std::move(f)), options);
}

}  // namespace starling
