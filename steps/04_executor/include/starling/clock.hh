// Clock: where an executor reads the time, so that tests can put another one there.
//
// Affinity: any thread.
#pragma once

#include <chrono>

namespace starling {

using Duration = std::chrono::steady_clock::duration;     ///< Nanoseconds.
using TimePoint = std::chrono::steady_clock::time_point;  ///< Since the machine's start.

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
