// Clock: where an executor reads the time, so that tests can put another one there; and how time is
// added up.
//
// Affinity: any thread.
#pragma once

#include <chrono>

namespace starling {

using Duration = std::chrono::steady_clock::duration;     ///< Nanoseconds.
using TimePoint = std::chrono::steady_clock::time_point;  ///< Since the machine's start.

/// The moment `delay` behind `time`; TimePoint::max() if that is beyond all time. \affinity any
/// thread
constexpr TimePoint later(TimePoint time, Duration delay) noexcept {
    return delay > TimePoint::max() - time ? TimePoint::max() : time + delay;
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
