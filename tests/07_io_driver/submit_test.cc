// 7.2: operations reach the kernel: all of them, once, in order, in batches.
#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <starling/allocations.hh>
#include <starling/scripted_ring.hh>
#include <starling/story.hh>

namespace starling {
namespace {

using testing_support::ProbeOp;
using testing_support::ScriptedIo;
using testing_support::Story;

/// The descriptors of what the kernel has taken, which tell whose it was.
std::vector<int> taken_fds(const ScriptedIo& io) {
    std::vector<int> fds;
    for (const auto& r : io.kernel.taken) fds.push_back(r.request.fd);
    return fds;
}

TEST(Ex7_2_Submit, OperationIsInTheKernelAfterThePoll) {
    ScriptedIo io;
    Story story("who hands the kernel what is queued?");
    ProbeOp& op = io.op(IoCode::recv);
    op.submit();
    story.step("submit a recv");
    story.expect("it is in flight", true, op.in_flight());
    io.driver.poll();
    story.expect("after a poll the kernel has it", std::vector{op.request().fd}, taken_fds(io));
    story.expect("with the operation's key", op.key, io.kernel.taken.front().key);
}

TEST(Ex7_2_Submit, BatchCostsOneSystemCall) {
    ScriptedIo io(8);
    Story story("which function makes the system call: every submit, or the poll?");
    for (int i = 0; i < 8; ++i) io.op().submit();
    story.step("submit 8 operations; the queue has room for 8");
    story.expect("no system call so far", 0, io.kernel.enters);
    io.driver.poll();
    story.expect("system calls after the poll", 1, io.kernel.enters);
    story.expect("the kernel has them all", std::size_t{8}, io.kernel.taken.size());
}

TEST(Ex7_2_Submit, EveryOperationHasAKeyOfItsOwn) {
    ScriptedIo io;
    std::set<std::uint64_t> keys;
    for (int i = 0; i < 5; ++i) io.op().submit();
    io.driver.poll();
    ASSERT_EQ(5U, io.kernel.taken.size());
    for (const auto& r : io.kernel.taken) keys.insert(r.key);
    EXPECT_EQ(5U, keys.size()) << "two operations went to the kernel under one name";
    EXPECT_FALSE(keys.contains(0)) << "0 names nobody: was the key taken before the insert?";
}

TEST(Ex7_2_Submit, FullQueueIsMadeRoomInAndNothingIsDropped) {
    ScriptedIo io(2);
    Story story("the queue was full: what became of the third operation?");
    std::vector<int> expected;
    for (int i = 0; i < 7; ++i) {
        ProbeOp& op = io.op();
        op.submit();
        expected.push_back(op.request().fd);
    }
    story.step("submit 7 operations; the queue has room for 2");
    for (int i = 0; i < 7; ++i) io.driver.poll();
    story.expect("the kernel has all 7, in order", expected, taken_fds(io));
}

TEST(Ex7_2_Submit, KernelThatMakesRoomHasThemAllAfterOnePoll) {
    ScriptedIo io(2);
    for (int i = 0; i < 7; ++i) io.op().submit();
    io.driver.poll();
    Story story("the queue was full, and an enter would have emptied it: who asked for one?");
    story.step("submit 7 operations; the queue has room for 2; poll once");
    story.expect("the kernel has", std::size_t{7}, io.kernel.taken.size());
}

TEST(Ex7_2_Submit, ThoseWhoWaitFillTheQueueAgain) {
    ScriptedIo io(4);
    for (int i = 0; i < 4; ++i) io.op().submit();
    for (int i = 0; i < 4; ++i) {
        io.kernel.next_enter = -EBUSY;
        io.op().submit();
    }
    io.kernel.next_enter = 0;
    Story story("four wait, and the queue has room for four: how many go with the next call?");
    io.driver.poll();
    io.driver.poll();
    story.step("fill the queue; submit 4 more while the kernel answers -EBUSY; poll twice");
    story.expect("the kernel has", std::size_t{8}, io.kernel.taken.size());
}

TEST(Ex7_2_Submit, WhenTheKernelTakesNothingTheOperationWaitsForThePoll) {
    ScriptedIo io(1);
    Story story(
        "enter did not make room: where does an operation wait that the queue cannot hold?");
    ProbeOp& a = io.op();
    ProbeOp& b = io.op();
    a.submit();
    io.kernel.next_enter = -EBUSY;
    b.submit();
    story.step("submit A: the queue is full; submit B while the kernel answers -EBUSY");
    story.expect("B is in flight all the same", true, b.in_flight());
    for (int i = 0; i < 3; ++i) io.driver.poll();
    story.step("poll, while the kernel works again");
    story.expect("the kernel has both, once", std::vector{a.request().fd, b.request().fd},
                 taken_fds(io));
    story.expect("B's key came along", b.key, io.kernel.taken.back().key);
}

TEST(Ex7_2_Submit, KernelThatMakesNoRoomIsNotWaitedFor) {
    ScriptedIo io(1);
    io.op().submit();
    io.kernel.busy_enters = 100;  // After so many it gives in, so that this case ends.
    io.op().submit();
    Story story("the kernel makes no room until its completions are taken: who is to take them?");
    story.step("submit A, which fills the queue; submit B, while the kernel makes no room");
    story.expect("submit has tried a few times at most", true, io.kernel.enters < 10);
    io.kernel.enters = 0;
    io.driver.poll();
    story.step("poll, while the kernel still makes no room");
    story.expect("poll has tried a few times at most", true, io.kernel.enters < 10);
    io.kernel.busy_enters = 0;
    for (int i = 0; i < 3; ++i) io.driver.poll();
    story.step("poll, while the kernel works again");
    story.expect("the kernel has both", std::size_t{2}, io.kernel.taken.size());
}

TEST(Ex7_2_Submit, PushThatFindsNoRoomLeavesNothingBehind) {
    ScriptedIo io(1);
    io.op().submit();
    ProbeOp& b = io.op();
    io.kernel.next_enter = -EBUSY;
    b.submit();
    Story story("there was no room for the request: what becomes of the name it had got?");
    auto poll = [&](int times) {
        for (int i = 0; i < times; ++i) {
            io.kernel.next_enter = -EBUSY;
            io.driver.poll();
        }
    };
    poll(10);  // Whatever a design needs once, it has now.
    const std::size_t before = test::allocations();
    poll(1000);
    const std::size_t after = test::allocations();
    story.step(
        "submit A, which fills the queue, and B; poll a thousand times, each answers -EBUSY");
    story.expect("allocations", std::size_t{0}, after - before);
    bool known = false;  // To the kernel: another design may have had it take A, and then push B.
    for (const auto* requests : {&io.kernel.queue, &io.kernel.taken}) {
        for (const auto& request : *requests) known = known || request.key == b.key;
    }
    story.expect("B has a key that the kernel does not know", false, b.key != 0 && !known);
}

TEST(Ex7_2_Submit, NobodyOvertakesThoseWhoWait) {
    ScriptedIo io(1);
    std::vector<int> expected;
    auto submit = [&] {
        ProbeOp& op = io.op();
        op.submit();
        expected.push_back(op.request().fd);
    };
    submit();
    io.kernel.next_enter = -EBUSY;
    submit();
    submit();
    Story story("B waits for room, the kernel makes room, C comes: who goes first?");
    story.step("submit A, which fills the queue; B, while the kernel answers -EBUSY; then C");
    for (int i = 0; i < 4; ++i) io.driver.poll();
    story.expect("the kernel has A, B, C", expected, taken_fds(io));
}

TEST(Ex7_2_Submit, NothingIsCompletedInsideSubmit) {
    ScriptedIo io(1);
    ProbeOp& a = io.op();
    ProbeOp& b = io.op();
    a.submit();
    io.kernel.on_enter = [&] { io.kernel.complete(a, 1); };
    b.submit();
    Story story(
        "who is on the stack when A's task goes on, and what was B's task in the middle of?");
    story.step("submit A; submit B with the queue full, so that an enter completes A");
    story.expect("A has heard nothing yet", std::size_t{0}, a.results.size());
}

TEST(Ex7_2_Submit, InterruptedSystemCallIsNoError) {
    ScriptedIo io;
    ProbeOp& op = io.op();
    op.submit();
    io.kernel.next_enter = -EINTR;
    io.driver.poll();
    EXPECT_EQ(0U, io.kernel.taken.size());
    io.driver.poll();
    EXPECT_EQ(1U, io.kernel.taken.size()) << "the next poll tries again";
    EXPECT_TRUE(op.results.empty());
}

}  // namespace
}  // namespace starling
