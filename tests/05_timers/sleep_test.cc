// 5.4: a task that sleeps. Needs 5.1, 5.2, 5.3.
#include <gtest/gtest.h>
#include <deque>
#include <random>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/timer_bed.hh>
#include <string>
#include <vector>

#include "wheel_bed.hh"

namespace starling {
namespace {

using testing_support::CountedTimer;
using testing_support::Story;
using testing_support::TimerBed;
using namespace std::chrono_literals;

/// Nanoseconds, for readable comparisons.
auto ns(Duration d) { return d.count(); }

TEST(Ex5_4_Sleep, TakesAsLongAsItSays) {
    Story story("who posts the sleeper, and when?");
    TimerBed bed;
    bed.run([]() -> Task<> { co_await sleep(250ms); });
    story.step("co_await sleep(250ms)");
    story.expect("ns that have passed", ns(250ms), ns(bed.elapsed()));
}

TEST(Ex5_4_Sleep, IsNeverShortAndAtMostATickLong) {
    std::mt19937_64 random(3);
    TimerBed bed;
    for (int i = 0; i < 300; ++i) {
        Story story("from which moment on does the sleep count?");
        const Duration delay(1 + static_cast<Duration::rep>(random() % 3'000'000));
        bed.clock.advance(Duration(static_cast<Duration::rep>(random() % 900'000)));
        const Duration begin = bed.elapsed();
        bed.run([&]() -> Task<> { co_await sleep(delay); });
        const Duration took = bed.elapsed() - begin;
        story.step("sleep for " + std::to_string(ns(delay)) + " ns, took " +
                   std::to_string(ns(took)));
        if (!story.expect("woke early", false, took < delay)) return;
        if (!story.expect("more than a tick late", false, took > delay + 1ms)) return;
    }
}

TEST(Ex5_4_Sleep, CountsFromTheCallEvenLateInATurn) {
    Story story("now() was read when the turn began: how much of the sleep has passed by then?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        bed.clock.advance(700ms);  // As if this task had computed for that long.
        const Duration begin = bed.elapsed();
        co_await sleep(100ms);
        story.step("compute for 700 ms, then sleep for 100 ms");
        story.expect("woke early", false, bed.elapsed() - begin < 100ms);
    });
}

/// Time passes between any two looks at it.
class RestlessClock final : public Clock {
  public:
    TimePoint now() const noexcept override { return now_ += 70us; }

  private:
    mutable TimePoint now_{1h};
};

TEST(Ex5_4_Sleep, EndsWhenTheTimeOfTheTurnHasCome) {
    Story story("there is the clock, and the time of this turn: which one does everybody see?");
    RestlessClock clock;
    Executor executor({.clock = &clock, .spin = Duration::max()});
    TimerService timers(executor);
    int early = 0;
    executor.block_on([&]() -> Task<> {
        for (int i = 0; i < 200; ++i) {
            SleepOperation nap = sleep(2ms + i * 10us);
            co_await nap;
            if (executor.now() < nap.deadline()) ++early;
        }
    });
    story.step("two hundred naps under a clock that moves on with every look at it");
    story.expect("how often the executor's now() was before the deadline", 0, early);
}

TEST(Ex5_4_Sleep, OfNoTimeDoesNotWait) {
    Story story("what does ready() say about a deadline that has passed?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        story.expect("ready(), of sleep(0ms)", true, sleep(0ms).ready());
        story.expect("ready(), of sleep(1ms)", false, sleep(1ms).ready());
        co_await sleep(0ms);
        co_await sleep(-5ms);
        co_await sleep_until(bed.clock.now() - 1h);
        story.step("sleep for 0 ms, for -5 ms, and until an hour ago");
    });
    story.expect("times the executor slept", 0u, bed.sleeps());
    story.expect("ns that have passed", 0, ns(bed.elapsed()));
}

TEST(Ex5_4_Sleep, AnyUnitWillDo) {
    Story story("where does a duration become nanoseconds, and in which direction is it rounded?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        co_await sleep(0.0015s);
        story.step("sleep(0.0015s)");
        story.expect("ns that have passed", ns(2ms), ns(bed.elapsed()));
        co_await sleep_until(bed.clock.now() + 0.5ms);
        story.step("sleep_until(now + 0.5ms)");
        story.expect("ns that have passed", ns(3ms), ns(bed.elapsed()));
        co_await sleep(std::chrono::days(1));
        story.step("sleep(days(1))");
        story.expect("ns that have passed", ns(24h + 3ms), ns(bed.elapsed()));
    });
}

TEST(Ex5_4_Sleep, ForEverEndsByAStop) {
    Story story("now + for ever: is that a point in time?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        auto sleeper = spawn([]() -> Task<> { co_await sleep(std::chrono::hours::max()); });
        co_await sleep(24h * 365);
        story.step("sleep(hours::max()); a year passes");
        story.expect("it has woken", false, sleeper.done());
        sleeper.abort();
        EXPECT_THROW(co_await sleeper, TaskAborted);
    });
}

TEST(Ex5_4_Sleep, ExecutorSleepsOnceHoweverLong) {
    for (const Duration delay :
         {Duration(5ms), Duration(10s), Duration(10min), Duration(5h), Duration(24h * 60)}) {
        Story story("what wakes the executor before anybody has to be woken?");
        TimerBed bed;
        bed.run([&]() -> Task<> { co_await sleep(delay); });
        story.step("sleep for " + std::to_string(delay / 1ms) + " ms");
        if (!story.expect("times the executor slept", 1u, bed.sleeps())) return;
    }
}

TEST(Ex5_4_Sleep, SleepersWakeInTheOrderOfTheirDeadlines) {
    Story story("in which order does the wheel give out what is due?");
    std::vector<int> woken;
    TimerBed bed;
    auto sleeper = [&](int id, Duration delay) -> Task<> {
        co_await sleep(delay);
        woken.push_back(id);
    };
    bed.run([&]() -> Task<> {
        auto c = spawn(sleeper(3, 70s));
        auto a = spawn(sleeper(1, 3ms));
        auto b = spawn(sleeper(2, 300ms));
        co_await sleep(100s);
    });
    story.step("three tasks sleep for 70 s, 3 ms and 300 ms");
    story.expect("they wake", std::vector{1, 2, 3}, woken);
}

TEST(Ex5_4_Sleep, MoveBeforeTheStartKeepsTheDeadline) {
    Story story("what of the operation moves along before it is started?");
    TimerBed bed;
    bed.run([&]() -> Task<> {
        SleepOperation op = sleep(30ms);
        SleepOperation moved = std::move(op);
        co_await moved;
        story.step("make a sleep of 30 ms, move it, await it");
        story.expect("ns that have passed", ns(30ms), ns(bed.elapsed()));
    });
}

TEST(Ex5_4_Sleep, ManyThatExpireTogetherLetOthersRun) {
    Story story("how many may one poll post before somebody else gets a turn?");
    constexpr int kSleepers = 5000;
    int woken = 0;
    int turns_meanwhile = 0;
    TimerBed bed;
    bed.run([&]() -> Task<> {
        for (int i = 0; i < kSleepers; ++i) {
            spawn([&]() -> Task<> {
                co_await sleep(5ms);
                ++woken;
            }).detach();
        }
        co_await sleep(5ms);
        while (woken < kSleepers) {
            ++turns_meanwhile;
            co_await yield();
        }
    });
    story.step("5000 tasks sleep until the same tick, another one yields while they wake");
    story.expect("they woke", kSleepers, woken);
    story.expect("it got a turn in between", true, turns_meanwhile > 2);
    story.expect("ns that have passed", ns(5ms), ns(bed.elapsed()));
}

TEST(Ex5_4_Sleep, BeyondAllTimeIsTheEndOfTime) {
    TimerBed bed;
    EXPECT_EQ(bed.timers.after(Duration::max()), TimePoint::max());
    bed.clock.advance(1h);
    EXPECT_EQ(bed.timers.after(Duration::max()), TimePoint::max());
}

/// Timers of one deadline, armed at the service of a TimerBed.
struct ArmedTimers {
    ArmedTimers(TimerBed& bed, int count, Duration delay) {
        for (int i = 0; i < count; ++i) {
            bed.timers.arm(timers.emplace_back(bed.clock.now() + delay));
        }
    }
    int fired() const {
        int count = 0;
        for (const CountedTimer& timer : timers) count += timer.times;
        return count;
    }
    std::deque<CountedTimer> timers;
};

TEST(Ex5_4_Poll, TurnThatReachesADeadlineWakesTheSleeper) {
    Story story("a poll turns the hand and fires what is due: in which order?");
    TimerBed bed;
    ArmedTimers armed(bed, 1, 5ms);
    bed.executor.run_once();
    bed.clock.advance(5ms);
    story.step("arm a timer for 5 ms; they pass");
    bed.executor.run_once();
    story.step("one turn of the executor");
    story.expect("timers that have fired", 1, armed.fired());
}

TEST(Ex5_4_Poll, CrowdThatIsDueIsFiredInPortions) {
    Story story(
        "all are due at once: who else waits for this poll to end, and who goes on with it?");
    constexpr int kTimers = 2000;
    TimerBed bed;
    ArmedTimers armed(bed, kTimers, 5ms);
    bed.clock.advance(5ms);
    bed.executor.run_once();
    story.step("2000 timers are due; one turn of the executor");
    story.expect("some have fired", true, armed.fired() > 0);
    story.expect("all have fired", false, armed.fired() == kTimers);
    story.expect("the executor may sleep now", false, bed.timers.before_sleep());
    for (int turn = 0; turn < 20; ++turn) bed.executor.run_once();
    story.step("twenty turns more");
    story.expect("timers that have fired", kTimers, armed.fired());
    story.expect("the executor may sleep now", true, bed.timers.before_sleep());
}

TEST(Ex5_4_Poll, CrowdThatFallsIsMovedInPortions) {
    Story story("nobody is due, but a whole slot comes down a level: how long may a poll take?");
    constexpr int kTimers = 20'000;
    TimerBed bed;
    ArmedTimers armed(bed, kTimers, 400ms);
    bed.clock.advance(390ms);
    bed.executor.run_once();
    story.step("20,000 timers for 400 ms; 390 ms pass; one turn of the executor");
    story.expect("the executor may sleep now", false, bed.timers.before_sleep());
    for (int turn = 0; turn < 20; ++turn) bed.executor.run_once();
    story.step("twenty turns more");
    story.expect("the executor may sleep now", true, bed.timers.before_sleep());
    story.expect("timers that have fired", 0, armed.fired());
}

TEST(Ex5_4_Sleep, TwentyThousandSleepersEachWakeInTime) {
    int late = 0;
    int woken = 0;
    TimerBed bed;
    auto sleeper = [&](Duration delay) -> Task<> {
        const TimePoint deadline = bed.clock.now() + delay;
        co_await sleep(delay);
        ++woken;
        if (bed.clock.now() < deadline || bed.clock.now() > deadline + 1ms) ++late;
    };
    bed.run([&]() -> Task<> {
        co_await sleep(1ms);
        std::mt19937 random(7);
        for (int i = 0; i < 20'000; ++i) {
            spawn(sleeper(std::chrono::microseconds(random() % 10'000'000))).detach();
        }
        co_await sleep(20s);
    });
    EXPECT_EQ(woken, 20'000);
    EXPECT_EQ(late, 0) << "sleepers were early, or more than a tick late\n"
                       << "Ask yourself: how far is the hand when the executor wakes?";
}

}  // namespace
}  // namespace starling
