// What is given in this step.
#include <gtest/gtest.h>
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

TEST(Given5_Service, DelayBeyondAllTimeIsTheEndOfTime) {
    Executor executor;
    TimerService timers(executor);
    EXPECT_EQ(timers.after(Duration::max()), TimePoint::max());
}

}  // namespace
}  // namespace starling
