// 2.2 and 2.3: control goes into a child, and comes back, without a call.
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
using testing_support::StackProbe;
using testing_support::start;
using testing_support::Story;
using testing_support::StubbornHold;
using testing_support::Tracked;
using testing_support::Waiter;
using testing_support::Yield;
using Log = std::vector<std::string>;

constexpr std::size_t kFlatBytes = 64 * 1024;

Task<> child(Log& log, Hold& hold) {
    log.push_back("child begins");
    co_await hold;
    log.push_back("child ends");
}
Task<> parent(Log& log, Hold& hold) {
    log.push_back("parent begins");
    Task<> made = child(log, hold);
    log.push_back("parent awaits");
    co_await std::move(made);
    log.push_back("parent ends");
}

TEST(Ex2_2_Await, ChildRunsWhenItIsAwaited) {
    Story story("await_suspend decides who runs next: whom does it name?");
    Log log;
    Hold hold;
    Context context;
    Task<> task = parent(log, hold);
    start(task, context);
    story.step("a parent makes a child, then awaits it; the child waits for a Hold");
    story.expect("what ran", Log{"parent begins", "parent awaits", "child begins"}, log);
    story.expect("somebody waits for the Hold", true, hold.held());
}

TEST(Ex2_2_Await, ControlGoesInWithoutAPost) {
    Story story("is there a reason to ask anybody before a function that was called begins?");
    ScriptedPost posts;
    Log log;
    Hold hold;
    Context context;
    Task<> task = parent(log, hold);
    start(task, context);
    posts.run_one();
    story.step("only what was posted first runs: a parent, which awaits its child");
    story.expect("what ran", Log{"parent begins", "parent awaits", "child begins"}, log);
    story.expect("continuations posted", 0u, posts.waiting());
}

Task<> report_context(Context*& seen, Hold& hold) {
    seen = &(co_await this_context());
    co_await hold;
}
Task<> outer_of(Context*& seen, Hold& hold) { co_await report_context(seen, hold); }

TEST(Ex2_2_Await, ChildRunsInItsParentsContext) {
    Story story(
        "a child is part of the same task, one stop, one name: where does it learn of that?");
    Context context("parent");
    Context* seen = nullptr;
    Hold hold;
    Task<> task = outer_of(seen, hold);
    story.step("a parent awaits a child that asks for its context");
    start(task, context);
    story.expect("it runs in its parent's context", true, seen == &context);
}

Task<> clean_up(Log& log, StubbornHold& hold) {
    log.push_back("cleans up");
    co_await hold;
}
Task<> call_clean_up(Log& log, StubbornHold& hold) { co_await clean_up(log, hold); }

TEST(Ex2_2_Await, StoppedTaskMayCallAChild) {
    Story story("the child is there to clean up: who else would do it?");
    Log log;
    StubbornHold hold;
    Context context;
    context.request_stop();
    Task<> task = call_clean_up(log, hold);
    start(task, context);
    story.step("a task whose context is stopped awaits a child");
    story.expect("what the child did", Log{"cleans up"}, log);
    story.expect("it waits for what ignores stops", true, hold.held());
}

Task<> dive(int depth, StackProbe& stack, Hold& hold) {
    stack.touch();
    if (depth == 0) {
        co_await hold;
    } else if (stack.bytes() < kFlatBytes) {
        co_await dive(depth - 1, stack, hold);
    }
}

