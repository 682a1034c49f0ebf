// 7.3: completions find their operations, and an operation lives until its last one.
#include <gtest/gtest.h>

#include <cerrno>
#include <starling/scripted_ring.hh>
#include <starling/story.hh>

namespace starling {
namespace {

using testing_support::ProbeOp;
using testing_support::ScriptedIo;
using testing_support::Story;
using Results = std::vector<int>;

TEST(Ex7_3_Reap, CompletionReachesItsOperation) {
    ScriptedIo io;
    ProbeOp& a = io.op();
    ProbeOp& b = io.op();
    a.submit();
    b.submit();
    io.driver.poll();
    io.kernel.complete(b, 7);
    io.driver.poll();
    Story story("what does the completion carry that says whose it is?");
    story.step("submit A and B; the kernel completes B with 7");
    story.expect("B has heard 7", Results{7}, b.results);
    story.expect("A has heard nothing", Results{}, a.results);
    story.expect("B is no longer in flight", false, b.in_flight());
    story.expect("A is", true, a.in_flight());
}

TEST(Ex7_3_Reap, ErrorsArriveAsTheyAre) {
    ScriptedIo io;
    ProbeOp& op = io.op();
    op.submit();
    io.driver.poll();
    io.kernel.complete(op, -ECONNRESET);
    io.driver.poll();
    EXPECT_EQ(Results{-ECONNRESET}, op.results);
}

TEST(Ex7_3_Reap, OperationStaysInFlightWhileMoreWillCome) {
    ScriptedIo io;
    ProbeOp& op = io.op(IoCode::accept_multi);
    op.submit();
    io.driver.poll();
    const auto key = op.key;
    Story story("when is the name given back, and who still bears it afterwards?");
    io.kernel.complete(op, 10, true);
    io.driver.poll();
    story.step("an accept stream: the kernel completes it with 10, more to come");
    story.expect("it has heard 10", Results{10}, op.results);
    story.expect("it is still in flight", true, op.in_flight());
    story.expect("its key is what it was", key, op.key);
    io.kernel.complete(op, 11, true);
    io.kernel.complete(op, -ECANCELED);
    io.driver.poll();
    story.step("11, more to come; then the last one, -ECANCELED");
    story.expect("it has heard all three", Results{10, 11, -ECANCELED}, op.results);
    story.expect("now it is not in flight", false, op.in_flight());
    story.expect("and has no key", std::uint64_t{0}, op.key);
}

TEST(Ex7_3_Reap, CompletionsArriveInTheirOrder) {
    ScriptedIo io;
    ProbeOp& op = io.op(IoCode::accept_multi);
    op.submit();
    io.driver.poll();
    Results expected;
    for (int i = 0; i < 200; ++i) {
        io.kernel.complete(op, i, true);
        expected.push_back(i);
    }
    io.driver.poll();
    EXPECT_EQ(expected, op.results);
}

TEST(Ex7_3_Reap, LateCompletionIsIgnored) {
    ScriptedIo io;
    ProbeOp& op = io.op();
    op.submit();
    io.driver.poll();
    const auto key = op.key;
    io.kernel.complete(key, {.result = 1});
    io.kernel.complete(key, {.result = 2});
    io.driver.poll();
    EXPECT_EQ(Results{1}, op.results) << "its last completion had come before";
}

TEST(Ex7_3_Reap, LateCompletionDoesNotHitTheNewOwnerOfTheSlot) {
    ScriptedIo io;
    ProbeOp& a = io.op();
    ProbeOp& b = io.op();
    a.submit();
    io.driver.poll();
    const auto old_key = a.key;
    io.kernel.complete(a, 1);
    io.driver.poll();
    b.submit();
    io.driver.poll();
    io.kernel.complete(old_key, {.result = 99});
    io.driver.poll();
    Story story("B has A's old slot: what is different about its key?");
    story.step("A ends; B is submitted; a late completion for A comes: 99");
    story.expect("A has heard its own only", Results{1}, a.results);
    story.expect("B has heard nothing", Results{}, b.results);
    story.expect("B is in flight", true, b.in_flight());
}

TEST(Ex7_3_Reap, OperationMayStartAgainFromItsLastCompletion) {
    ScriptedIo io;
    ProbeOp& op = io.op();
    op.then = [&](const IoCompletion& c) {
        if (c.result == 1) op.submit();
    };
    op.submit();
    io.driver.poll();
    const auto first_key = op.key;
    io.kernel.complete(op, 1);
    io.driver.poll();
    io.driver.poll();
    Story story("in which order: give the name back, tell the operation?");
    story.step("an operation submits itself again when it is told 1");
    story.expect("it is in flight", true, op.in_flight());
    story.expect("its key is a new one", true, op.key != first_key && op.key != 0);
    io.kernel.complete(op, 2);
    io.driver.poll();
    story.step("the kernel completes it with 2");
    story.expect("it has heard both", Results{1, 2}, op.results);
}

TEST(Ex7_3_Reap, OperationMayBeGoneAfterItsLastCompletion) {
    ScriptedIo io;
    auto* op = new ProbeOp(io.fd(), IoCode::recv);
    bool told = false;
    op->then = [&told, op](const IoCompletion&) {
        told = true;
        auto then = std::move(op->then);  // This closure lives in the operation.
        delete op;
    };
    op->submit();
    io.driver.poll();
    io.kernel.complete(*op, 0);
    io.driver.poll();  // AddressSanitizer sees whoever touches it afterwards.
    EXPECT_TRUE(told);
    EXPECT_EQ(0U, io.driver.in_flight());
}

TEST(Ex7_3_Reap, DescriptorMayBeGoneAfterTheLastCompletionOnIt) {
    ScriptedIo io;
    auto fd = std::make_unique<IoFd>(io.driver, OwnedFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
    ProbeOp op(*fd, IoCode::recv);
    op.then = [&](const IoCompletion&) { fd.reset(); };
    op.submit();
    io.driver.poll();
    io.kernel.complete(op, 0);
    io.driver.poll();  // AddressSanitizer sees whoever touches it afterwards.
    EXPECT_EQ(nullptr, fd);
    EXPECT_EQ(0U, io.driver.in_flight());
}

TEST(Ex7_3_Reap, BufferOfALateCompletionGoesBackToThePool) {
    ScriptedIo io;
    ProbeOp& op = io.op(IoCode::recv_multi);
    op.submit();
    io.driver.poll();
    ASSERT_FALSE(io.kernel.buffers.empty());
    const auto out = io.driver.buffers().available();
    const auto key = op.key;
    io.kernel.complete(key, {.result = -ECANCELED});
    io.kernel.complete(key, {.result = 5, .more = false, .buffer = io.kernel.buffers.front()});
    io.driver.poll();
    Story story("bytes came for somebody who has gone: who owns the buffer now?");
    story.step("a receive stream ends; a late completion brings a buffer");
    story.expect("free buffers", out + 1, io.driver.buffers().available());
}

TEST(Ex7_3_Reap, CompletionOfNobodysKeyHarmsNothing) {
    ScriptedIo io;
    ProbeOp& op = io.op();
    op.submit();
    io.driver.poll();
    io.kernel.complete(0, {.result = -ENOENT});  // What a cancel answers that found nothing.
    io.kernel.complete(~std::uint64_t{0}, {.result = 3});
    const auto buffers = io.driver.buffers().available();
    Story story("what came with that completion, and what did not (IoCompletion)?");
    story.step("submit a recv; a cancel's own completion comes, then one with a key of nobody's");
    io.driver.poll();
    story.expect("the recv has heard nothing", Results{}, op.results);
    story.expect("it is in flight", true, op.in_flight());
    story.expect("free buffers, as before", buffers, io.driver.buffers().available());
}

}  // namespace
}  // namespace starling
