// 7.5: ending a sleep in the kernel from any thread, once per wake-up.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <starling/io_stream.hh>
#include <starling/probes.hh>
#include <starling/scripted_ring.hh>
#include <starling/story.hh>
#include <starling/test_drivers.hh>
#include <thread>
#include <vector>

#include "io_helpers.hh"

namespace starling {
namespace {

using testing_support::ScriptedIo;
using testing_support::Story;
using testing_support::TestDriver;

bool readable(const WakeFd& wake) {
    pollfd one{.fd = wake.fd(), .events = POLLIN, .revents = 0};
    return ::poll(&one, 1, 0) == 1;
}

TEST(Ex7_5_Wake, UnparkMakesTheDescriptorReadable) {
    WakeFd wake;
    Story story("what does the kernel watch?");
    story.expect("readable at first", false, readable(wake));
    wake.unpark();
    story.step("unpark");
    story.expect("readable", true, readable(wake));
}

TEST(Ex7_5_Wake, OneDrainTakesAllUnparks) {
    WakeFd wake;
    Story story("three wake-ups, one sleeper: how often need it wake up?");
    for (int i = 0; i < 3; ++i) wake.unpark();
    wake.drain();
    story.step("unpark three times, drain once");
    story.expect("readable", false, readable(wake));
    wake.unpark();
    story.step("unpark");
    story.expect("readable again", true, readable(wake));
}

TEST(Ex7_5_Wake, DrainWithoutAnUnparkDoesNotBlock) {
    WakeFd wake;
    wake.drain();
    wake.unpark();
    wake.drain();
    wake.drain();
    EXPECT_FALSE(readable(wake));
}

TEST(Ex7_5_Wake, UnparkLeavesErrnoAlone) {
    WakeFd wake;
    const std::uint64_t full = ~std::uint64_t{1};  // The most an eventfd counts: see eventfd(2).
    (void)!::write(wake.fd(), &full, sizeof full);
    errno = EDOM;
    wake.unpark();
    EXPECT_EQ(EDOM, errno) << "unpark is called in the middle of other people's work"
                           << "\nAsk yourself: what does a write to a full counter say?";
    wake.unpark();
    EXPECT_TRUE(readable(wake));
}

TEST(Ex7_5_Wake, ParkWatchesTheWakeDescriptorOnce) {
    ScriptedIo io;
    const auto& wake = static_cast<WakeFd&>(*io.driver.unparker());
    io.driver.park(TimePoint::max());
    io.driver.park(TimePoint::max());
    Story story("who tells the kernel about the eventfd, and how often?");
    story.step("park twice");
    ASSERT_TRUE(story.expect("watches", std::size_t{1}, io.kernel.count(IoCode::poll_multi)));
    story.expect("of the wake descriptor", wake.fd(), io.kernel.taken.front().request.fd);
    story.expect("the driver slept", 2, io.kernel.waits);
}

TEST(Ex7_5_Wake, WakeUpIsDrainedSoThatTheNextSleepIsOne) {
    ScriptedIo io;
    auto& wake = static_cast<WakeFd&>(*io.driver.unparker());
    io.driver.park(TimePoint::max());
    Story story("the eventfd has been heard: what makes it silent again?");
    story.step("park");
    ASSERT_TRUE(story.expect("watches", std::size_t{1}, io.kernel.count(IoCode::poll_multi)));
    const auto watch = io.kernel.taken.front().key;
    wake.unpark();
    io.kernel.complete(watch, {.result = POLLIN, .more = true});
    io.driver.poll();
    story.step("unpark, the kernel says that the descriptor is readable, poll");
    story.expect("still readable", false, readable(wake));
    io.driver.park(TimePoint::max());
    Story again("the completion said that more will come: who watches the eventfd now?");
    again.step("park, unpark, the watch completes with more to come, poll, park");
    again.expect("watches so far", std::size_t{1}, io.kernel.count(IoCode::poll_multi));
}

TEST(Ex7_5_Wake, WatchThatHasEndedIsArmedAgain) {
    ScriptedIo io;
    auto& wake = static_cast<WakeFd&>(*io.driver.unparker());
    io.driver.park(TimePoint::max());
    Story story("no more will come: who ends the next sleep?");
    story.step("park");
    ASSERT_TRUE(story.expect("watches", std::size_t{1}, io.kernel.count(IoCode::poll_multi)));
    wake.unpark();
    io.kernel.complete(io.kernel.taken.front().key, {.result = POLLIN, .more = false});
    io.driver.poll();
    story.step("unpark, the watch completes for the last time");
    story.expect("still readable", false, readable(wake));
    io.driver.park(TimePoint::max());
    story.step("park again");
    story.expect("watches so far", std::size_t{2}, io.kernel.count(IoCode::poll_multi));
}

TEST(Ex7_5_Wake, WatchThatFoundNoRoomIsArmedAtTheNextPark) {
    ScriptedIo io(1);
    io.op().submit();  // Fills the queue.
    io.driver.park(TimePoint::max());
    io.driver.park(TimePoint::max());
    Story story("the queue was full at the first park: what did the push say?");
    story.step("submit a recv, which fills the queue; park twice");
    story.expect("watches", std::size_t{1}, io.kernel.count(IoCode::poll_multi));
}

class Ex7_5_Sleep : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex7_5_Sleep, testing_support::all_drivers(),
                         testing_support::driver_label);

TEST_P(Ex7_5_Sleep, UnparkBeforeTheParkCounts) {
    auto driver = testing_support::make_test_driver(GetParam());
    if (driver == nullptr) return;
    for (int i = 0; i < 3; ++i) {
        driver->unparker()->unpark();
        driver->unparker()->unpark();
        // Sleeps for ever if the wake-up is lost; a stub can only lose it.
        driver->park(testing_support::met_a_stub() ? TimePoint::min() : TimePoint::max());
        driver->poll();
    }
    const auto deadline = Clock::steady().now() + std::chrono::milliseconds(5);
    while (Clock::steady().now() < deadline) driver->park(deadline);
    EXPECT_LT(driver->stats().enters, 100U)
        << "it was woken three times and then by nobody, but did not sleep: is the wake-up drained?";
}

TEST_P(Ex7_5_Sleep, UnparkFromAnotherThreadEndsTheSleep) {
    auto driver = testing_support::make_test_driver(GetParam());
    if (driver == nullptr) return;
    std::atomic<int> round = 0;  // Odd: the other thread has begun to unpark; even: this one is awake.
    std::atomic<bool> given_up = false;
    std::thread other([&, unparker = driver->unparker()] {
        for (int i = 1; i < 200 && !given_up; i += 2) {
            round = i;
            unparker->unpark();
            while (round == i && !given_up) std::this_thread::yield();
        }
    });
    bool overslept = false;
    for (int i = 1; i < 200 && !given_up; i += 2) {
        while (round != i && !given_up) {
            const auto deadline = Clock::steady().now() + std::chrono::seconds(2);
            driver->park(deadline);
            driver->poll();
            overslept = Clock::steady().now() >= deadline;
            given_up = overslept || testing_support::met_a_stub();
        }
        round = i + 1;
    }
    other.join();
    EXPECT_FALSE(overslept) << "it was unparked, and slept for two seconds";
}

TEST_P(Ex7_5_Sleep, UnparkerOutlivesTheDriver) {
    auto driver = testing_support::make_test_driver(GetParam());
    if (driver == nullptr) return;
    auto unparker = driver->unparker();
    driver->park(TimePoint::min());
    driver.reset();
    unparker->unpark();  // The descriptor is still its own: nobody else's is written to.
    EXPECT_TRUE(readable(static_cast<WakeFd&>(*unparker)));
}

TEST_P(Ex7_5_Sleep, CompletionEndsTheSleep) {
    auto driver = testing_support::make_test_driver(GetParam());
    if (driver == nullptr) return;
    std::array<int, 2> ends{};
    ASSERT_EQ(0, ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()));
    IoFd ours(*driver, OwnedFd(ends[0]));
    OwnedFd theirs(ends[1]);
    std::array<std::byte, 8> buffer{};
    RecvOp op(ours, buffer);
    testing_support::Waiter waiter;
    op.start(waiter);
    std::thread other([&] { EXPECT_EQ(3, ::send(theirs.get(), "abc", 3, MSG_NOSIGNAL)); });
    for (int i = 0; i < 100 && waiter.resumed == 0; ++i) {
        driver->park(TimePoint::max());
        driver->poll();
    }
    other.join();
    ASSERT_EQ(1, waiter.resumed) << "100 sleeps have ended, and the receive has not";
    EXPECT_EQ(3U, op.finish());
}

