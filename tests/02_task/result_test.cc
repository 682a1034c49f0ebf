// 2.4: results and exceptions.
#include <gtest/gtest.h>
#include <memory>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/task.hh>
#include <starling/task_probes.hh>
#include <stdexcept>
#include <string>
#include <utility>

namespace starling {
namespace {

using testing_support::Hold;
using testing_support::start;
using testing_support::Story;
using testing_support::Tracked;
using testing_support::Waiter;

/// Runs a task that needs nothing from outside, and takes its result.
template <class T>
T run(Task<T>&& task) {
    Context context;
    start(task, context);
    EXPECT_TRUE(task.done()) << "the body has not ended";
    return task.promise().outcome.take();
}

Task<int> number(int x) { co_return x; }
Task<int> sum(int a, int b) { co_return co_await number(a) + co_await number(b); }

TEST(Ex2_4_Result, ValueArrivesAtTheAwait) { EXPECT_EQ(run(sum(2, 3)), 5); }

Task<std::string> text() { co_return "made from a literal"; }
Task<std::unique_ptr<int>> owner() { co_return std::make_unique<int>(7); }
Task<int> unwrap() { co_return *co_await owner(); }
Task<std::pair<int, int>> braces() { co_return {1, 2}; }

TEST(Ex2_4_Result, ConvertedAndMoveOnlyValuesArrive) {
    EXPECT_EQ(run(text()), "made from a literal");
    EXPECT_EQ(run(unwrap()), 7);
    EXPECT_EQ(run(braces()), std::make_pair(1, 2));
}

Task<int&> pick(int& x) { co_return x; }
Task<> increment(int& x) { ++co_await pick(x); }

TEST(Ex2_4_Result, ReferenceIsTheSameObject) {
    int x = 1;
    EXPECT_EQ(&run(pick(x)), &x);
    run(increment(x));
    EXPECT_EQ(x, 2);
}

Task<int> fail() {
    throw std::out_of_range("thrown by the child");
    co_return 0;
}
Task<std::string> rescue() {
    try {
        co_return std::to_string(co_await fail());
    } catch (const std::out_of_range& e) {
        co_return e.what();
    }
}

TEST(Ex2_4_Result, ExceptionIsThrownAtTheAwait) {
    Story story("the child's body was left by an exception: where is it now?");
    Context context;
    Task<int> child = fail();
    start(child, context);
    story.step("a task throws");
    const bool kept = child.promise().outcome.has_error();
    if (!story.expect("its outcome is an exception", true, kept)) return;
    Task<std::string> task = rescue();
    start(task, context);
    story.step("a child throws; its parent awaits it inside a try block");
    if (!story.expect("the parent has ended", true, task.done())) return;
    if (!story.expect("with a value", true, task.promise().outcome.has_value())) return;
    story.expect("what it caught", std::string("thrown by the child"),
                 task.promise().outcome.take());
}

Task<> pass_on(int levels) {
    if (levels == 0) throw std::runtime_error("from the bottom");
    co_await pass_on(levels - 1);
}

TEST(Ex2_4_Result, ExceptionPassesThroughTasksThatDoNotCatch) {
    EXPECT_THROW(run(pass_on(10)), std::runtime_error);
}

Task<> fail_later(Hold& hold) {
    co_await hold;
    throw std::runtime_error("after a wait");
}

TEST(Ex2_4_Result, ExceptionAfterAWaitIsNotTheWakersProblem) {
    Hold hold;
    Context context;
    Task<> task = fail_later(hold);
    start(task, context);
    EXPECT_NO_THROW(hold.go()) << "whoever resumes a task does not hear of its exceptions";
    ASSERT_TRUE(task.done());
    EXPECT_TRUE(task.promise().outcome.has_error());
}

Task<Tracked> tracked(int value) { co_return Tracked(value); }
Task<int> read(int value) { co_return (co_await tracked(value)).value; }

TEST(Ex2_4_Result, ResultIsDestroyedExactlyOnce) {
    Tracked::alive = 0;
    EXPECT_EQ(run(read(5)), 5);
    EXPECT_EQ(Tracked::alive, 0);
    {
        Context context;
        Task<Tracked> untaken = tracked(6);
        start(untaken, context);
        EXPECT_EQ(Tracked::alive, 1) << "the result waits in the frame";
    }
    EXPECT_EQ(Tracked::alive, 0) << "and goes with it when nobody takes it";
}

Task<int> with_argument(Tracked) { co_return 1; }
Task<int> alive_after_await() {
    co_await with_argument(Tracked(1));
    co_return Tracked::alive;
}

TEST(Ex2_4_Result, ChildsFrameIsGoneAfterTheAwait) {
    Tracked::alive = 0;
    EXPECT_EQ(run(alive_after_await()), 0) << "the awaited task was a temporary of the expression";
}

Task<> cancelled_by_hand() {
    throw Cancelled{};
    co_return;
}

TEST(Ex2_4_Result, CancelledIsNoError) {
    Context context;
    Task<> task = cancelled_by_hand();
    start(task, context);
    ASSERT_TRUE(task.done());
    EXPECT_TRUE(task.promise().outcome.stopped()) << "combinators look; they do not catch";
    EXPECT_FALSE(task.promise().outcome.has_error());
}

Task<> awaits_twice(Hold& hold, int& cancelled) {
    for (int i = 0; i < 2; ++i) {
        try {
            co_await hold;
        } catch (const Cancelled&) {
            ++cancelled;
        }
    }
    co_await hold;
}

TEST(Ex2_4_Result, EveryAwaitOfAStoppedTaskThrowsCancelled) {
    Hold hold;
    Context context;
    context.request_stop();
    int cancelled = 0;
    Task<> task = awaits_twice(hold, cancelled);
    start(task, context);
    EXPECT_EQ(cancelled, 2) << "swallowing one does not help";
    ASSERT_TRUE(task.done());
    EXPECT_TRUE(task.promise().outcome.stopped());
    EXPECT_FALSE(hold.held()) << "the operation was never started";
}

struct ThrowsInDestructor {
    ThrowsInDestructor() = default;
    ThrowsInDestructor(const ThrowsInDestructor&) = delete;
    ~ThrowsInDestructor() noexcept(false) { throw std::runtime_error("in a destructor"); }
};
Task<std::string> value_then_exception() {
    ThrowsInDestructor local;
    co_return "a value that is too long for the string's own buffer, so that it would leak";
}

TEST(Ex2_4_Result, ExceptionBehindTheReturnReplacesTheValue) {
    Story story("the outcome has the value already: what becomes of it?");
    story.step("co_return a value, and then a local variable's destructor throws");
    EXPECT_THROW(run(value_then_exception()), std::runtime_error);
}

/// Runs a task as an operation, to its end.
template <class T>
void run_as_operation(Task<T>& task, Story& story) {
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    task.start(waiter);
    story.step("a task is started as an operation, and ends");
    story.expect("times that whoever waits ran", 1, waiter.resumed);
}

TEST(Ex2_4_TaskOperation, GivesWhatTheBodyReturned) {
    Story story("the value is in the outcome: who takes it out?");
    Task<std::unique_ptr<int>> task = owner();
    run_as_operation(task, story);
    story.expect("it was stopped", false, task.stopped());
    story.expect("what finish() gives", 7, *task.finish());
}

TEST(Ex2_4_TaskOperation, ThrowsWhatTheBodyHasThrown) {
    Story story("three things may have become of a body: which of them is a stop?");
    Task<int> task = fail();
    run_as_operation(task, story);
    story.expect("it was stopped", false, task.stopped());
    EXPECT_THROW(task.finish(), std::out_of_range);
}

TEST(Ex2_4_TaskOperation, SaysThatItWasStoppedBeforeAnybodyCatches) {
    Story story("a throw costs a microsecond; how else does a combinator learn of a stop?");
    Task<> task = cancelled_by_hand();
    run_as_operation(task, story);
    story.expect("it was stopped", true, task.stopped());
    EXPECT_THROW(task.finish(), Cancelled);
}

}  // namespace
}  // namespace starling
