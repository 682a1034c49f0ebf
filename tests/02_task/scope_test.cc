// 2.7: whose stop is it? A branch has its own and hears of the outer one; a shield hears of none.
#include <gtest/gtest.h>
#include <memory>
#include <starling/context.hh>
#include <starling/future.hh>
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
using testing_support::ImmediatePost;
using testing_support::ScriptedPost;
using testing_support::start;
using testing_support::Story;
using testing_support::Waiter;
using testing_support::Yield;

Task<int> plus_one(Future<int> future) { co_return co_await std::move(future) + 1; }

TEST(Ex2_7_Branch, BranchHasTheNameAndThePriorityOfTheTaskAroundIt) {
    Context task("download", Priority::low);
    BranchContext branch;
    branch.link_under(&task);
    EXPECT_STREQ(branch.name(), "download");
    EXPECT_EQ(branch.priority(), Priority::low);
}

TEST(Ex2_7_Branch, StopGoesDownAndNotUp) {
    Story story("two scopes, one inside of the other: which of them hears of whose stop?");
    Context task;
    BranchContext left;
    BranchContext right;
    left.link_under(&task);
    right.link_under(&task);
    left.request_stop();
    story.step("a task has two branches; the left one is stopped");
    story.expect("the task is stopped", false, task.stop_requested());
    story.expect("the right one is stopped", false, right.stop_requested());
    task.request_stop();
    story.step("the task is stopped");
    story.expect("the right one is stopped", true, right.stop_requested());
}

TEST(Ex2_7_Branch, StopGoesDownToWhoWaitsInABranchOfABranch) {
    Story story("somebody waits in a branch: does a flag wake them?");
    ScriptedPost posts;
    Context task;
    BranchContext branch;
    BranchContext inner;
    branch.link_under(&task);
    inner.link_under(&branch);
    Promise<int> promise;
    FutureOperation<int> op(promise.get_future());
    Waiter waiter;
    waiter.set_context(&inner);
    op.start(waiter);
    story.step("a task has a branch, which has one as well; there somebody waits for a future");
    task.request_stop();
    story.step("the task is stopped");
    story.expect("continuations posted", 1u, posts.waiting());
    story.expect("the wait was stopped", true, op.stopped());
}

TEST(Ex2_7_Branch, BranchOfAStoppedTaskIsStoppedFromTheStart) {
    Story story("the request came before the branch was there: who tells it?");
    Context task;
    task.request_stop();
    BranchContext late;
    late.link_under(&task);
    story.step("a task is stopped; then a branch goes under it");
    story.expect("the branch is stopped", true, late.stop_requested());
}

TEST(Ex2_7_Branch, BranchUnderNothingAndAnUnlinkedOneHearNothing) {
    Story story("what is there above this branch?");
    BranchContext root;
    root.link_under(nullptr);
    story.step("a branch goes under nothing");
    story.expect("it is stopped", false, root.stop_requested());
    Context task;
    BranchContext branch;
    branch.link_under(&task);
    branch.unlink();
    task.request_stop();
    story.step("a branch goes under a task and is unlinked, then the task is stopped");
    story.expect("the branch is stopped", false, branch.stop_requested());
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

TEST(Ex2_7_Shield, CleanUpRunsInAStoppedTask) {
    Story story(
        "an operation looks for its stop in the context it is started in: which one is that?");
    Context context("careful");
    Promise<int> work;
    Promise<int> clean_up;
    std::vector<std::string> log;
    Task<int> task = careful(work.get_future(), clean_up.get_future(), log);
    start(task, context);
    context.request_stop();
    story.step("a task is stopped; it catches Cancelled and awaits shield(clean-up)");
    story.expect("what happened", std::vector<std::string>{"stopped"}, log);
    if (!story.expect("the task has ended", false, task.done())) return;
    clean_up.set_value(1);
    story.step("the clean-up's future gets its value: 1");
    story.expect("what happened", std::vector<std::string>{"stopped", "cleaned up"}, log);
    if (!story.expect("the task has ended", true, task.done())) return;
    story.expect("its result", 2, task.promise().outcome.take());
}

TEST(Ex2_7_Shield, StopThatComesMeanwhileDoesNotReachIt) {
    Story story("the stop comes while the shielded operation is in flight: who hears of it?");
    ScriptedPost posts;
    Context context;
    Promise<int> promise;
    Waiter waiter;
    waiter.set_context(&context);
    auto op = shield(promise.get_future());
    op.start(waiter);
    context.request_stop();
    story.step("a shielded wait for a future is started; then its waiter's context is stopped");
    story.expect("continuations posted", 0u, posts.waiting());
    promise.set_value(1);
    posts.run_all();
    story.step("the value comes");
    story.expect("times that the waiter ran", 1, waiter.resumed);
    story.expect("it was stopped", false, op.stopped());
    story.expect("what finish() gives", 1, op.finish());
}

TEST(Ex2_7_Shield, WaiterGoesOnInTheTurnOfTheShield) {
    Story story(
        "the shield was posted, and this is its turn: what would the waiter still wait for?");
    ScriptedPost posts;
    Hold hold;
    Waiter waiter;
    auto op = shield(hold);
    op.start(waiter);
    if (!story.expect("the operation inside was started", true, hold.held())) return;
    hold.go();
    story.step("a shielded operation is over");
    story.expect("continuations posted", 1u, posts.waiting());
    posts.run_one();
    story.step("one of them runs");
    story.expect("times that the waiter ran", 1, waiter.resumed);
    story.expect("continuations posted", 0u, posts.waiting());
}

TEST(Ex2_7_Shield, OperationInsideMayBeOverInsideOfStart) {
    // The waiter runs inside of start(), and destroys the operation: AddressSanitizer watches.
    Story story("whom does the shield resume, if that happens before start() returns?");
    ImmediatePost posts;
    Yield at_once;
    struct Owner {
        explicit Owner(Yield& inside) : op(shield(inside)) {}
        decltype(shield(std::declval<Yield&>())) op;
    };
    auto owner = std::make_unique<Owner>(at_once);
    Waiter waiter([&] { owner.reset(); });
    story.step("start(waiter) of a shield whose operation ends at once");
    owner->op.start(waiter);
    story.expect("times that the waiter ran", 1, waiter.resumed);
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

TEST(Ex2_7_Shield, ShieldedWorkKeepsTheNameAndThePriority) {
    Story story("clean-up is part of its task, except for one thing: which one?");
    Context context("cleaner", Priority::low);
    std::string name;
    Priority priority = Priority::high;
    Task<> task = shielded_report(name, priority, make_ready_future<>());
    story.step("a task \"cleaner\" of low priority awaits a shielded one");
    start(task, context);
    if (!story.expect("it has ended", true, task.done())) return;
    story.expect("the shielded one's name", std::string("cleaner"), name);
    story.expect("its priority is low", true, priority == Priority::low);
}

}  // namespace
}  // namespace starling
