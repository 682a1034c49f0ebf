// 2.5: one frame, one owner.
#include <gtest/gtest.h>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/task.hh>
#include <starling/task_probes.hh>
#include <utility>
#include <vector>

namespace starling {
namespace {

using testing_support::Hold;
using testing_support::start;
using testing_support::Story;
using testing_support::Tracked;

Task<> add(int& total, Tracked amount) {
    total += amount.value;
    co_return;
}

TEST(Ex2_5_Ownership, MovedFromTaskHoldsNothing) {
    Story story("two Task objects, one frame: who destroys it?");
    Tracked::alive = 0;
    int total = 0;
    Context context;
    {
        Task<> old = add(total, Tracked(5));
        Task<> task(std::move(old));
        story.step("Task<> task(std::move(old))");
        story.expect("the old one holds a coroutine", false, old.valid());
        if (!story.expect("the new one does", true, task.valid())) return;
        start(task, context);
        story.expect("the body ran", 5, total);
    }
    story.expect("arguments alive when both are gone", 0, Tracked::alive);
}

TEST(Ex2_5_Ownership, AssignmentDestroysTheOldFrame) {
    Tracked::alive = 0;
    int total = 0;
    Context context;
    Task<> task = add(total, Tracked(1));
    task = add(total, Tracked(2));
    EXPECT_EQ(Tracked::alive, 1) << "the first task's frame has no owner any more";
    start(task, context);
    EXPECT_EQ(total, 2);
}

TEST(Ex2_5_Ownership, AssignmentDestroysTheOldFrameNowAndNotWithItsSource) {
    Tracked::alive = 0;
    int total = 0;
    Task<> task = add(total, Tracked(1));
    Task<> source = add(total, Tracked(2));
    task = std::move(source);
    EXPECT_EQ(Tracked::alive, 1) << "was the old frame kept in the source?";
    EXPECT_FALSE(source.valid());
}

TEST(Ex2_5_Ownership, AssignmentFromNothingEmpties) {
    Tracked::alive = 0;
    int total = 0;
    Task<> task = add(total, Tracked(1));
    task = Task<>();
    EXPECT_FALSE(task.valid());
    EXPECT_EQ(Tracked::alive, 0);
}

TEST(Ex2_5_Ownership, AssignmentToItselfChangesNothing) {
    Tracked::alive = 0;
    int total = 0;
    Context context;
    Task<> task = add(total, Tracked(1));
    auto& same = task;
    task = std::move(same);
    ASSERT_TRUE(task.valid());
    EXPECT_EQ(Tracked::alive, 1);
    start(task, context);
    EXPECT_EQ(total, 1);
}

TEST(Ex2_5_Ownership, TasksInAGrowingVectorStayWhole) {
    Tracked::alive = 0;
    int total = 0;
    Context context;
    {
        std::vector<Task<>> tasks;
        for (int i = 1; i <= 100; ++i) tasks.push_back(add(total, Tracked(i)));
        EXPECT_EQ(Tracked::alive, 100);
        for (Task<>& task : tasks) {
            ASSERT_TRUE(task.valid());
            start(task, context);
        }
    }
    EXPECT_EQ(total, 5050);
    EXPECT_EQ(Tracked::alive, 0);
}

Task<> hold_with(Tracked, Hold& hold) { co_await hold; }

TEST(Ex2_5_Ownership, SuspendedTaskMayMove) {
    Tracked::alive = 0;
    Hold hold;
    Context context;
    {
        Task<> old = hold_with(Tracked(1), hold);
        start(old, context);
        Task<> task(std::move(old));
        hold.go();
        EXPECT_TRUE(task.done()) << "the frame stays where it is; only its owner changed";
    }
    EXPECT_EQ(Tracked::alive, 0);
}

}  // namespace
}  // namespace starling
