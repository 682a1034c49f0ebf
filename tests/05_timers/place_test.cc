// 5.1: where a timer goes. The hand stands at tick 0 in all of these: turning it is 5.2.
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <starling/probes.hh>
#include <starling/story.hh>

#include "wheel_bed.hh"

namespace starling {
namespace {

using testing_support::ImmediatePost;
using testing_support::in_ms;
using testing_support::Story;
using testing_support::Waiter;
using testing_support::WheelBed;
using namespace std::chrono_literals;

constexpr Duration kDay = 24h;

TEST(Ex5_1_Place, DeadlineOnATickGoesToThatTick) {
    Story story("how many ticks is a deadline away from the origin?");
    WheelBed bed;
    bed.arm('A', 5ms);
    story.step("arm A for 5 ms");
    story.expect("slots marked on level 0", std::string("5"), bed.marked(0));
    story.expect("A is armed", true, bed.armed('A'));
}

TEST(Ex5_1_Place, DeadlineBetweenTicksIsRoundedUp) {
    Story story("the hand stops at whole ticks only: at which is A's deadline over for certain?");
    WheelBed bed;
    bed.arm('A', 5ms + 1ns);
    story.step("arm A for 5 ms and 1 ns");
    story.expect("slots marked on level 0", std::string("6"), bed.marked(0));
}

TEST(Ex5_1_Place, OneNanosecondBeforeATickIsThatTick) {
    Story story("does adding a whole tick before dividing round up, or one too far?");
    WheelBed bed;
    bed.arm('A', 6ms - 1ns);
    story.step("arm A for 5.999999 ms");
    story.expect("slots marked on level 0", std::string("6"), bed.marked(0));
}

TEST(Ex5_1_Place, LevelIsThatOfTheHighestDigitThatDiffers) {
    struct Case {
        Duration at;
        int level;
        std::string slot;
    };
    const Case cases[] = {
        {1ms, 0, "1"},          {255ms, 0, "255"},
        {256ms, 1, "1"},        {511ms, 1, "1"},
        {512ms, 1, "2"},        {65'535ms, 1, "255"},
        {65'536ms, 2, "1"},     {16'777'215ms, 2, "255"},
        {16'777'216ms, 3, "1"}, {4'294'967'295ms, 3, "255"},
    };
    for (const Case& c : cases) {
        Story story(
            "write the tick in base 256, above the current one: where do they differ first?");
        WheelBed bed;
        bed.arm('A', c.at);
        story.step("arm A for " + in_ms(c.at));
        for (int level = 0; level < TimerWheel::kLevels; ++level) {
            const std::string expected = level == c.level ? c.slot : "-";
            if (!story.expect("slots marked on level " + std::to_string(level), expected,
                              bed.marked(level))) {
                return;
            }
        }
    }
}

TEST(Ex5_1_Place, DeadlineBeyondTheHighestLevelIsKeptAside) {
    Story story("four digits of eight bits: which tick is the first that does not fit?");
    WheelBed bed;
    bed.arm('A', 4'294'967'296ms);
    story.step("arm A for 2^32 ms, which is 49.7 days");
    for (int level = 0; level < TimerWheel::kLevels; ++level) {
        story.expect("slots marked on level " + std::to_string(level), std::string("-"),
                     bed.marked(level));
    }
    story.expect("A is armed", true, bed.armed('A'));
    story.expect("something is due", false, bed.wheel().due());
}

TEST(Ex5_1_Place, DeadlineThatHasPassedIsDueAtOnce) {
    Story story("the hand stands at tick 0: will it ever come to tick 0 again?");
    WheelBed bed;
    bed.arm('A', -5ms);
    bed.arm('B', 0ms);
    story.step("arm A for 5 ms ago, and B for this very moment");
    story.expect("fires", std::string("AB"), bed.fire());
}

TEST(Ex5_1_Place, EndOfAllTimeIsADeadline) {
    Story story("is there a sum in your rounding that is too large for its type?");
    WheelBed bed;
    bed.arm('A', TimePoint::max() - WheelBed::kOrigin);
    story.step("arm A for TimePoint::max()");
    story.expect("something is due", false, bed.wheel().due());
    story.expect("A is armed", true, bed.armed('A'));
    WheelBed::Nothing target;
    Timer last(TimePoint::max());
    TimerWheel oldest(TimePoint{});
    oldest.insert(last, target);
    story.step("the same in a wheel whose origin is the begin of all time");
    story.expect("something is due", false, oldest.due());
}

TEST(Ex5_1_Place, TimersOfOneTickShareASlotInOrder) {
    Story story("at which end of its slot does a timer go?");
    WheelBed bed;
    for (char name : {'A', 'B', 'C'}) bed.arm(name, -1ms);
    story.step("arm A, B and C, all due");
    story.expect("they fire", std::string("ABC"), bed.fire());
}

TEST(Ex5_1_Place, CancelledTimerIsNotArmed) {
    Story story("what does `place` need to leave behind so that a timer can go again by itself?");
    WheelBed bed;
    bed.arm('A', -1ms);
    bed.arm('B', -1ms);
    story.step("arm A and B, both due");
    story.expect("cancel A: it was armed", true, bed.cancel('A'));
    story.expect("cancel A once more: it was armed", false, bed.cancel('A'));
    story.expect("fires", std::string("B"), bed.fire());
}

TEST(Ex5_1_Place, CancelSaysWhetherTheTimerCouldStillFire) {
    Story story(
        "it is in no list when it was popped, has fired, or its wheel is gone: what differs?");
    Waiter target;
    Timer never;
    Timer popped(WheelBed::kOrigin);
    Timer fired(WheelBed::kOrigin);
    Timer left(WheelBed::kOrigin + 5ms);
    {
        TimerWheel wheel(WheelBed::kOrigin);
        for (Timer* timer : {&popped, &fired, &left}) wheel.insert(*timer, target);
        wheel.pop_expired();
        wheel.pop_expired()->fire();
    }
    story.step("arm three; pop the first, pop and fire the second; the wheel goes with the third");
    story.expect("times the target was posted", 1, target.resumed);
    story.expect("one that was never armed could fire", false, never.cancel());
    story.expect("the one that was popped could fire", true, popped.cancel());
    story.expect("the same, once it is cancelled", false, popped.cancel());
    story.expect("the one that has fired could fire", false, fired.cancel());
    story.expect("the one whose wheel has gone could fire", true, left.cancel());
}

TEST(Ex5_1_Place, TargetMayFreeItsTimerWhenItIsPosted) {
    Story story("the target owns the timer: what may be left of it when `post` comes back?");
    ImmediatePost runs_at_once;
    auto timer = std::make_unique<Timer>(WheelBed::kOrigin);
    Waiter target([&] { timer.reset(); });
    TimerWheel wheel(WheelBed::kOrigin);
    wheel.insert(*timer, target);
    story.step("arm a timer whose target frees it, and fire it");
    wheel.pop_expired()->fire();
    story.expect("times the target was posted", 1, target.resumed);
}

TEST(Ex5_1_Place, WheelThatGoesDisarmsItsTimers) {
    Story story("a timer's slot is gone: whom would its neighbour pointers point to?");
    Timer near(WheelBed::kOrigin + 5ms);
    Timer far(WheelBed::kOrigin + 100 * kDay);
    {
        struct Nothing final : Continuation {
            void resume() noexcept override {}
        } target;
        TimerWheel wheel(WheelBed::kOrigin);
        wheel.insert(near, target);
        wheel.insert(far, target);
        story.step("arm one for 5 ms and one for 100 days, then destroy the wheel");
    }
    story.expect("the near one is armed", false, near.armed());
    story.expect("the far one is armed", false, far.armed());
}

}  // namespace
}  // namespace starling
