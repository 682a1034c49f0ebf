// 4.1: a turn is a bounded batch, then a look at the sources.
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <deque>
#include <starling/executor.hh>
#include <starling/executor_probes.hh>
#include <starling/probes.hh>
#include <starling/run_queue.hh>
#include <starling/story.hh>
#include <starling/task_probes.hh>
#include <starling/virtual_clock.hh>
#include <string>
#include <vector>

namespace starling {
namespace {

using namespace std::chrono_literals;
using testing_support::Ready;
using testing_support::run_turns;
using testing_support::ScriptedSource;
using testing_support::Story;
using testing_support::Waiter;

TEST(Ex4_1_Batch, QueuedWorkRunsOldestFirst) {
    std::vector<std::string> log;
    Waiter a([&] { log.push_back("a"); });
    Waiter b([&] { log.push_back("b"); });
    Waiter c([&] { log.push_back("c"); });
    Executor executor;
    for (Waiter* task : {&a, &b, &c}) executor.schedule(*task);
    EXPECT_TRUE(log.empty()) << "schedule only queues";
    EXPECT_TRUE(executor.run_once()) << "there was something to do";
    EXPECT_EQ(log, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_FALSE(executor.run_once()) << "now there is nothing";
}

TEST(Ex4_1_Batch, BatchRunsAtMostItsCount) {
    Story story("a batch has two bounds; which of them counts here?");
    std::deque<Waiter> tasks(25);
    Executor executor({.batch_max = 10, .batch_time = Duration::max()});
    for (Waiter& task : tasks) executor.schedule(task);
    story.step("25 continuations are queued; batch_max is 10");
    for (const std::uint64_t expected : {10u, 20u, 25u}) {
        executor.run_once();
        story.expect("after one more turn, how many have run", expected, executor.stats().resumed);
    }
    story.expect("turns", std::uint64_t{3}, executor.stats().turns);
}

TEST(Ex4_1_Batch, SourcesArePolledHoweverMuchThereIsToDo) {
    Story story("a task that always queues itself again: when does the loop look at the network?");
    VirtualClock clock;  // It stands still: only the count can end a batch.
    int left = 100'000;  // A bound, so that a wrong loop ends too.
    Waiter forever([&] {
        if (--left > 0) post(forever);
    });
    Executor executor({.clock = &clock});
    ScriptedSource source(executor);
    executor.schedule(forever);
    story.step("a continuation posts itself every time it runs; ten turns");
    for (int i = 0; i < 10; ++i) executor.run_once();
    story.expect("how often the source was polled", 10, source.polls);
    story.expect("it is still queued", true, left > 1000);
    left = 1;
    executor.run_once();
}

TEST(Ex4_1_Batch, TurnRunsWhatTheSourcesBring) {
    Story story(
        "a turn is a poll and a batch: in which order, and when do you know what there was?");
    Waiter event;
    Executor executor;
    ScriptedSource source(executor);
    source.on_poll = [&] {
        if (source.polls == 2) post(event);
    };
    story.expect("the first turn had something to run", false, executor.run_once());
    story.step("a source brings an event at the second poll");
    story.expect("the second turn had something to run", true, executor.run_once());
    story.expect("times the event's waiter ran", 1, event.resumed);
    story.expect("the third turn had something to run", false, executor.run_once());
}

TEST(Ex4_1_Batch, SourcesArePolledInTheOrderTheyWereAdded) {
    std::string log;
    Executor executor;
    ScriptedSource first(executor);
    ScriptedSource second(executor);
    first.on_poll = [&] { log += "1"; };
    second.on_poll = [&] { log += "2"; };
    executor.run_once();
    executor.run_once();
    EXPECT_EQ(log, "1212") << "the cheapest was added first";
}

TEST(Ex4_1_Batch, SourcesArePolledWithTheTimeOfTheirTurn) {
    Story story(
        "a source asks now() which of its deadlines have passed: who reads the clock, when?");
    VirtualClock clock;
    Executor executor({.clock = &clock});
    ScriptedSource source(executor);
    TimePoint seen;
    source.on_poll = [&] { seen = executor.now(); };
    for (int i = 1; i <= 3; ++i) {
        clock.advance(10ms);
        executor.run_once();
        story.step("10 ms pass, then a turn");
        story.expect("ns by which now(), within the poll, is behind the clock", 0,
                     (clock.now() - seen).count());
    }
}

TEST(Ex4_1_Batch, BatchEndsWhenItsTimeIsUp) {
    Story story("the count is far away; who else may end the batch?");
    VirtualClock clock;
    std::deque<Waiter> tasks;
    Executor executor({.clock = &clock, .batch_max = 10'000, .batch_time = 5ms});
    for (int i = 0; i < 1000; ++i) {
        executor.schedule(tasks.emplace_back([&] { clock.advance(1ms); }));
    }
    executor.run_once();
    story.step("1,000 continuations of 1 ms each; batch_time is 5 ms; one turn");
    story.expect("it ran at least 5", true, executor.stats().resumed >= 5);
    story.expect("it ran at most 64", true, executor.stats().resumed <= 64);
    EXPECT_TRUE(run_turns(executor));
}

TEST(Ex4_1_Batch, BatchWithoutALimitOfTimeRunsItsCount) {
    Story story("batch_time is the longest there is: how do you compare with it?");
    VirtualClock clock;
    std::deque<Waiter> tasks(200);
    Executor executor({.clock = &clock, .batch_max = 100, .batch_time = Duration::max()});
    for (Waiter& task : tasks) executor.schedule(task);
    executor.run_once();
    story.step("200 continuations, a batch_max of 100, no limit of time; one turn");
    story.expect("it ran", std::uint64_t{100}, executor.stats().resumed);
    EXPECT_TRUE(run_turns(executor));
}

TEST(Ex4_1_Batch, FastBatchSeldomReadsTheClock) {
    struct CountingClock final : Clock {
        TimePoint now() const noexcept override {
            ++reads;
            return TimePoint(1h);
        }
        mutable int reads = 0;
    } clock;
    std::deque<Waiter> tasks(256);
    Executor executor({.clock = &clock});
    for (Waiter& task : tasks) executor.schedule(task);
    clock.reads = 0;
    executor.run_once();
    EXPECT_EQ(executor.stats().resumed, 256u);
    EXPECT_LE(clock.reads, 32) << "a read costs as much as running several continuations";
}

TEST(Ex4_1_Batch, PostGoesToTheExecutorThatRuns) {
    Waiter second;
    Waiter first([&] { post(second); });
    Executor left;
    Executor right;
    left.schedule(first);
    run_turns(right);
    EXPECT_EQ(first.resumed, 0) << "it was scheduled on the other one";
    left.run_once();
    EXPECT_FALSE(right.run_once()) << "`first` ran on the left, so what it posts goes there";
    run_turns(left);
    EXPECT_EQ(second.resumed, 1);
}

/// Takes `count` ready operations in a row.
Task<> take_ready(int count, int& taken) {
    for (; taken < count; ++taken) co_await Ready{};
}

/// A task that runs on `executor` without anybody's bookkeeping.
struct Bare {
    Bare(Executor& executor, Task<>&& body, Priority priority = Priority::normal)
        : context("bare", priority), task(std::move(body)) {
        task.promise().set_context(&context);
        executor.schedule(task.promise());
    }
    Context context;
    Task<> task;
};

TEST(Ex4_1_Batch, AlwaysReadyTaskGivesWay) {
    Story story("nothing ever makes it wait: what makes it stop, so that the other can run?");
    int greedy = 0;
    int other = 0;
    Executor executor({.batch_max = 2, .batch_time = Duration::max()});
    Bare first(executor, take_ready(10'000, greedy));
    Bare second(executor, take_ready(1, other));
    executor.run_once();
    story.step("two tasks: one takes 10,000 ready operations, the other one; a turn of two");
    story.expect("the other has had its turn", 1, other);
    story.expect("the first took no more than its budget", true, greedy <= kReadyBudget);
    EXPECT_TRUE(run_turns(executor));
    EXPECT_EQ(greedy, 10'000);
}

TEST(Ex4_1_Batch, EachContinuationHasAFullBudget) {
    Story story("the task before it has used some of the budget: whose budget is that?");
    int before = 0;
    int after = 0;
    Executor executor({.batch_max = 2, .batch_time = Duration::max()});
    Bare first(executor, take_ready(kReadyBudget - 10, before));
    Bare second(executor, take_ready(kReadyBudget - 10, after));
    executor.run_once();
    story.step("two tasks, each takes a few operations less than a budget; a turn of two");
    story.expect("the first took", kReadyBudget - 10, before);
    story.expect("the second took", kReadyBudget - 10, after);
    run_turns(executor);
}

/// Yields until it is told to stop, and counts. (It has a bound, so that a wrong batch ends too.)
Task<> count_turns(const bool& stop, int& count) {
    while (!stop && count < 10'000) {
        ++count;
        co_await testing_support::Yield{};
    }
}

TEST(Ex4_1_Priorities, EachGetsItsWeightAndNobodyStarves) {
    Story story("each of them always has more to do: when is the turn over?");
    bool stop = false;
    int high = 0;
    int normal = 0;
    int low = 0;
    Executor executor({.batch_max = 21 * 10, .batch_time = Duration::max()});
    Bare a(executor, count_turns(stop, low), Priority::low);
    Bare b(executor, count_turns(stop, normal), Priority::normal);
    Bare c(executor, count_turns(stop, high), Priority::high);
    executor.run_once();
    story.step("three tasks yield for ever; one turn of 210");
    story.expect("the high one ran (16 of 21)", 160, high);
    story.expect("the normal one ran (4 of 21)", 40, normal);
    story.expect("the low one ran (1 of 21: little, but not nothing)", 10, low);
    stop = true;
    run_turns(executor);
}

TEST(Ex4_1_Priorities, LowOneAloneGetsEverything) {
    Story story("nobody competes with it, and it always has more to do: when is the turn over?");
    bool stop = false;
    int low = 0;
    Executor executor({.batch_max = 100, .batch_time = Duration::max()});
    Bare task(executor, count_turns(stop, low), Priority::low);
    executor.run_once();
    story.step("a task of low priority yields for ever; one turn of 100");
    story.expect("it ran", 100, low);
    stop = true;
    run_turns(executor);
}

TEST(Given4_RunQueue, OrderIsKeptWithinAPriority) {
    RunQueue queue;
    std::array<Waiter, 99> tasks;
    std::deque<Context> contexts;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        tasks[i].set_context(&contexts.emplace_back("", static_cast<Priority>(i % 3)));
        queue.push(tasks[i]);
    }
    const Waiter* last[kPriorities] = {};
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        ASSERT_FALSE(queue.empty());
        Continuation& c = queue.pop();
        const auto priority = static_cast<int>(c.context()->priority());
        EXPECT_TRUE(last[priority] == nullptr || last[priority] < &c) << "older ones first";
        last[priority] = static_cast<Waiter*>(&c);
    }
    EXPECT_TRUE(queue.empty());
}

struct Lamp {
    static constexpr ServiceSlot kSlot = ServiceSlot::user;
    static constexpr const char* kName = "a Lamp";
};

TEST(Given4_Env, MissingServiceIsASentence) {
    try {
        service<Lamp>("shine");
        FAIL() << "there is no Lamp here";
    } catch (const std::logic_error& e) {
        EXPECT_EQ(std::string(e.what()).rfind("shine needs a Lamp", 0), 0u) << e.what();
    }
    EXPECT_EQ(try_service<Lamp>(), nullptr);
    Lamp lamp;
    Executor executor;
    provide_service(executor.env(), &lamp);
    const Executor::Enter scope(executor);
    EXPECT_EQ(&service<Lamp>("shine"), &lamp);
    EXPECT_EQ(&this_executor("shine"), &executor);
    Executor darker;
    const Executor::Enter inner(darker);
    EXPECT_EQ(try_service<Lamp>(), nullptr) << "the innermost scope counts";
}

}  // namespace
}  // namespace starling