/// A source that closes a descriptor from inside its poll, as a timer's deadline may do.
struct CloseLater final : EventSource {
    void poll() noexcept override {
        if (armed) fd = IoFd();
    }
    bool active() const noexcept override { return false; }
    IoFd fd;
    bool armed = false;
};

TEST_P(Ex7_5_Sleep, CancelThatComesAfterThePollIsNotSleptOver) {
    auto driver = testing_support::make_test_driver(GetParam(), {.buffers = 2, .buffer_bytes = 16});
    if (driver == nullptr) return;
    driver->park(TimePoint::min());  // Whoever sleeps can be woken from here on.
    Executor executor({.parker = driver.get()});
    executor.add_source(*driver);
    CloseLater later;
    executor.add_source(later);  // Polled after the driver: just before the executor sleeps.
    auto [a, b] = testing_support::stream_pair();
    auto [c, d] = testing_support::stream_pair();
    IoFd rich(*driver, std::move(a));
    later.fd = IoFd(*driver, std::move(c));
    for (int i = 0; i < 4; ++i) ASSERT_EQ(16, ::send(b.get(), "0123456789abcdef", 16, MSG_NOSIGNAL));
    ASSERT_EQ(1, ::send(d.get(), "x", 1, MSG_NOSIGNAL));
    executor.block_on([&]() -> Task<> {
        std::vector<PooledBuffer> hoard;
        RecvStream greedy(rich);
        while (hoard.size() < 2) {
            co_await greedy.wait();
            while (!greedy.empty()) hoard.push_back(greedy.take());
        }
        RecvStream starved(later.fd);
        StreamWait wait = starved.wait();
        later.armed = true;
        co_await wait;  // Ends by its time limit if the cancel is slept over.
        EXPECT_EQ(-ECANCELED, starved.error());
    });
    executor.remove_source(later);
}

}  // namespace
}  // namespace starling
