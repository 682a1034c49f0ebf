// What the tests of 5.5 share: operations to be timed, and what came of them.
#pragma once

#include <starling/sleep.hh>
#include <starling/timeout.hh>
#include <starling/timer_bed.hh>
#include <string>

namespace starling::testing_support {

/// Sleeps for `delay`. \return `answer`
inline Task<int> answer_after(Duration delay, int answer = 42) {
    co_await sleep(delay);
    co_return answer;
}

/// Awaits `awaitable`. \return "value 42", "timed out", "cancelled" or "error <text>"
template <class A>
Task<std::string> outcome_of(A awaitable) {
    try {
        co_return "value " + std::to_string(co_await std::move(awaitable));
    } catch (const TimedOut&) {
        co_return "timed out";
    } catch (const Cancelled&) {
        co_return "cancelled";
    } catch (const std::exception& e) {
        co_return std::string("error ") + e.what();
    }
}

inline int elapsed_ms(const TimerBed& bed) {
    return static_cast<int>(bed.elapsed() / std::chrono::milliseconds(1));
}

/// Lets `time` pass, and everybody run.
inline void pass(TimerBed& bed, Duration time) {
    bed.clock.advance(time);
    for (int turn = 0; turn < 4; ++turn) bed.executor.run_once();
}

}  // namespace starling::testing_support
