// Clock: where an executor reads the time, so that tests can put another one there; and how time is
// added up.
//
// Affinity: any thread.
#pragma once

#include <chrono>
#include <type_traits>

namespace starling {

using Duration = std::chrono::steady_clock::duration;     ///< Nanoseconds.
using TimePoint = std::chrono::steady_clock::time_point;  ///< Since the machine's start.

/// Any std::chrono duration, where a time is asked for: `1.5s`, `days(2)`, `hours::max()`. Rounded
/// up to nanoseconds, so that nothing is early; what they cannot count (292 years), and what is not
/// a number, is for ever. \affinity any thread
class AnyDuration {
  public:
    /// From any duration, implicitly.
    template <class Rep, class Period>
    constexpr AnyDuration(std::chrono::duration<Rep, Period> time) noexcept {
        constexpr double kLongest = 9.223e18;  // A little less than what fits: floats are coarse.
        const double ns = std::chrono::duration<double, std::nano>(time).count();
        if (ns < kLongest) {
            using Exact = std::conditional_t<std::is_same_v<Rep, float>, double, Rep>;
            const std::chrono::duration<Exact, Period> exact(time);
            time_ = ns > -kLongest ? std::chrono::ceil<Duration>(exact) : Duration::min();
        }
    }
    /// Duration::max(): for ever.
    constexpr operator Duration() const noexcept { return time_; }

  private:
    Duration time_ = Duration::max();
};

/// The moment `delay` behind `time`; TimePoint::max() if that is beyond all time. \affinity any
/// thread
constexpr TimePoint later(TimePoint time, Duration delay) noexcept {
    const bool beyond = delay > Duration::zero() && time > TimePoint::max() - delay;
    return beyond ? TimePoint::max() : time + delay;
}

/// Tells the time: the machine's, unless a class derived from it knows another. \affinity any
/// thread
class Clock {
  public:
    virtual ~Clock() = default;
    /// Never goes back.
    virtual TimePoint now() const noexcept { return std::chrono::steady_clock::now(); }

    /// The monotonic clock of the machine.
    static const Clock& steady() noexcept {
        static const Clock clock;
        return clock;
    }
};

}  // namespace starling
