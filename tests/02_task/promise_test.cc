// 2.1: what the compiler asks of a coroutine. No body ends here (2.3), nobody awaits a child (2.2).
#include <gtest/gtest.h>
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
using testing_support::Story;
using testing_support::Tracked;
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
    Task<> none;
    EXPECT_FALSE(none.valid());
    EXPECT_FALSE(none.done());
    Hold hold;
    Log log;
    EXPECT_TRUE(write_and_hold(log, hold).valid());
}

}  // namespace
}  // namespace starling
