// 2.6: tasks await futures, and may be stopped meanwhile.
#include <gtest/gtest.h>
#include <memory>
#include <starling/future.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/task.hh>
#include <starling/task_probes.hh>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace starling {
namespace {

using testing_support::Hold;
using testing_support::ImmediatePost;
using testing_support::Ready;
using testing_support::ScriptedPost;
using testing_support::StackProbe;
using testing_support::start;
using testing_support::Story;
using testing_support::Waiter;

Task<int> plus_one(Future<int> future) { co_return co_await std::move(future) + 1; }

TEST(Ex2_6_Future, ReadyFutureDoesNotSuspend) {
    ScriptedPost posts;
    Context context;
    Task<int> task = plus_one(make_ready_future<int>(1));
    start(task, context);
    posts.run_one();
    EXPECT_EQ(posts.waiting(), 0u);
    ASSERT_TRUE(task.done());
    EXPECT_EQ(task.promise().outcome().take(), 2);
}

TEST(Ex2_6_Future, PendingFutureResumesTheTask) {
    Story story("a task's promise is a continuation: what does the future wake?");
    Context context;
    Promise<int> promise;
    Task<int> task = plus_one(promise.get_future());
    start(task, context);
    story.step("a task awaits a future that is not ready");
    story.expect("the task is done", false, task.done());
    promise.set_value(1);
    story.step("the value comes: 1");
    if (!story.expect("the task is done", true, task.done())) return;
    story.expect("its result", 2, task.promise().outcome().take());
}

TEST(Ex2_6_Future, FailedFutureThrowsAtTheAwait) {
    Context context;
    Promise<int> promise;
    Task<int> task = plus_one(promise.get_future());
    start(task, context);
    promise.set_exception(std::out_of_range("late"));
    ASSERT_TRUE(task.done());
    EXPECT_THROW(task.promise().outcome().take(), std::out_of_range);
}

TEST(Ex2_6_Future, BrokenPromiseAndMissingPromiseEndTheWait) {
    Context context;
    auto promise = std::make_unique<Promise<int>>();
    Task<int> broken = plus_one(promise->get_future());
    start(broken, context);
    promise.reset();
    ASSERT_TRUE(broken.done());
    EXPECT_THROW(broken.promise().outcome().take(), FutureError);

    Task<int> missing = plus_one(Future<int>());
    start(missing, context);
    ASSERT_TRUE(missing.done()) << "this future has no promise that could end the wait";
    EXPECT_THROW(missing.promise().outcome().take(), FutureError);
}

TEST(Ex2_6_Future, StopEndsTheWait) {
    Story story("who knows of the wait when the stop comes: the future, or the context?");
    Context context;
    Promise<int> promise;
    Task<int> task = plus_one(promise.get_future());
    start(task, context);
    context.request_stop();
    story.step("a task awaits a future; its context is asked to stop");
    if (!story.expect("the task is done", true, task.done())) return;
    story.expect("it was stopped", true, task.promise().outcome().stopped());
    EXPECT_NO_THROW(promise.set_value(1)) << "the value comes late, and nobody wants it";
}

TEST(Ex2_6_Future, SuccessBeatsAStop) {
    Story story("the value was there before the stop: is it lost?");
    ScriptedPost posts;
    Context context;
    Promise<int> promise;
    Task<int> task = plus_one(promise.get_future());
    start(task, context);
    posts.run_all();
    promise.set_value(1);
    context.request_stop();
    story.step("the value comes, then a stop, and only then is it the task's turn");
    story.expect("the task is posted once", 1u, posts.waiting());
    posts.run_all();
    if (!story.expect("the task ended with a value", true, task.promise().outcome().has_value())) {
        return;
    }
    story.expect("the value", 2, task.promise().outcome().take());
}

TEST(Ex2_6_Future, ValueBehindAStopWakesNobodyTwice) {
    ScriptedPost posts;
    Context context;
    Promise<int> promise;
    Task<int> task = plus_one(promise.get_future());
    start(task, context);
    posts.run_all();
    context.request_stop();
    promise.set_value(1);
    EXPECT_EQ(posts.waiting(), 1u) << "the stop has posted the task; the value must not";
    posts.run_all();
    ASSERT_TRUE(task.done());
    ASSERT_FALSE(task.promise().outcome().stopped())
        << "the stop came first, but the value was there before the task ran: is it lost?";
    EXPECT_EQ(task.promise().outcome().take(), 2);
}

TEST(Ex2_6_Future, WaitThatWasStoppedByItselfHearsOfNoSecondStop) {
    ScriptedPost posts;
    Context context;
    Promise<int> promise;
    Waiter waiter;
    waiter.set_context(&context);
    FutureOperation<int> op(promise.get_future());
    op.start(waiter);
    op.stop();
    op.stop();
    context.request_stop();
    EXPECT_EQ(posts.waiting(), 1u) << "posted once, however often it is stopped";
    posts.run_all();
    EXPECT_EQ(waiter.resumed, 1);
    EXPECT_TRUE(op.stopped());
}

TEST(Ex2_6_Future, WaitThatWasStoppedMayBeginAndBeStoppedAgain) {
    ScriptedPost posts;
    Promise<int> promise;
    Waiter waiter;
    FutureOperation<int> op(promise.get_future());
    for (int times = 1; times <= 2; ++times) {
        op.start(waiter);
        op.stop();
        posts.run_all();
        EXPECT_EQ(waiter.resumed, times);
    }
    op.start(waiter);
    promise.set_value(3);
    posts.run_all();
    EXPECT_EQ(waiter.resumed, 3);
    EXPECT_EQ(op.finish(), 3);
}

TEST(Ex2_6_Future, StopOfAFinishedWaitIsHarmless) {
    Context context;
    Promise<int> first;
    Promise<int> second;
    struct Body {
        static Task<int> run(Future<int> a, Future<int> b) {
            const int x = co_await std::move(a);
            co_return x + co_await std::move(b);
        }
    };
    Task<int> task = Body::run(first.get_future(), second.get_future());
    start(task, context);
    first.set_value(1);
    context.request_stop();  // Only the second wait may hear of it.
    ASSERT_TRUE(task.done());
    EXPECT_TRUE(task.promise().outcome().stopped());
}

TEST(Ex2_6_Future, TaskMayBeDestroyedWhileItAwaits) {
    Context context;
    Promise<int> promise;
    {
        Task<int> task = plus_one(promise.get_future());
        start(task, context);
    }
    EXPECT_NO_THROW(promise.set_value(1)) << "the future went with the frame";
    context.request_stop();
}

TEST(Ex2_6_Future, OperationInAStoppedContextIsPostedOnceAndStopped) {
    ScriptedPost posts;
    Context context;
    context.request_stop();
    Promise<int> promise;
    auto operation = as_operation(promise.get_future());
    Waiter waiter;
    waiter.set_context(&context);
    EXPECT_FALSE(operation.ready());
    operation.start(waiter);
    EXPECT_EQ(posts.run_all(), 1u);
    EXPECT_TRUE(operation.stopped());
    EXPECT_THROW(operation.finish(), Cancelled);
}

TEST(Ex2_6_Future, StartTouchesNothingAfterItsWaiterMayRun) {
    // The waiter is resumed from inside start() and destroys the operation: AddressSanitizer
    // watches.
    ImmediatePost posts;
    Context context;
    context.request_stop();
    Promise<int> promise;
    auto operation = std::make_unique<FutureOperation<int>>(promise.get_future());
    Waiter waiter([&] { operation.reset(); });
    waiter.set_context(&context);
    operation->start(waiter);
    EXPECT_EQ(waiter.resumed, 1) << "stopped already: link() calls on_stop, which posts";

    operation = std::make_unique<FutureOperation<int>>(make_ready_future<int>(1));
    operation->start(waiter);
    EXPECT_EQ(waiter.resumed, 2) << "ready already: which statement of start() posts first, and "
                                    "what of the operation is touched after it?";
}

Task<> await_many(int count, StackProbe& stack) {
    for (int i = 0; i < count; ++i) {
        stack.touch();
        co_await make_ready_future<>();
    }
}

TEST(Ex2_6_Future, MillionReadyFuturesNeedTheStackOfOne) {
    StackProbe stack;
    Context context;
    Task<> task = await_many(1'000'000, stack);
    start(task, context);
    EXPECT_TRUE(task.done());
    EXPECT_LT(stack.bytes(), 64u * 1024);
}

TEST(Ex2_6_Future, TaskWhoseFuturesAreAlwaysReadyLetsOthersRun) {
    ScriptedPost posts;
    Context context;
    StackProbe stack;
    Task<> greedy = await_many(100'000, stack);
    Waiter other;
    start(greedy, context);
    post(other);
    posts.run_one();
    EXPECT_FALSE(greedy.done()) << "100,000 in one go: everybody else on this thread would wait";
    posts.run_one();
    EXPECT_EQ(other.resumed, 1) << "the other one waited for one turn, not for all of them";
    posts.run_all();
    EXPECT_TRUE(greedy.done());
}

Task<int> child_of(Future<int> future) { co_return co_await std::move(future); }
Task<int> parent_of(Future<int> future) { co_return co_await child_of(std::move(future)); }

TEST(Ex2_6_Future, StopReachesTheInnermostChild) {
    Context context;
    Promise<int> promise;
    Task<int> task = parent_of(promise.get_future());
    start(task, context);
    context.request_stop();
    ASSERT_TRUE(task.done());
    EXPECT_TRUE(task.promise().outcome().stopped());
}

TEST(Ex2_6_TaskOperation, RunsATaskWhereNoCoroutineWaits) {
    ScriptedPost posts;
    Context context("combinator");
    Promise<int> promise;
    auto operation = as_operation(plus_one(promise.get_future()));
    Waiter waiter;
    waiter.set_context(&context);
    EXPECT_FALSE(operation.ready());
    operation.start(waiter);
    EXPECT_EQ(posts.waiting(), 1u)
        << "whoever starts an operation may be starting others, too: what "
           "if this task runs, and ends, in the middle of that?";
    EXPECT_EQ(waiter.resumed, 0);
    posts.run_all();
    promise.set_value(1);
    posts.run_all();
    ASSERT_EQ(waiter.resumed, 1);
    EXPECT_FALSE(operation.stopped());
    EXPECT_EQ(operation.finish(), 2);
}

TEST(Ex2_6_TaskOperation, IsStoppedWithItsContext) {
    Context context;
    Promise<int> promise;
    auto operation = as_operation(plus_one(promise.get_future()));
    Waiter waiter;
    waiter.set_context(&context);
    operation.start(waiter);
    context.request_stop();
    ASSERT_EQ(waiter.resumed, 1);
    EXPECT_TRUE(operation.stopped()) << "seen without catching";
    EXPECT_THROW(operation.finish(), Cancelled);
}

Task<int> careful(Future<int> work, Future<int> clean_up, std::vector<std::string>& log) {
    int result = 0;
    try {
        result = co_await std::move(work);
    } catch (const Cancelled&) {
        log.push_back("stopped");
    }
    result += co_await shield(plus_one(std::move(clean_up)));
    log.push_back("cleaned up");
    co_return result;
}

TEST(Ex2_6_Shield, CleanUpRunsInAStoppedTask) {
    Context context("careful");
    Promise<int> work;
    Promise<int> clean_up;
    std::vector<std::string> log;
    Task<int> task = careful(work.get_future(), clean_up.get_future(), log);
    start(task, context);
    context.request_stop();
    EXPECT_EQ(log, std::vector<std::string>{"stopped"});
    EXPECT_FALSE(task.done()) << "the clean-up takes its time";
    clean_up.set_value(1);
    EXPECT_EQ(log, (std::vector<std::string>{"stopped", "cleaned up"}));
    ASSERT_TRUE(task.done());
    EXPECT_EQ(task.promise().outcome().take(), 2) << "the task decided to return a value";
}

Task<> report(std::string& name, Priority& priority, Future<> future) {
    Context& context = co_await this_context();
    name = context.name();
    priority = context.priority();
    co_await std::move(future);
}
Task<> shielded_report(std::string& name, Priority& priority, Future<> future) {
    co_await shield(report(name, priority, std::move(future)));
}

TEST(Ex2_6_Shield, ShieldedWorkKeepsTheNameAndThePriority) {
    Context context("cleaner", Priority::low);
    std::string name;
    Priority priority = Priority::high;
    Task<> task = shielded_report(name, priority, make_ready_future<>());
    start(task, context);
    ASSERT_TRUE(task.done());
    EXPECT_EQ(name, "cleaner");
    EXPECT_EQ(priority, Priority::low);
}

}  // namespace
}  // namespace starling
