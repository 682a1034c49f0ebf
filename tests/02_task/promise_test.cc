// 2.1: what the compiler asks of a coroutine. No body ends here (2.3), nobody awaits a child (2.2).
#include <gtest/gtest.h>
#include <cstdlib>
#include <memory>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/task.hh>
#include <starling/task_probes.hh>
#include <string>
#include <utility>
#include <vector>

namespace starling {
namespace {

using testing_support::Hold;
using testing_support::ScriptedPost;
using testing_support::start;
using testing_support::Story;
using testing_support::StubbornHold;
using testing_support::Tracked;
using testing_support::Waiter;
using Log = std::vector<std::string>;

Task<> write_and_hold(Log& log, Hold& hold) {
    log.push_back("begins");
    co_await hold;
    log.push_back("goes on");
    co_await hold;
    log.push_back("goes on again");
    co_await hold;
}

TEST(Ex2_1_Promise, TaskDoesNothingUntilSomebodyResumesIt) {
    Story story("the compiler asks the promise whether to stop before the first statement");
    Log log;
    Hold hold;
    Task<> task = write_and_hold(log, hold);
    story.step("make a task: Task<> task = f(...)");
    story.expect("what its body did", Log{}, log);
    story.expect("it holds a coroutine", true, task.valid());
    post(task.promise());
    story.step("post(task.promise())");
    story.expect("what its body did", Log{"begins"}, log);
    story.expect("the body has ended", false, task.done());
}

TEST(Ex2_1_Promise, BodyGoesOnWhereItStopped) {
    Log log;
    Hold hold;
    Task<> task = write_and_hold(log, hold);
    post(task.promise());
    hold.go();
    EXPECT_EQ(log, (Log{"begins", "goes on"}));
    hold.go();
    EXPECT_EQ(log, (Log{"begins", "goes on", "goes on again"}));
}

TEST(Ex2_1_Promise, PromiseIsAContinuation) {
    // So a run queue holds tasks without knowing what a task is.
    ScriptedPost queue;
    Log log;
    Hold hold;
    Task<> task = write_and_hold(log, hold);
    Continuation& continuation = task.promise();
    post(continuation);
    EXPECT_EQ(log, Log{}) << "posted, but its turn has not come";
    queue.run_all();
    EXPECT_EQ(log, Log{"begins"});
    EXPECT_TRUE(hold.held()) << "the body has to wait, and says so to what it waits for";
}

TEST(Ex2_1_Promise, TaskThatNobodyResumesNeverRuns) {
    Log log;
    Hold hold;
    {
        Task<> never = write_and_hold(log, hold);
        EXPECT_TRUE(never.valid());
    }
    EXPECT_EQ(log, Log{});
}

Task<> keep(Tracked argument, Hold& hold) {
    Tracked local(argument.value + 1);
    co_await hold;
    local.value += argument.value;
    co_await hold;
}

TEST(Ex2_1_Promise, ArgumentsLiveInTheFrame) {
    Tracked::alive = 0;
    Hold hold;
    {
        Task<> task = keep(Tracked(1), hold);
        EXPECT_EQ(Tracked::alive, 1) << "the caller's temporary is gone; its copy is in the frame";
    }
    EXPECT_EQ(Tracked::alive, 0) << "an unstarted task takes its arguments along";
}

TEST(Ex2_1_Promise, LocalsOfASuspendedTaskAreDestroyedWithIt) {
    Tracked::alive = 0;
    Hold hold;
    {
        Task<> task = keep(Tracked(1), hold);
        post(task.promise());
        EXPECT_EQ(Tracked::alive, 2) << "the argument and the local variable";
    }
    EXPECT_EQ(Tracked::alive, 0);
}

Task<> look_around(Context*& seen, Hold& hold) {
    seen = &(co_await this_context());
    co_await hold;
}

TEST(Ex2_1_Promise, BodyKnowsTheContextItRunsIn) {
    Context context("lookout");
    Context* seen = nullptr;
    Hold hold;
    Task<> task = look_around(seen, hold);
    testing_support::start(task, context);
    EXPECT_EQ(seen, &context);
    EXPECT_TRUE(hold.held()) << "asking for it did not suspend";
}

/// Made where no compiler can see that its frame dies before its caller's, and put it there.
[[gnu::noinline]] Task<>* made_elsewhere(Log& log, Hold& hold) {
    return new Task<>(write_and_hold(log, hold));
}

TEST(Ex2_1_Promise, MemoryOfAFrameIsUsedAgain) {
    Log log;
    Hold hold;
    std::unique_ptr<Task<>> task(made_elsewhere(log, hold));
    [[maybe_unused]] const void* const first = &task->promise();
    task.reset();
    task.reset(made_elsewhere(log, hold));
#if !STARLING_FRAME_POOL_OFF  // A build with AddressSanitizer has no pool.
    EXPECT_EQ(&task->promise(), first) << "the first frame's memory went to the frame pool; where "
                                          "did the second frame's come from?";
#endif
}

TEST(Ex2_1_Promise, DefaultTaskHoldsNothing) {
    Story story("what is there to destroy in a task that holds nothing?");
    {
        Task<> none;
        story.step("Task<> none");
        story.expect("it holds a coroutine", false, none.valid());
        story.expect("its body has ended", false, none.done());
        story.step("none is destroyed");
    }
    Hold hold;
    Log log;
    story.expect("a task that was made holds one", true, write_and_hold(log, hold).valid());
}

/// An operation that gives a number, and counts what is asked of it.
struct Number {
    int value;
    bool is_ready;
    int asked = 0;
    int started = 0;
    int finished = 0;
    Continuation* waiter = nullptr;

