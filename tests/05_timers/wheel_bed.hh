// WheelBed: a wheel and timers with names, for tests that read like the odometer they are about.
#pragma once

#include <chrono>
#include <map>
#include <starling/timer_wheel.hh>
#include <string>

namespace starling::testing_support {

using namespace std::chrono_literals;

/// A timer that counts how often it has expired. \affinity one thread
struct CountedTimer final : Timer {
    using Timer::Timer;
    void expired() noexcept override { ++times; }
    int times = 0;
};

/// Times are counted from the wheel's origin. \affinity one thread
class WheelBed {
  public:
    static constexpr TimePoint kOrigin{std::chrono::hours(1)};

    TimerWheel& wheel() noexcept { return wheel_; }

    void arm(char name, Duration at) {
        timers_[name].set_deadline(kOrigin + at);
        wheel_.insert(timers_[name]);
    }
    void cancel(char name) { timers_[name].cancel(); }
    bool armed(char name) { return timers_[name].armed(); }

    /// Turns the hand and fires what is due. \return the names, in order; "-" if there are none
    std::string advance_to(Duration at) {
        wheel_.advance(kOrigin + at, kMovesMax);
        return fire();
    }
    /// Fires what has been found due so far.
    std::string fire() {
        std::string names;
        while (Timer* timer = wheel_.pop_expired()) {
            names += name_of(*timer);
            timer->expired();
        }
        return names.empty() ? "-" : names;
    }
    /// When the wheel wants to be looked at next; kNever if it does not.
    Duration next() {
        const TimePoint next = wheel_.next_deadline();
        return next == TimePoint::max() ? kNever : next - kOrigin;
    }
    static constexpr Duration kNever = Duration::max();

    /// The slots of `level` that are marked, as "3 7"; "-" if there are none.
    std::string marked(int level) const {
        std::string slots;
        for (int i = 0; i < TimerWheel::kSlots; ++i) {
            if ((wheel_.occupied(level)[i / 64] >> i % 64 & 1) == 0) continue;
            slots += (slots.empty() ? "" : " ") + std::to_string(i);
        }
        return slots.empty() ? "-" : slots;
    }

  private:
    // More than any test needs: a loop that goes round and round ends, and the test says so.
    static constexpr std::size_t kMovesMax = 2000;

    char name_of(const Timer& timer) const {
        for (const auto& [name, t] : timers_) {
            if (&t == &timer) return name;
        }
        return '?';
    }

    std::map<char, CountedTimer> timers_;
    TimerWheel wheel_{kOrigin};  // Last: it goes first, and disarms what is left.
};

/// A time the way people say it, for the text of a test: "256 ms".
inline std::string in_ms(Duration d) {
    if (d == WheelBed::kNever) return "never";
    return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
}

}  // namespace starling::testing_support
