// 5.3: how long an executor may sleep. Needs 5.1 and, to turn the hand, 5.2.
#include <gtest/gtest.h>
#include <algorithm>
#include <chrono>
#include <random>
#include <starling/story.hh>
#include <string>
#include <vector>

#include "watched_timers.hh"
#include "wheel_bed.hh"
#include "wheel_oracle.hh"

namespace starling {
namespace {

using testing_support::CountedTimer;
using testing_support::in_ms;
using testing_support::Story;
using testing_support::WatchedTimers;
using testing_support::WheelBed;
using testing_support::WheelOracle;
using namespace std::chrono_literals;

TEST(Ex5_3_NextDeadline, NothingArmedMeansNever) {
    Story story("what does an executor have to sleep for when no timer is armed?");
    WheelBed bed;
    story.expect("an empty wheel: next deadline", in_ms(WheelBed::kNever), in_ms(bed.next()));
}

TEST(Ex5_3_NextDeadline, IsExactOnEveryLevel) {
    for (const Duration at : {5ms, 255ms, 256ms, 300ms, 70'001ms, 20'000'007ms, 5'000'000'009ms}) {
        Story story(
            "a slot of a higher level says when the hand stops there: when is the timer due?");
        WheelBed bed;
        bed.arm('A', at);
        story.step("arm A for " + in_ms(at));
        if (!story.expect("next deadline", in_ms(at), in_ms(bed.next()))) return;
    }
}

TEST(Ex5_3_NextDeadline, IsRoundedUpToATick) {
    Story story(
        "if the executor wakes at A's deadline sharp, will the hand have reached A's tick?");
    WheelBed bed;
    bed.arm('A', 1500us);
    story.step("arm A for 1.5 ms");
    story.expect("next deadline", in_ms(2ms), in_ms(bed.next()));
}

TEST(Ex5_3_NextDeadline, IsTheEarliestOfASlotAndNotTheFirst) {
    Story story("a slot of level 1 is in order of arming: does its first timer expire first?");
    WheelBed bed;
    bed.arm('A', 500ms);
    bed.arm('B', 300ms);
    bed.arm('C', 400ms);
    story.step("arm A 500, B 300, C 400 ms: one slot of level 1");
    story.expect("next deadline", in_ms(300ms), in_ms(bed.next()));
}

TEST(Ex5_3_NextDeadline, IsTheEarliestOfAllLevels) {
    Story story("on which level do you look first, and when do you stop looking?");
    WheelBed bed;
    bed.arm('A', 20'000'000ms);
    bed.arm('B', 70'000ms);
    bed.arm('C', 300ms);
    bed.arm('D', 200ms);
    story.step("arm A to D, one on each level from the highest to the lowest");
    for (const auto& [name, at, next] :
         {std::tuple('D', 200ms, 300ms), std::tuple('C', 300ms, 70'000ms),
          std::tuple('B', 70'000ms, 20'000'000ms)}) {
        story.expect("next deadline", in_ms(at), in_ms(bed.next()));
        bed.cancel(name);
        story.step(std::string("cancel ") + name);
        if (!story.expect("next deadline", in_ms(next), in_ms(bed.next()))) return;
    }
}

TEST(Ex5_3_NextDeadline, IsNowWhileSomethingIsDue) {
    Story story("may an executor sleep while a timer waits to be popped?");
    WheelBed bed;
    bed.advance_to(1000ms);
    bed.arm('A', 400ms);
    bed.arm('B', 5000ms);
    story.step("at 1000 ms, arm A for 400 ms and B for 5000 ms");
    story.expect("next deadline is later than now", false, bed.next() > 1000ms);
    bed.fire();
    story.step("fire A");
    story.expect("next deadline", in_ms(5000ms), in_ms(bed.next()));
}

TEST(Ex5_3_NextDeadline, IsNowWhileTimersAreFalling) {
    Story story("an `advance` has stopped short: may an executor sleep before it has gone on?");
    WheelBed bed;
    bed.arm('A', 400ms);
    bed.arm('B', 300ms);
    bed.wheel().advance(WheelBed::kOrigin + 350ms, 1);
    story.step("arm A for 400 and B for 300 ms; advance to 350 ms, moving one timer at most");
    story.expect("there is more to do", true, bed.wheel().due());
    story.expect("next deadline is later than now", false, bed.next() > 350ms);
}

TEST(Ex5_3_NextDeadline, EndOfAllTimeIsNever) {
    Story story("how do you turn a tick back into a time that may not exist?");
    WheelBed bed;
    bed.arm('A', TimePoint::max() - WheelBed::kOrigin);
    story.step("arm A for TimePoint::max()");
    story.expect("next deadline", in_ms(WheelBed::kNever), in_ms(bed.next()));
}

TEST(Ex5_3_NextDeadline, CrowdedSlotCostsAFewWakeUpsAndNoScan) {
    Story story(
        "what is the latest time that is certainly not too late, without looking at everybody?");
    testing_support::WheelOracle many(1, 1);  // Only for its clock.
    std::vector<CountedTimer> timers(5000);
    TimerWheel wheel(many.now());
    const TimePoint at = many.now() + 20'000'007ms;
    for (Timer& timer : timers) {
        timer.set_deadline(at);
        wheel.insert(timer);
    }
    story.step("arm 5000 timers for the same tick of level 3");
    int wake_ups = 0;
    TimePoint now = many.now();
    while (now < at && wake_ups < 100) {
        const TimePoint next = wheel.next_deadline();
        if (!story.expect("next deadline is too late", false, next > at)) return;
        now = std::max(now, next);
        wheel.advance(now);
        ++wake_ups;
    }
    story.expect("wake-ups until they fire, at most one per level", true,
                 wake_ups <= TimerWheel::kLevels);
}

TEST(Ex5_3_NextDeadline, IsExactWithAsManyInASlotAsItMayLookAt) {
    Story story("how many timers of a slot are you to look at before you settle for less?");
    std::vector<CountedTimer> timers(TimerWheel::kScanMax);
    TimerWheel wheel(WheelBed::kOrigin);
    Duration at = 300ms + TimerWheel::kScanMax * 1ms;
    for (Timer& timer : timers) {
        at -= 1ms;
        timer.set_deadline(WheelBed::kOrigin + at);
        wheel.insert(timer);
    }
    story.step("arm kScanMax timers for one slot of level 1, the latest first, at last one for " +
               in_ms(at));
    story.expect("next deadline", in_ms(at), in_ms(wheel.next_deadline() - WheelBed::kOrigin));
}

TEST(Ex5_3_NextDeadline, IsNotTooLateWhenTheEarliestIsTheLastOfACrowd) {
    Story story("the earliest of those you have looked at: what do you know of all the others?");
    std::vector<CountedTimer> timers(TimerWheel::kScanMax * 2);
    TimerWheel wheel(WheelBed::kOrigin);
    Duration at = 300ms + TimerWheel::kScanMax * 2ms;
    for (Timer& timer : timers) {
        at -= 1ms;
        timer.set_deadline(WheelBed::kOrigin + at);
        wheel.insert(timer);
    }
    story.step(
        "arm 2 * kScanMax timers for one slot of level 1, the latest first, at last one for " +
        in_ms(at));
    const Duration next = wheel.next_deadline() - WheelBed::kOrigin;
    story.step("next deadline: " + in_ms(next));
    story.expect("it is too late", false, next > at);
}

TEST(Ex5_3_NextDeadline, LookIntoACrowdedSlotIsAtAFewOfItsTimers) {
    Story story("an executor asks before every sleep: what does it cost with a million in a slot?");
    WatchedTimers timers(20 * TimerWheel::kScanMax);
    TimerWheel wheel(WheelBed::kOrigin);
    for (std::size_t i = 0; i < timers.size(); ++i) {
        timers[i].set_deadline(WheelBed::kOrigin + 20'000'007ms);
        wheel.insert(timers[i]);
    }
    timers.watch();
    const TimePoint next = wheel.next_deadline();
    const std::size_t looked_at = timers.looked_at();
    story.step("20 * kScanMax timers in one slot of level 3; ask for the next deadline");
    story.expect("it is too late", false, next > timers[0].deadline());
    story.step("it has looked at " + std::to_string(looked_at) + " timers");
    story.expect("more than 2 * kScanMax", false, looked_at > 2 * TimerWheel::kScanMax);
}

TEST(Ex5_3_Oracle, IsExactUnderRandomOperations) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        WheelOracle oracle(seed, TimerWheel::kScanMax);
        for (int i = 0; i < 2000; ++i) {
            oracle.arm_or_cancel_one();
            const TimePoint next = oracle.wheel().next_deadline();
            if (oracle.next_deadline() > oracle.now()) {
                ASSERT_EQ((next - oracle.now()).count(),
                          (oracle.next_deadline() - oracle.now()).count())
                    << "seed " << seed << ", step " << i << ": ns from now, expected second"
                    << "\nAsk yourself: which level holds the earliest timer here?";
            }
            if (i % 3 != 0) continue;
            ASSERT_EQ(oracle.advance_somewhere(), "");
        }
    }
}

TEST(Ex5_3_Oracle, IsNeverTooLateHoweverManyAreArmed) {
    for (unsigned seed = 1; seed <= 5; ++seed) {
        WheelOracle oracle(seed, 3000);
        for (int i = 0; i < 6000; ++i) {
            oracle.arm_or_cancel_one();
            if (i % 7 != 0) continue;
            ASSERT_LE(oracle.wheel().next_deadline(),
                      std::max(oracle.next_deadline(), oracle.now()))
                << "seed " << seed << ", step " << i << ": the executor would oversleep"
                << "\nAsk yourself: what may you answer when you do not look at every timer?";
            if (i % 49 != 0) continue;
            ASSERT_EQ(oracle.advance_somewhere(), "");
        }
    }
}

}  // namespace
}  // namespace starling