    bool ready() noexcept {
        ++asked;
        return is_ready;
    }
    void start(Continuation& c) noexcept {
        ++started;
        waiter = &c;
    }
    bool stopped() const noexcept { return false; }
    int finish() noexcept {
        ++finished;
        return value;
    }
};

Task<> add(int& sum, Number& a, Number& b, Hold& hold) {
    sum = co_await a;
    sum += co_await b;
    co_await hold;
}

TEST(Ex2_1_Awaiter, ReadyOperationIsTakenAtOnceAndTheOtherIsStarted) {
    Story story("ready() has a part in each await; who needs start(), and who must not get it?");
    int sum = 0;
    Number here{.value = 1, .is_ready = true};
    Number later{.value = 2, .is_ready = false};
    Hold hold;
    Context context;
    Task<> task = add(sum, here, later, hold);
    start(task, context);
    story.step("sum = co_await here;  sum += co_await later;  only `here` is ready");
    story.expect("the sum", 1, sum);
    story.expect("times that `here` was started", 0, here.started);
    story.expect("times that `later` was started", 1, later.started);
    if (!story.expect("who waits for it is the task", true, later.waiter == &task.promise())) {
        return;
    }
    post(*later.waiter);
    story.step("`later` is over, and posts who waits");
    story.expect("the sum", 3, sum);
    story.expect("times that each of them was finished", 2, here.finished + later.finished);
}

Task<> take_many(int& taken, Number& op, Hold& hold) {
    for (; taken < 10'000; ++taken) co_await op;
    co_await hold;
}

TEST(Ex2_1_Awaiter, TaskThatNeverHasToWaitLetsOthersRun) {
    Story story("everything this task awaits is ready: who on this thread gets a turn, and when?");
    ScriptedPost posts;
    int taken = 0;
    Number op{.value = 1, .is_ready = true};
    Hold hold;
    Context context;
    Task<> greedy = take_many(taken, op, hold);
    Waiter other;
    start(greedy, context);
    post(other);
    posts.run_one();
    story.step("a task that takes 10,000 ready operations has its first turn; another one waits");
    story.expect("it has taken some", true, taken > 10);
    story.expect("it has taken all", false, taken == 10'000);
    posts.run_one();
    story.expect("then the other one has run", 1, other.resumed);
    const int first = taken;
    posts.run_one();
    story.step("the first one's second turn");
    story.expect("it has taken about as many again", true, taken - first > first / 2);
    posts.run_all();
    story.step("turn by turn, to the end");
    story.expect("it has taken", 10'000, taken);
    story.expect("times that something was finished", 10'000, op.finished);
    story.expect("times that something that was ready was started", 0, op.started);
}

TEST(Ex2_1_Awaiter, TaskThatIsResumedOutsideOfAnyLoopComesToItsEnd) {
    Story story("a post may run the task at once: what has to be settled before it?");
    int taken = 0;
    Number op{.value = 1, .is_ready = true};
    Hold hold;
    Context context;
    Task<> greedy = take_many(taken, op, hold);
    greedy.promise().set_context(&context);
    greedy.promise().resume();
    story.step("a task that takes 10,000 ready operations is resumed by hand");
    story.expect("it has taken", 10'000, taken);
    story.expect("times that something that was ready was started", 0, op.started);
}

Task<> wait_many(int count, Number& op, Hold& hold) {
    for (int i = 0; i < count; ++i) co_await op;
    co_await hold;
}

TEST(Ex2_1_Awaiter, TaskThatHasToWaitSpendsNothing) {
    Story story("this task gives way with every await: what is the budget for?");
    Number op{.value = 1, .is_ready = false};
    Hold hold;
    Context context;
    Task<> patient = wait_many(3 * kReadyBudget, op, hold);
    start(patient, context);
    story.step("a task awaits, one after the other, many operations that all have to wait");
    for (int n = 1; n <= 3 * kReadyBudget; ++n) {
        if (!story.expect("times that one was started", n, op.started)) return;
        if (!story.expect("times that one was finished", n - 1, op.finished)) return;
        post(*op.waiter);
    }
    story.expect("it waits for nothing of the kind any more", true, hold.held());
}

TEST(Ex2_1_Awaiter, OperationIsAskedOnceWhetherItIsReady) {
    Story story("ready() may have done the work when it says yes: what does a second call do?");
    int taken = 0;
    Number op{.value = 1, .is_ready = true};
    Hold hold;
    Context context;
    Task<> greedy = take_many(taken, op, hold);
    start(greedy, context);
    story.step("a task takes 10,000 operations that are ready");
    story.expect("it has taken", 10'000, taken);
    story.expect("times that ready() was called", 10'000, op.asked);
}

Task<> clean_up_when_stopped(Story& story, Log& log, Hold& work, StubbornHold& clean_up) {
    try {
        co_await work;
    } catch (const Cancelled&) {
        log.push_back("cancelled");
    }
    log.push_back("cleans up");
    try {
        co_await clean_up;
    } catch (const Cancelled&) {
        story.expect("an await of what ignores stops throws Cancelled", false, true);
        std::abort();  // How bodies end is another exercise.
    }
}

TEST(Ex2_1_Awaiter, TaskThatRunsInNoContextIsNeverStopped) {
    Story story("a task may run on nobody's behalf: whom do you ask for its stop then?");
    Log log;
    Hold work;
    StubbornHold clean_up;
    Task<> task = clean_up_when_stopped(story, log, work, clean_up);
    story.step("a task that has no context awaits some work");
    post(task.promise());
    story.expect("the work was started", true, work.held());
}

TEST(Ex2_1_Awaiter, StoppedTaskAwaitsOnlyWhatIgnoresStops) {
    Story story("which operations say that they run whatever happens, and who looks at that?");
    Log log;
    Hold work;
    StubbornHold clean_up;
    Context context;
    context.request_stop();
    Task<> task = clean_up_when_stopped(story, log, work, clean_up);
    start(task, context);
    story.step("a task whose context is stopped awaits some work");
    story.expect("the work was started", false, work.held());
    story.expect("what the task did", Log{"cancelled", "cleans up"}, log);
    story.step("it catches Cancelled, and awaits what ignores stops");
    story.expect("that was started", true, clean_up.held());
}

}  // namespace
}  // namespace starling
