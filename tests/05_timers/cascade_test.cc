// 5.2: turning the hand. Needs 5.1.
#include <gtest/gtest.h>
#include <random>
#include <starling/story.hh>
#include <starling/watchdog.hh>

#include "wheel_bed.hh"
#include "wheel_oracle.hh"

namespace starling {
namespace {

using testing_support::in_ms;
using testing_support::Story;
using testing_support::WheelBed;
using testing_support::WheelOracle;
using namespace std::chrono_literals;

// A hand that goes round and round, or never comes to where it should be.
[[maybe_unused]] const bool watched = testing_support::watch_every_case();

/// Arms A for `at`, looks one tick before and at that time, and measures how late it is if it is.
void fires_exactly_at(Duration at, const char* question) {
    Story story(question);
    WheelBed bed;
    bed.arm('A', at);
    story.step("the hand stands at 0 ms, arm A for " + in_ms(at));
    if (!story.expect("advance to " + in_ms(at - 1ms) + ": fires", std::string("-"),
                      bed.advance_to(at - 1ms))) {
        return;
    }
    if (!story.expect("the hand stands at tick", static_cast<std::uint64_t>(at / 1ms) - 1,
                      bed.wheel().current_tick())) {
        return;
    }
    const std::string fired = bed.advance_to(at);
    if (fired == "A") return;
    for (Duration later = at + 1ms; later < at + 100'000ms; later += 1ms) {
        if (bed.advance_to(later) != "A") continue;
        story.step("kept going: A fired at " + in_ms(later) + ", " + in_ms(later - at) + " late");
        break;
    }
    story.expect("advance to " + in_ms(at) + ": fires", std::string("A"), fired);
}

TEST(Ex5_2_Cascade, TimerFiresOnItsTickAndNotBefore) {
    fires_exactly_at(5ms, "what does the hand do with the slot at which it arrives?");
}

TEST(Ex5_2_Cascade, SlotBeginsInTheTurnInWhichTheHandIs) {
    Story story(
        "in base 256 now is 03 e8, and the slot that A is in f2: at which tick does it begin?");
    WheelBed bed;
    bed.advance_to(1000ms);
    bed.arm('A', 1010ms);
    story.step("advance to 1000 ms, arm A for 1010 ms");
    story.expect("slots marked on level 0", std::string("242"), bed.marked(0));
    story.expect("advance to 1009 ms: fires", std::string("-"), bed.advance_to(1009ms));
    story.expect("advance to 1010 ms: fires", std::string("A"), bed.advance_to(1010ms));
}

TEST(Ex5_2_Cascade, TimerArmedBeforeALevelBoundaryFiresBehindIt) {
    Story story("in base 256 now is 00 ff, and A's tick 01 01: where does `place` (5.1) put it?");
    WheelBed bed;
    bed.advance_to(255ms);
    bed.arm('A', 257ms);
    story.step("advance to 255 ms, arm A for 257 ms");
    story.expect("slots marked on level 0", std::string("-"), bed.marked(0));
    story.expect("advance to 256 ms: fires", std::string("-"), bed.advance_to(256ms));
    story.expect("advance to 257 ms: fires", std::string("A"), bed.advance_to(257ms));
}

TEST(Ex5_2_Cascade, TimerOnALevelBoundaryFiresOnItsTick) {
    fires_exactly_at(256ms, "on tick 256, which comes first, moving timers down or firing?");
}

TEST(Ex5_2_Cascade, TimerBehindALevelBoundaryFiresOnItsTick) {
    fires_exactly_at(300ms, "where does a timer of slot 1 on level 1 go when the hand is at 256?");
}

TEST(Ex5_2_Cascade, TimerOnTheBoundaryOfLevelTwoFiresOnItsTick) {
    fires_exactly_at(65'536ms, "may a timer come down more than one level at once?");
}

TEST(Ex5_2_Cascade, TimerOfLevelThreeComesDownLevelByLevel) {
    fires_exactly_at(16'777'216ms + 65'536ms + 256ms + 1ms,
                     "where does the hand stand while a slot is emptied?");
}

TEST(Ex5_2_Cascade, TimerBeyondTheHighestLevelFiresOnItsTick) {
    fires_exactly_at(
        4'294'967'296ms * 2 + 77ms,
        "who looks through those that did not fit, and where do they go that still do not?");
}

TEST(Ex5_2_Cascade, TimerBehindTheWholeTurnOfAllLevelsFiresOnItsTick) {
    Story story(
        "the hand is in the middle of a turn of the highest level: when does the next begin?");
    const Duration turn = 1ms * (std::int64_t{1} << 32);
    WheelBed bed;
    bed.advance_to(turn / 2);
    bed.arm('A', turn + 10ms);
    story.step("half of 2^32 ms are over, arm A for 10 ms behind the whole");
    story.expect("advance to 1 ms before: fires", std::string("-"), bed.advance_to(turn + 9ms));
    story.expect("advance to that time: fires", std::string("A"), bed.advance_to(turn + 10ms));
}

TEST(Ex5_2_Cascade, EveryTickOfTwoTurnsFires) {
    Story story("is there a tick at which the hand forgets to stop?");
    WheelBed bed;
    for (int ms = 1; ms <= 600; ++ms) {
        bed.arm('A', std::chrono::milliseconds(ms));
        const std::string fired = bed.advance_to(std::chrono::milliseconds(ms));
        if (fired == "A") continue;
        story.step("arm A for the next tick, advance by one tick, 600 times");
        story.expect("at " + std::to_string(ms) + " ms fires", std::string("A"), fired);
        return;
    }
}

TEST(Ex5_2_Cascade, LongJumpFiresInOrderOfTheDeadlines) {
    Story story("which stop of the hand comes next: who knows, across all levels?");
    WheelBed bed;
    bed.arm('E', 20'000'000ms);
    bed.arm('B', 256ms);
    bed.arm('D', 70'000ms);
    bed.arm('A', 3ms);
    bed.arm('C', 257ms);
    story.step("arm A 3, B 256, C 257, D 70,000, E 20,000,000 ms, in another order");
    story.expect("advance to an hour at once: fires", std::string("ABCD"), bed.advance_to(1h));
    story.expect("advance to ten hours: fires", std::string("E"), bed.advance_to(10h));
}

TEST(Ex5_2_Cascade, TimersOfOneTickFireInTheOrderOfTheirArming) {
    Story story("does a timer that comes down from above go behind those that came before it?");
    WheelBed bed;
    bed.arm('A', 1000ms);
    bed.advance_to(500ms);
    bed.arm('B', 1000ms);
    bed.advance_to(800ms);
    bed.arm('C', 1000ms);
    story.step("arm A, B and C for 1000 ms: at 0, at 500 and at 800 ms");
    story.expect("advance to 1000 ms: fires", std::string("ABC"), bed.advance_to(1000ms));
}

TEST(Ex5_2_Cascade, CancelledTimerFiresOnNoLevel) {
    Story story("what keeps a timer in a list from which it was taken?");
    WheelBed bed;
    const Duration at[] = {5ms, 300ms, 70'000ms, 20'000'000ms, 5'000'000'000ms};
    for (int i = 0; i < 5; ++i) bed.arm(static_cast<char>('A' + i), at[i]);
    for (int i = 0; i < 5; ++i) bed.arm(static_cast<char>('a' + i), at[i]);
    for (int i = 0; i < 5; ++i) bed.cancel(static_cast<char>('A' + i));
    story.step("arm two timers on every level, cancel the first of each");
    story.expect("advance to 100 days: fires", std::string("abcde"), bed.advance_to(24h * 100));
}

TEST(Ex5_2_Cascade, TimerThatIsDueCanStillBeCancelled) {
    Story story("who has the timer between `advance` and `pop_expired`?");
    WheelBed bed;
    bed.arm('A', 5ms);
    bed.arm('B', 5ms);
    bed.wheel().advance(WheelBed::kOrigin + 5ms);
    story.step("arm A and B for 5 ms, advance to 5 ms, pop nothing yet");
    story.expect("A is armed", true, bed.armed('A'));
    bed.cancel('A');
    story.step("cancel A");
    story.expect("fires", std::string("B"), bed.fire());
}

TEST(Ex5_2_Cascade, HandNeverTurnsBack) {
    Story story("slots are read relative to the hand: what do they mean if it goes back?");
    WheelBed bed;
    bed.advance_to(1000ms);
    bed.arm('A', 1010ms);
    bed.advance_to(300ms);
    story.step("advance to 1000 ms, arm A for 1010 ms, advance to 300 ms");
    story.expect("advance to 600 ms: fires", std::string("-"), bed.advance_to(600ms));
    story.expect("advance to 1009 ms: fires", std::string("-"), bed.advance_to(1009ms));
    story.expect("advance to 1010 ms: fires", std::string("A"), bed.advance_to(1010ms));
}

TEST(Ex5_2_Cascade, HandBetweenTwoTicksHasNotReachedTheSecond) {
    Story story("5.1 rounds a deadline up, so that nobody is early: and the time of the hand?");
    WheelBed bed;
    bed.arm('A', 5ms);
    story.step("arm A for 5 ms");
    story.expect("advance to 4.999999 ms: fires", std::string("-"), bed.advance_to(5ms - 1ns));
    story.expect("the hand stands at tick", std::uint64_t{4}, bed.wheel().current_tick());
    story.expect("advance to 5.000001 ms: fires", std::string("A"), bed.advance_to(5ms + 1ns));
}

TEST(Ex5_2_Cascade, TimeBeforeTheOriginIsTickZero) {
    Story story(
        "the distance from the origin is negative, and a tick has no sign: what becomes of it?");
    WheelBed bed;
    bed.arm('A', 5ms);
    story.step("arm A for 5 ms");
    story.expect("advance to an hour before the origin: fires", std::string("-"),
                 bed.advance_to(-1h));
    story.expect("the hand stands at tick", std::uint64_t{0}, bed.wheel().current_tick());
}

TEST(Ex5_2_Cascade, LaterTurnsOfAWheelAreLikeTheFirst) {
    for (const Duration delay : {300ms, 70'000ms, 20'000'000ms}) {
        Story story("a slot begins in the turn in which its wheel is now: which digits say so?");
        WheelBed bed;
        const Duration now = 5'000'000'123ms;
        bed.advance_to(now);
        bed.arm('A', now + delay);
        story.step("the hand stands at 5,000,000,123 ms; arm A for " + in_ms(delay) + " later");
        if (!story.expect("a millisecond before that: fires", std::string("-"),
                          bed.advance_to(now + delay - 1ms))) {
            return;
        }
        if (!story.expect("then: fires", std::string("A"), bed.advance_to(now + delay))) return;
    }
}

TEST(Ex5_2_Cascade, EmptyTimeIsJumpedOver) {
    Story story(
        "a century has three million million ticks: at how many of them is anything to do?");
    WheelBed bed;
    bed.arm('A', 24h * 36'500 - 1ms);
    story.step("arm A for a millisecond before a century");
    story.expect("a day before: fires", std::string("-"), bed.advance_to(24h * 36'499));
    story.expect("a century: fires", std::string("A"), bed.advance_to(24h * 36'500));
}

TEST(Ex5_2_Cascade, WorkOfOneCallIsBounded) {
    Story story("what has to happen first when an interrupted `advance` is called again?");
    WheelBed bed;
    for (char name = 'A'; name <= 'Z'; ++name) bed.arm(name, 300ms);
    story.step("arm A to Z for 300 ms, all in one slot of level 1");
    bed.wheel().advance(WheelBed::kOrigin + 300ms, 10);
    story.step("advance to 300 ms, moving ten timers at most");
    story.expect("there is more to do", true, bed.wheel().due());
    story.expect("fires so far", std::string("-"), bed.fire());
    bed.wheel().advance(WheelBed::kOrigin + 300ms, 10);
    bed.wheel().advance(WheelBed::kOrigin + 300ms, 10);
    story.step("twice more");
    story.expect("fires", std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZ"), bed.fire());
}

TEST(Ex5_2_Cascade, WorkOfOneCallIsBoundedOverAllItsStops) {
    Story story("the bound is that of the call: at how many slots does the hand stop in one?");
    WheelBed bed;
    for (char name = 'A'; name <= 'J'; ++name) bed.arm(name, name < 'F' ? 300ms : 600ms);
    bed.wheel().advance(WheelBed::kOrigin + 1s, 6);
    story.step("arm A to E for 300 and F to J for 600 ms, two slots of level 1");
    story.step("advance to 1000 ms, moving six timers at most");
    std::string fired = bed.fire();
    story.expect("all have fired", false, fired.find('J') != std::string::npos);
    for (int calls = 0; bed.wheel().due() && calls < 10; ++calls) {
        bed.wheel().advance(WheelBed::kOrigin + 1s, 6);
        const std::string more = bed.fire();
        if (more != "-") fired += more;
    }
    story.step("go on as long as something is due");
    story.expect("fired", std::string("ABCDEFGHIJ"), fired);
}

TEST(Ex5_2_Cascade, TimerArmedForThePastFiresInTheSameTurn) {
    Story story("seen from which tick is B placed, and does the loop over the due ones see it?");
    WheelBed bed;
    bed.arm('A', 5ms);
    bed.wheel().advance(WheelBed::kOrigin + 10ms);
    bed.arm('B', 7ms);
    story.step("arm A for 5 ms, advance to 10 ms, arm B for 7 ms");
    story.expect("fires", std::string("AB"), bed.fire());
}

TEST(Ex5_2_Oracle, AgreesWithAnOrderedMapWhateverHappens) {
    for (unsigned seed = 1; seed <= 20; ++seed) {
        WheelOracle oracle(seed, 300);
        for (int i = 0; i < 3000; ++i) {
            oracle.arm_or_cancel_one();
            if (i % 3 != 0) continue;
            const std::string difference = oracle.advance_somewhere();
            ASSERT_EQ(difference, "")
                << "seed " << seed << ", step " << i
                << "\nAsk yourself: what is special about the ticks that differ?";
        }
    }
}

TEST(Ex5_2_Oracle, AgreesWithAnOrderedMapWhenItsWorkIsBounded) {
    for (unsigned seed = 1; seed <= 10; ++seed) {
        WheelOracle oracle(seed, 300);
        oracle.limit_moves(7);
        for (int i = 0; i < 2000; ++i) {
            oracle.arm_or_cancel_one();
            if (i % 5 != 0) continue;
            const std::string difference = oracle.advance_somewhere();
            ASSERT_EQ(difference, "")
                << "seed " << seed << ", step " << i
                << "\nAsk yourself: may the hand move on while timers are falling?";
        }
    }
}

}  // namespace
}  // namespace starling
