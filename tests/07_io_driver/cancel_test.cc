// 7.4: stopping is a request; the last completion says how it ended.
#include <gtest/gtest.h>

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <starling/context.hh>
#include <starling/io_op.hh>
#include <starling/probes.hh>
#include <starling/scripted_ring.hh>
#include <starling/story.hh>
#include <system_error>

namespace starling {
namespace {

using testing_support::ProbeOp;
using testing_support::ScriptedIo;
using testing_support::Story;
using testing_support::Waiter;

/// A task that awaits a recv, by hand: its context can be stopped, and it counts how often it goes
/// on.
struct Receiver {
    explicit Receiver(ScriptedIo& io) : op(io.fd(), buffer) { waiter.set_context(&context); }

    std::array<std::byte, 8> buffer{};
    Context context{"receiver"};
    Waiter waiter;
    RecvOp op;
};

TEST(Ex7_4_Cancel, StopSendsACancelAndWaitsForTheLastCompletion) {
    ScriptedIo io;
    auto& r = *new Receiver(io);
    r.op.start(r.waiter);
    io.driver.poll();
    Story story("the kernel still has the address of the buffer: may the frame go now?");
    r.context.request_stop();
    io.driver.poll();
    story.step("start a recv, stop its task");
    story.expect("cancels sent", std::size_t{1}, io.kernel.count(IoCode::cancel));
    story.expect("the cancel names the recv", r.op.key, io.kernel.taken.back().request.target);
    story.expect("the task has not gone on", 0, r.waiter.resumed);
    io.kernel.complete(io.kernel.taken.back().key, {.result = 0});  // The cancel's own.
    io.driver.poll();
    story.step("the kernel has taken the cancel");
    story.expect("the task has not gone on", 0, r.waiter.resumed);
    io.kernel.complete(r.op, -ECANCELED);
    io.driver.poll();
    story.step("the recv's last completion: -ECANCELED");
    story.expect("the task has gone on", 1, r.waiter.resumed);
    story.expect("it was stopped", true, r.op.stopped());
    EXPECT_THROW(r.op.finish(), Cancelled);
    delete &r;
}

TEST(Ex7_4_Cancel, SuccessBeatsAStop) {
    ScriptedIo io;
    Receiver r(io);
    r.op.start(r.waiter);
    io.driver.poll();
    r.context.request_stop();
    io.kernel.complete(r.op, 3);
    io.driver.poll();
    Story story("3 bytes are out of the socket: who gets them if nobody does?");
    story.step("stop a recv; the kernel was faster: 3 bytes");
    story.expect("the task has gone on", 1, r.waiter.resumed);
    story.expect("stopped", false, r.op.stopped());
    story.expect("bytes", std::size_t{3}, r.op.finish());
}

TEST(Ex7_4_Cancel, ErrorAfterAStopIsStillThatError) {
    ScriptedIo io;
    Receiver r(io);
    r.op.start(r.waiter);
    io.driver.poll();
    r.context.request_stop();
    io.kernel.complete(r.op, -ECONNRESET);
    io.driver.poll();
    EXPECT_FALSE(r.op.stopped());
    EXPECT_THROW(r.op.finish(), std::system_error);
}

TEST(Ex7_4_Cancel, CancellationNobodyAskedForIsAnError) {
    ScriptedIo io;
    Receiver r(io);
    r.op.start(r.waiter);
    io.driver.poll();
    io.kernel.complete(r.op, -ECANCELED);
    io.driver.poll();
    EXPECT_FALSE(r.op.stopped()) << "its task was not stopped: this must not look like it";
    EXPECT_THROW(r.op.finish(), std::system_error);
}

TEST(Ex7_4_Cancel, TaskStoppedBeforehandIsNotCompletedInsideStart) {
    ScriptedIo io;
    Receiver r(io);
    r.context.request_stop();
    r.op.start(r.waiter);
    Story story("start came after the stop: who may go on, and when?");
    story.step("stop the task, then start a recv");
    story.expect("the task has not gone on inside start", 0, r.waiter.resumed);
    io.driver.poll();
    if (r.op.in_flight()) {  // It reached the kernel, so the kernel has to let go of it.
        story.expect("cancels sent", std::size_t{1}, io.kernel.count(IoCode::cancel));
        story.expect("the task has not gone on before the completion", 0, r.waiter.resumed);
        io.kernel.complete(r.op, -ECANCELED);
        io.driver.poll();
    }
    story.expect("it has gone on", 1, r.waiter.resumed);
    story.expect("stopped", true, r.op.stopped());
}

TEST(Ex7_4_Cancel, CancelFindsRoomInAFullQueue) {
    ScriptedIo io(1);
    ProbeOp& a = io.op();
    ProbeOp& b = io.op();
    a.submit();
    io.driver.poll();
    b.submit();
    io.kernel.next_enter = -EBUSY;
    a.cancel();
    Story story(
        "neither the queue nor the kernel had room: who remembers that A is to be cancelled?");
    story.step("submit A; submit B, which fills the queue; cancel A while the kernel says -EBUSY");
    for (int i = 0; i < 4; ++i) io.driver.poll();
    story.step("poll, while the kernel works again");
    story.expect("cancels sent", std::size_t{1}, io.kernel.count(IoCode::cancel));
    for (const auto& r : io.kernel.taken) {
        if (r.request.code == IoCode::cancel) story.expect("for A", a.key, r.request.target);
    }
    story.expect("A is in flight until the kernel says otherwise", true, a.in_flight());
}

TEST(Ex7_4_Cancel, OperationThatStillWaitedForRoomNeverReachesTheKernel) {
    ScriptedIo io(1);
    ProbeOp& a = io.op();
    ProbeOp& b = io.op();
    a.submit();
    io.kernel.next_enter = -EBUSY;
    b.submit();
    b.cancel();
    Story story(
        "the kernel has never heard of B: what could it cancel, and who tells B (7.2), and how?");
    story.step("submit A; submit B, which finds no room; cancel B");
    story.expect("nothing is told inside cancel", std::vector<int>{}, b.results);
    for (int i = 0; i < 3; ++i) io.driver.poll();
    story.step("poll");
    story.expect("B has heard -ECANCELED, once", std::vector{-ECANCELED}, b.results);
    story.expect("B is no longer in flight", false, b.in_flight());
    story.expect("operations in flight, as the driver counts them", std::size_t{1},
                 io.driver.in_flight());
    story.expect("the kernel has taken A only", std::size_t{1}, io.kernel.taken.size());
}

TEST(Ex7_4_Cancel, OperationMayBeGoneWhenItIsToldThatItWasCancelled) {
    ScriptedIo io(1);
    io.op().submit();
    auto* b = new ProbeOp(io.fd(), IoCode::recv);
    bool told = false;
    b->then = [&told, b](const IoCompletion&) {
        told = true;
        auto then = std::move(b->then);  // This closure lives in the operation.
        delete b;
    };
    io.kernel.next_enter = -EBUSY;
    b->submit();
    b->cancel();
    Story story("Driver::flush (7.2) tells B: may it still touch B afterwards?");
    story.step("submit A; submit B, which finds no room; cancel B, which goes when it is told");
    for (int i = 0; i < 3; ++i) io.driver.poll();
    story.step("poll");
    story.expect("B was told", true, told);
    story.expect("operations in flight", std::size_t{1}, io.driver.in_flight());
}

TEST(Ex7_4_Cancel, OperationThatIsNotInFlightHasNothingToCancel) {
    ScriptedIo io;
    auto fd = std::make_unique<IoFd>(io.driver, OwnedFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
    ProbeOp op(*fd, IoCode::recv);
    op.submit();
    io.driver.poll();
    io.kernel.complete(op, 1);
    io.driver.poll();
    const auto before = io.driver.stats().submissions;
    Story story("the operation has ended: what is there to cancel, and is its descriptor there?");
    story.step("a recv ends, and is cancelled then");
    op.cancel();
    story.expect("requests", before, io.driver.stats().submissions);
    story.expect("it is being cancelled", false, op.cancelling());
    fd.reset();
    story.step("its descriptor is closed, and it is cancelled once more");
    op.cancel();
    story.expect("requests", before, io.driver.stats().submissions);
}

TEST(Ex7_4_Cancel, NewcomerDoesNotEndTheOneWhoWasCancelled) {
    ScriptedIo io(1);
    ProbeOp& a = io.op();
    ProbeOp& b = io.op();
    ProbeOp& c = io.op();
    a.submit();
    io.kernel.next_enter = -EBUSY;
    b.submit();
    b.cancel();
    c.submit();
    Story story("who is on the stack when B's task goes on, and what is C's in the middle of?");
    story.step("submit A; submit B, which finds no room; cancel B; submit C");
    story.expect("B is told nothing inside C's submit (7.2)", std::vector<int>{}, b.results);
    for (int i = 0; i < 4; ++i) io.driver.poll();
    story.step("poll");
    story.expect("B has heard -ECANCELED, once", std::vector{-ECANCELED}, b.results);
    story.expect("the kernel has taken A and C", std::size_t{2}, io.kernel.taken.size());
}

TEST(Ex7_4_Cancel, CancellingTwiceSendsOne) {
    ScriptedIo io;
    ProbeOp& op = io.op();
    op.submit();
    io.driver.poll();
    op.cancel();
    op.cancel();
    io.driver.poll();
    op.cancel();
    io.driver.poll();
    EXPECT_EQ(1U, io.kernel.count(IoCode::cancel));
}

TEST(Ex7_4_Cancel, CancelThatComesTooLateHitsNobody) {
    ScriptedIo io;
    ProbeOp& a = io.op();
    ProbeOp& b = io.op();
    a.submit();
    io.driver.poll();
    a.cancel();
    io.kernel.next_enter = -EBUSY;  // The cancel stays in the queue…
    io.kernel.complete(a, 1);       // …and meanwhile A ends.
    io.driver.poll();
    b.submit();
    io.driver.poll();
    Story story("the cancel was on its way when A's slot became B's: whom does it name?");
    story.step("cancel A; A ends before the cancel is taken; submit B; poll");
    story.expect("A has heard 1", std::vector{1}, a.results);
    ASSERT_EQ(1U, io.kernel.count(IoCode::cancel));
    const auto& cancel = io.kernel.taken[1];
    story.expect("the cancel does not name B", true, cancel.request.target != b.key);
}

TEST(Ex7_4_Cancel, InterruptedOperationStartsAgainByItself) {
    ScriptedIo io;
    Receiver r(io);
    r.op.start(r.waiter);
    io.driver.poll();
    io.kernel.complete(r.op, -EINTR);
    io.driver.poll();
    io.driver.poll();
    EXPECT_EQ(0, r.waiter.resumed);
    EXPECT_EQ(2U, io.kernel.count(IoCode::recv));
    io.kernel.complete(r.op, 4);
    io.driver.poll();
    EXPECT_EQ(1, r.waiter.resumed);
    EXPECT_FALSE(r.op.stopped());
    EXPECT_EQ(4U, r.op.finish());
}

TEST(Ex7_4_Cancel, CloseCancelsWhatIsInFlightAndWaits) {
    ScriptedIo io;
    std::array<std::byte, 8> buffer{};
    IoFd fd(io.driver, OwnedFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
    const int number = fd.get();
    Waiter receiver;
    RecvOp op(fd, buffer);
    op.start(receiver);
    io.driver.poll();
    Waiter closer;
    CloseOp close = fd.close();
    ASSERT_FALSE(close.ready());
    close.start(closer);
    io.driver.poll();
    Story story("the number would be another connection's at once: when may it be given back?");
    story.step("a recv is in flight; close its descriptor");
    story.expect("cancels sent", std::size_t{1}, io.kernel.count(IoCode::cancel));
    story.expect("the close has not ended", 0, closer.resumed);
    story.expect("the number is still taken", true, ::fcntl(number, F_GETFD) >= 0);
    io.kernel.complete(op, -ECANCELED);
    io.driver.poll();
    story.step("the recv's last completion");
    story.expect("the recv's task has gone on", 1, receiver.resumed);
    story.expect("though its task was not stopped", false, op.stopped());
    story.expect("the close has ended", 1, closer.resumed);
    story.expect("the number is free", true, ::fcntl(number, F_GETFD) < 0);
}

TEST(Ex7_4_Cancel, InterruptedOperationDoesNotStartAgainWhereTheDescriptorIsClosing) {
    ScriptedIo io;
    std::array<std::byte, 8> buffer{};
    IoFd fd(io.driver, OwnedFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
    Waiter receiver;
    RecvOp op(fd, buffer);
    op.start(receiver);
    io.driver.poll();
    Waiter closer;
    CloseOp close = fd.close();
    close.start(closer);
    io.driver.poll();
    io.kernel.complete(op, -EINTR);  // So does a kernel answer whose worker was interrupted.
    io.driver.poll();
    io.driver.poll();
    Story story("the close has asked it to end, and asks once: who would end it the next time?");
    story.step("close a descriptor under a recv; the recv's last completion says -EINTR");
    story.expect("recvs that the kernel was given", std::size_t{1}, io.kernel.count(IoCode::recv));
    story.expect("the recv's task has gone on", 1, receiver.resumed);
    story.expect("the close has ended", 1, closer.resumed);
    if (op.in_flight()) io.kernel.complete(op, 0);  // So that this case ends.
    io.driver.poll();
}

TEST(Ex7_4_Cancel, ConnectionAcceptedAfterTheStopIsNotLeaked) {
    ScriptedIo io;
    const int connection = ::open("/dev/null", O_RDWR);
    {
        Context context;
        Waiter waiter;
        waiter.set_context(&context);
        AcceptOp op(io.fd());
        op.start(waiter);
        io.driver.poll();
        context.request_stop();
        io.kernel.complete(op, connection);
        io.driver.poll();
        ASSERT_EQ(1, waiter.resumed);
        EXPECT_FALSE(op.stopped()) << "a success beats a stop";
    }  // Nobody has taken the result.
    EXPECT_LT(::fcntl(connection, F_GETFD), 0) << "the descriptor is still open";
}

}  // namespace
}  // namespace starling
