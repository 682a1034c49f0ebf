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

using testing_support::ImmediatePost;
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
    EXPECT_EQ(task.promise().outcome.take(), 2);
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
    story.expect("its result", 2, task.promise().outcome.take());
}

TEST(Ex2_6_Future, FailedFutureThrowsAtTheAwait) {
    Context context;
    Promise<int> promise;
    Task<int> task = plus_one(promise.get_future());
    start(task, context);
    promise.set_exception(std::out_of_range("late"));
    ASSERT_TRUE(task.done());
    EXPECT_THROW(task.promise().outcome.take(), std::out_of_range);
}

TEST(Ex2_6_Future, BrokenPromiseAndMissingPromiseEndTheWait) {
    Context context;
    auto promise = std::make_unique<Promise<int>>();
    Task<int> broken = plus_one(promise->get_future());
    start(broken, context);
    promise.reset();
    ASSERT_TRUE(broken.done());
    EXPECT_THROW(broken.promise().outcome.take(), FutureError);

    Task<int> missing = plus_one(Future<int>());
    start(missing, context);
    ASSERT_TRUE(missing.done()) << "this future has no promise that could end the wait";
    EXPECT_THROW(missing.promise().outcome.take(), FutureError);
}

TEST(Ex2_6_Future, OperationOfAFutureWithoutAPromiseHasNothingToWaitFor) {
    Story story("who would wake whoever waits for a future that has no promise?");
    FutureOperation<int> op{Future<int>()};
    story.step("an operation for a future that has no promise");
    story.expect("it is ready", true, op.ready());
    EXPECT_THROW(op.finish(), FutureError);
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
    story.expect("it was stopped", true, task.promise().outcome.stopped());
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
    if (!story.expect("the task ended with a value", true, task.promise().outcome.has_value())) {
        return;
    }
    story.expect("the value", 2, task.promise().outcome.take());
}

TEST(Ex2_6_Future, ValueBehindAStopWakesNobodyTwice) {
    Story story(
        "the stop came first, but before the task ran the value was there: who decides, and when?");
    ScriptedPost posts;
    Context context;
    Promise<int> promise;
    Task<int> task = plus_one(promise.get_future());
    start(task, context);
    posts.run_all();
    context.request_stop();
    story.step("a task awaits a future, and its context is stopped");
    story.expect("continuations posted", 1u, posts.waiting());
    promise.set_value(1);
    story.step("the value comes");
    story.expect("continuations posted, once each", 1u, posts.run_all());
    if (!story.expect("the task has ended", true, task.done())) return;
    if (!story.expect("with a value", true, task.promise().outcome.has_value())) return;
    story.expect("which is", 2, task.promise().outcome.take());
}

TEST(Ex2_6_Future, WaitThatWasStoppedByItselfHearsOfNoSecondStop) {
    Story story(
        "stop() ends the wait as a stop of its context does: what if both come, or one twice?");
    ScriptedPost posts;
    Context context;
    Promise<int> promise;
    Waiter waiter;
    waiter.set_context(&context);
    FutureOperation<int> op(promise.get_future());
    op.start(waiter);
    op.stop();
    story.step("an operation waits for a future; stop() is called");
    story.expect("times that its waiter ran", 1u, posts.run_all());
    op.stop();
    story.step("stop() is called again");
    story.expect("times that its waiter ran", 0u, posts.run_all());
    context.request_stop();
    story.step("its context is stopped as well");
    story.expect("times that its waiter ran", 0u, posts.run_all());
    story.expect("it was stopped", true, op.stopped());
}

TEST(Ex2_6_Future, WaitThatWasStoppedMayBeginAndBeStoppedAgain) {
    Story story("it was stopped, and is awaited again: what does it remember of the first time?");
    ScriptedPost posts;
    Promise<int> promise;
    Waiter waiter;
    FutureOperation<int> op(promise.get_future());
    for (int times = 1; times <= 2; ++times) {
        op.start(waiter);
        op.stop();
        posts.run_all();
        story.step("start(waiter), then stop()");
        if (!story.expect("times that its waiter ran by now", times, waiter.resumed)) return;
    }
    op.start(waiter);
    promise.set_value(3);
    posts.run_all();
    story.step("start(waiter), and the value comes");
    story.expect("times that its waiter ran by now", 3, waiter.resumed);
    story.expect("it was stopped", false, op.stopped());
    story.expect("what finish() gives", 3, op.finish());
}

TEST(Ex2_6_Future, WaitThatIsOverHearsOfNoStopThoughItsOperationLivesOn) {
    Story story("finish() was called: who may still know this wait, and what would they do?");
    ScriptedPost posts;
    Context context;
    Promise<int> promise;
    Waiter waiter;
    waiter.set_context(&context);
    FutureOperation<int> op(promise.get_future());
    op.start(waiter);
    promise.set_value(1);
    posts.run_all();
    story.step("an operation waits for a future; the value comes");
    story.expect("what finish() gives", 1, op.finish());
    context.request_stop();
    story.step("now the context is stopped");
    story.expect("continuations posted", 0u, posts.waiting());
}

TEST(Ex2_6_Future, StoppedTaskAwaitsNoFutureNotEvenAReadyOne) {
    Story story("swallowing one Cancelled does not help: where does each await look for the stop?");
    Context context;
    context.request_stop();
    Task<int> task = plus_one(make_ready_future<int>(1));
    start(task, context);
    story.step("a task whose context is stopped awaits a future that is ready");
    if (!story.expect("it has ended", true, task.done())) return;
    story.expect("it was stopped", true, task.promise().outcome.stopped());
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
    EXPECT_TRUE(task.promise().outcome.stopped());
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
    Story story(
        "the stop was there before the wait: who hears of it, and what do they need to know?");
    ScriptedPost posts;
    Context context;
    context.request_stop();
    Promise<int> promise;
    auto operation = as_operation(promise.get_future());
    Waiter waiter;
    waiter.set_context(&context);
    story.step("start(waiter) of a wait for a future, in a context that is stopped");
    operation.start(waiter);
    story.expect("times that its waiter is posted", 1u, posts.run_all());
    story.expect("it was stopped", true, operation.stopped());
    EXPECT_THROW(operation.finish(), Cancelled);
}

TEST(Ex2_6_Future, StartTouchesNothingAfterItsWaiterMayRun) {
    // AddressSanitizer watches.
    Story story("which statements of start() may run the waiter, and what is touched after them?");
    ImmediatePost posts;
    Context context;
    context.request_stop();
    Promise<int> promise;
    auto operation = std::make_unique<FutureOperation<int>>(promise.get_future());
    Waiter waiter([&] { operation.reset(); });
    waiter.set_context(&context);
    story.step("start an operation whose context is stopped already; its waiter destroys it");
    operation->start(waiter);
    story.expect("times the waiter ran", 1, waiter.resumed);

    operation = std::make_unique<FutureOperation<int>>(make_ready_future<int>(1));
    story.step("start one whose future is ready already; its waiter destroys it");
    operation->start(waiter);
    story.expect("times the waiter ran", 2, waiter.resumed);
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
    EXPECT_TRUE(task.promise().outcome.stopped());
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

}  // namespace
}  // namespace starling
