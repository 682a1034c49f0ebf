// 5.1: where a timer goes. The hand stands at tick 0 in all of these: turning it is 5.2.
#include <gtest/gtest.h>
#include <starling/story.hh>

#include "wheel_bed.hh"

namespace starling {
namespace {

using testing_support::CountedTimer;
using testing_support::in_ms;
using testing_support::Story;
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
    CountedTimer last(TimePoint::max());
    TimerWheel oldest(TimePoint{});
    oldest.insert(last);
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
    Story story(
        "a timer goes by itself, without its wheel: and one that is in none, or gone already?");
    WheelBed bed;
    bed.arm('A', -1ms);
    bed.arm('B', -1ms);
    story.step("arm A and B, both due");
    bed.cancel('C');
    bed.cancel('A');
    bed.cancel('A');
    story.step("cancel C, which never was, and A, twice");
    story.expect("A is armed", false, bed.armed('A'));
    story.expect("fires", std::string("B"), bed.fire());
}

TEST(Ex5_1_Place, DestroyedTimerIsInNoSlot) {
    Story story("the frame that the timer is in goes: to whose memory do its neighbours point?");
    WheelBed bed;
    bed.arm('A', -1ms);
    {
        CountedTimer between(WheelBed::kOrigin);
        bed.wheel().insert(between);
    }
    bed.arm('B', -1ms);
    story.step("arm A and another one, destroy that, arm B; all of them are due");
    story.expect("fires", std::string("AB"), bed.fire());
}

TEST(Ex5_1_Place, WheelThatGoesDisarmsItsTimers) {
    Story story("a timer's slot is gone: whom would its neighbour pointers point to?");
    CountedTimer near(WheelBed::kOrigin + 5ms);
    CountedTimer far(WheelBed::kOrigin + 100 * kDay);
    {
        TimerWheel wheel(WheelBed::kOrigin);
        wheel.insert(near);
        wheel.insert(far);
        story.step("arm one for 5 ms and one for 100 days, then destroy the wheel");
    }
    story.expect("the near one is armed", false, near.armed());
    story.expect("the far one is armed", false, far.armed());
}

}  // namespace
}  // namespace starling
