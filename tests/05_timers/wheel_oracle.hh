// WheelOracle: does the same to a TimerWheel and to a std::multimap, and compares.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <starling/timer_wheel.hh>
#include <string>
#include <vector>

#include "wheel_bed.hh"

namespace starling::testing_support {

/// \affinity one thread
class WheelOracle {
  public:
    WheelOracle(unsigned seed, std::size_t timers) : random_(seed), timers_(timers), at_(timers) {}

    void limit_moves(std::size_t moves_max) { moves_max_ = moves_max; }

    /// Arms a random timer for a random time on a random level; cancels it if it is armed.
    void arm_or_cancel_one() {
        const std::size_t i = random_() % timers_.size();
        Timer& timer = timers_[i];
        if (timer.armed()) {
            timer.cancel();
            armed_.erase(at_[i]);
            return;
        }
        timer.set_deadline(now_ + random_duration(51));
        wheel_.insert(timer);
        at_[i] = armed_.emplace(tick_of(timer.deadline()), i);
    }

    /// Lets a random time pass. \return what differs then; empty if nothing does
    std::string advance_somewhere() {
        now_ += random_duration(random_() % 16 == 0 ? 50 : 34);
        do {
            wheel_.advance(now_, moves_max_);
            pop_all();
        } while (wheel_.due());
        std::string difference = compare();
        fired_.clear();
        return difference;
    }

    /// What the map says about the next deadline: TimePoint::max() if there is none.
    TimePoint next_deadline() const {
        if (armed_.empty()) return TimePoint::max();
        return kOrigin + armed_.begin()->first * TimerWheel::kTick;
    }
    TimePoint now() const { return now_; }
    std::size_t armed() const { return armed_.size(); }
    TimerWheel& wheel() { return wheel_; }

  private:
    static constexpr TimePoint kOrigin{std::chrono::hours(1)};

    /// Up to 2^bits ns, and every order of magnitude as often.
    Duration random_duration(unsigned bits) {
        return Duration(static_cast<std::int64_t>(random_() >> (63 - random_() % bits)));
    }
    static std::int64_t tick_of(TimePoint deadline) {
        const Duration tick = TimerWheel::kTick;
        return (deadline - kOrigin + tick - Duration(1)) / tick;
    }
    void pop_all() {
        while (Timer* timer = wheel_.pop_expired()) {
            timer->expired();
            fired_.push_back(
                static_cast<std::size_t>(static_cast<CountedTimer*>(timer) - timers_.data()));
        }
    }
    std::string compare() {
        std::vector<std::size_t> expected;
        while (!armed_.empty() && armed_.begin()->first <= (now_ - kOrigin) / TimerWheel::kTick) {
            expected.push_back(armed_.begin()->second);
            armed_.erase(armed_.begin());
        }
        std::vector<std::size_t> got = fired_;
        std::ranges::sort(expected);
        std::ranges::sort(got);
        if (expected == got) return "";
        std::string text = "at tick " + std::to_string((now_ - kOrigin) / TimerWheel::kTick);
        text += differing(expected, got, "not fired in time:") +
                differing(got, expected, "fired early:");
        return text;
    }
    /// The ticks of those in `these` that are not in `those`.
    std::string differing(const std::vector<std::size_t>& these,
                          const std::vector<std::size_t>& those, const std::string& what) const {
        std::string ticks;
        for (std::size_t i : these) {
            if (std::ranges::binary_search(those, i)) continue;
            ticks += " " + std::to_string(tick_of(timers_[i].deadline()));
        }
        return ticks.empty() ? "" : "\n  " + what + ticks;
    }

    std::mt19937_64 random_;
    TimePoint now_ = kOrigin;
    std::size_t moves_max_ = TimerWheel::kUnlimited;
    std::vector<CountedTimer> timers_;
    std::multimap<std::int64_t, std::size_t> armed_;
    std::vector<std::multimap<std::int64_t, std::size_t>::iterator>
        at_;  // Where each armed one is.
    std::vector<std::size_t> fired_;
    TimerWheel wheel_{kOrigin};  // Last: it goes first, and disarms what is left.
};

}  // namespace starling::testing_support