TEST(Ex2_2_Await, WayDownNeedsNoStack) {
    Story story("the parent is suspended; why would its call still be on the stack?");
    StackProbe stack;
    Hold hold;
    Context context;
    Task<> task = dive(1'000, stack, hold);
    start(task, context);
    story.step("1,000 tasks, each awaits the next");
    story.expect("less than 64 KiB of stack", true, stack.bytes() < kFlatBytes);
    story.expect("the last one waits", true, hold.held());
}

TEST(Ex2_2_Await, SuspendedChainIsDestroyedFromTheTop) {
    Tracked::alive = 0;
    Hold hold;
    Context context;
    struct Chain {
        static Task<> link(int n, Tracked, Hold& hold) {
            Tracked local;
            if (n > 0) {
                co_await link(n - 1, Tracked(), hold);
            } else {
                co_await hold;
            }
        }
    };
    {
        Task<> task = Chain::link(10, Tracked(), hold);
        start(task, context);
        EXPECT_TRUE(hold.held());
        EXPECT_GE(Tracked::alive, 22) << "11 frames, with an argument and a local variable each";
    }
    EXPECT_EQ(Tracked::alive, 0) << "each frame owns the child that it awaits";
}

TEST(Ex2_3_Final, ParentGoesOnWhenTheChildHasEnded) {
    Story story("the child's body is over; who is told, and how?");
    Log log;
    Hold hold;
    Context context;
    Task<> task = parent(log, hold);
    start(task, context);
    log.clear();
    if (!story.expect("the child waits", true, hold.held())) return;
    hold.go();
    story.step("the child's wait is over");
    story.expect("what ran", Log{"child ends", "parent ends"}, log);
    story.expect("the parent is done", true, task.done());
}

TEST(Ex2_3_Final, EndOfABodyIsAResultAlsoWithoutAValue) {
    Story story("the body has come to its end: how does whoever looks at the outcome see that?");
    Log log;
    Hold hold;
    Context context;
    Task<> task = child(log, hold);
    start(task, context);
    story.step("a Task<> waits");
    story.expect("its outcome is empty", true, task.promise().outcome.empty());
    hold.go();
    story.step("it goes on, to its end");
    story.expect("its outcome has a value", true, task.promise().outcome.has_value());
}

TEST(Ex2_3_Final, ControlComesBackWithoutAPost) {
    Story story("the parent is ready to go on: what would it wait for in a queue?");
    ScriptedPost posts;
    Log log;
    Hold hold;
    Context context;
    Task<> task = parent(log, hold);
    Waiter done;
    task.promise().set_on_done(done);
    start(task, context);
    posts.run_all();
    log.clear();
    if (!story.expect("the child waits", true, hold.held())) return;
    hold.go();
    posts.run_one();
    story.step("only the child is resumed");
    story.expect("what ran", Log{"child ends", "parent ends"}, log);
    story.expect("times that whoever waits for the parent ran", 1, done.resumed);
    story.expect("continuations posted", 0u, posts.waiting());
}

Task<> nothing(StackProbe& stack) {
    stack.touch();
    co_return;
}
Task<> many(int count, StackProbe& stack) {
    for (int i = 0; i < count && stack.bytes() < kFlatBytes; ++i) co_await nothing(stack);
}

TEST(Ex2_3_Final, MillionAwaitsNeedTheStackOfOne) {
    Story story("after the millionth child, how many final suspends are still on the stack?");
    StackProbe stack;
    Context context;
    Task<> task = many(1'000'000, stack);
    start(task, context);
    story.step("await a million children, one after the other");
    story.expect("less than 64 KiB of stack", true, stack.bytes() < kFlatBytes);
    story.expect("the task is done", true, task.done());
}

Task<> down_and_up(int depth, StackProbe& stack) {
    stack.touch();
    if (depth > 0 && stack.bytes() < kFlatBytes) co_await down_and_up(depth - 1, stack);
    stack.touch();
}

TEST(Ex2_3_Final, MillionDeepRecursionNeedsTheStackOfOne) {
    Story story("a million frames are on the heap: what of them is on the stack, on the way back?");
    for (const int depth : {1'000, 1'000'000}) {
        StackProbe stack;
        Context context;
        Task<> task = down_and_up(depth, stack);
        start(task, context);
        story.step("a task awaits a task awaits a task, so deep: " + std::to_string(depth));
        if (!story.expect("less than 64 KiB of stack", true, stack.bytes() < kFlatBytes)) return;
        if (!story.expect("the task is done", true, task.done())) return;
    }
}

Task<> yield_once(StackProbe& stack) {
    Yield yield;
    co_await yield;
    stack.touch();
}
Task<> many_yields(int count, StackProbe& stack) {
    for (int i = 0; i < count; ++i) co_await yield_once(stack);
}

TEST(Ex2_3_Final, MillionChildrenThatSuspendNeedTheStackOfOne) {
    StackProbe stack;
    Context context;
    Task<> task = many_yields(1'000'000, stack);
    start(task, context);
    EXPECT_TRUE(task.done());
    EXPECT_LT(stack.bytes(), kFlatBytes);
}

Task<> take(Tracked) { co_return; }

TEST(Ex2_3_Final, FrameStaysUntilItsTaskGoes) {
    Story story("the result is read after the end: where does it live until then?");
    Tracked::alive = 0;
    Context context;
    {
        Task<> task = take(Tracked(1));
        start(task, context);
        story.step("a task has run to its end");
        story.expect("it is done", true, task.done());
        story.expect("arguments alive in its frame", 1, Tracked::alive);
    }
    story.step("the Task object is gone");
    story.expect("arguments alive", 0, Tracked::alive);
}

TEST(Ex2_3_Final, WhoeverWaitsOutsideOfACoroutineIsResumed) {
    Context context;
    Task<> task = take(Tracked(1));
    Waiter done([&] { EXPECT_TRUE(task.done()); });
    task.promise().set_on_done(done);
    start(task, context);
    EXPECT_EQ(done.resumed, 1);
}

TEST(Ex2_3_Final, WhoeverWaitsMayDestroyTheTask) {
    // The final awaiter lives in the frame: AddressSanitizer sees a touch after the resume.
    Tracked::alive = 0;
    Context context;
    struct Owner {
        Task<> task = take(Tracked(1));
    };
    auto owner = std::make_unique<Owner>();
    Waiter done([&] { owner.reset(); });
    owner->task.promise().set_on_done(done);
    start(owner->task, context);
    EXPECT_EQ(done.resumed, 1);
    EXPECT_EQ(Tracked::alive, 0);
}

TEST(Ex2_3_Final, TaskThatNobodyWaitsForJustEnds) {
    Context context;
    Task<> task = take(Tracked(1));
    start(task, context);
    EXPECT_TRUE(task.done());
}

TEST(Ex2_3_TaskOperation, RunsATaskWhereNoCoroutineWaits) {
    Story story(
        "whoever starts an operation may be starting others, too: what if this one runs, and "
        "ends, in the middle of that?");
    ScriptedPost posts;
    Log log;
    Hold hold;
    Context context("combinator");
    Waiter waiter;
    waiter.set_context(&context);
    Task<> task = child(log, hold);
    story.expect("a task is ready at once", false, task.ready());
    task.start(waiter);
    story.step("task.start(waiter)");
    story.expect("what the body did", Log{}, log);
    story.expect("continuations posted", 1u, posts.waiting());
    posts.run_all();
    story.step("its turn has come");
    story.expect("what the body did", Log{"child begins"}, log);
    story.expect("times that the waiter ran", 0, waiter.resumed);
    if (!story.expect("the body waits", true, hold.held())) return;
    hold.go();
    posts.run_all();
    story.step("its wait is over, and it ends");
    story.expect("times that the waiter ran", 1, waiter.resumed);
}

TEST(Ex2_3_TaskOperation, RunsInItsWaitersContext) {
    Story story("whoever waits for this belongs to some task: where does the body learn of it?");
    Context context("combinator");
    Context* seen = nullptr;
    Hold hold;
    Waiter waiter;
    waiter.set_context(&context);
    Task<> task = report_context(seen, hold);
    story.step("start(waiter) of a task that asks for its context");
    task.start(waiter);
    story.expect("it runs in its waiter's context", true, seen == &context);
}

}  // namespace
}  // namespace starling
