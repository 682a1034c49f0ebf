// What is given in this step.
#include <gtest/gtest.h>
#include <cstdint>
#include <limits>
#include <starling/interval.hh>
#include <starling/sleep.hh>
#include <starling/timeout.hh>
#include <string>

namespace starling {
namespace {

using namespace std::chrono_literals;

TEST(Given5_Service, SleepOutsideOfAnExecutorSaysWhatIsMissing) {
    try {
        (void)sleep(1s);
        FAIL() << "sleep without an executor did not throw";
    } catch (const std::logic_error& e) {
        EXPECT_EQ(std::string(e.what()).find("sleep needs a TimerService"), 0u) << e.what();
    }
}

TEST(Given5_Service, TimeoutInAnExecutorWithoutTimersSaysWhatIsMissing) {
    Executor executor;
    executor.block_on([]() -> Task<> {
        try {
            (void)timeout(yield(), 1s);
            ADD_FAILURE() << "timeout without a TimerService did not throw";
        } catch (const std::logic_error& e) {
            EXPECT_EQ(std::string(e.what()).find("timeout needs a TimerService"), 0u) << e.what();
        }
        co_return;
    });
}

TEST(Given5_Durations, AnyUnitIsCountedInNanosecondsAndRoundedUp) {
    using std::chrono::duration;
    EXPECT_EQ(Duration(AnyDuration(2min)), 2min);
    EXPECT_EQ(Duration(AnyDuration(std::chrono::days(3))), 72h);
    EXPECT_EQ(Duration(AnyDuration(0.25s)), 250ms);
    EXPECT_EQ(Duration(AnyDuration(duration<float>(-1.5F))), -1500ms);
    EXPECT_EQ(Duration(AnyDuration(duration<float>(86400.0078125F))), 24h + 7'812'500ns)
        << "a float that counts nanoseconds is milliseconds off here";
    EXPECT_EQ(Duration(AnyDuration(duration<std::int64_t, std::pico>(1001))), 2ns)
        << "a nanosecond and a bit: rounded down it would be early";
    EXPECT_EQ(Duration(AnyDuration(duration<std::uint8_t, std::ratio<1, 3>>(1))), 333'333'334ns);
}

TEST(Given5_Durations, WhatNanosecondsCannotCountIsForEver) {
    using Seconds = std::chrono::duration<double>;
    using Limits = std::numeric_limits<double>;
    EXPECT_EQ(Duration(AnyDuration(std::chrono::hours::max())), Duration::max());
    EXPECT_EQ(Duration(AnyDuration(std::chrono::hours::min())), Duration::min());
    EXPECT_EQ(Duration(AnyDuration(std::chrono::duration<std::uint64_t>::max())), Duration::max());
    EXPECT_EQ(Duration(AnyDuration(Seconds(Limits::infinity()))), Duration::max());
    EXPECT_EQ(Duration(AnyDuration(Seconds(-Limits::infinity()))), Duration::min());
    EXPECT_EQ(Duration(AnyDuration(Seconds(Limits::quiet_NaN()))), Duration::max());
    EXPECT_EQ(Duration(AnyDuration(std::chrono::duration<float>(9.223372e9F))), Duration::max())
        << "less than fits; but in floats, a step on the way to nanoseconds rounds up beyond it";
    EXPECT_EQ(Duration(AnyDuration(std::chrono::years(292))), std::chrono::years(292));
}

TEST(Given5_Durations, LaterThanAllTimeIsTheEndOfTime) {
    EXPECT_EQ(later(TimePoint::max() - 1ns, 1ns), TimePoint::max());
    EXPECT_EQ(later(TimePoint::max() - 1ns, 2ns), TimePoint::max());
    EXPECT_EQ(later(TimePoint::min(), Duration::max()), TimePoint(-1ns));
    EXPECT_EQ(later(TimePoint::max(), -1ns), TimePoint::max() - 1ns);
}

}  // namespace
}  // namespace starling
