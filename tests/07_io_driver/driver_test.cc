// The one-shot operations on real kernels: the same cases on every rung of io_uring and on epoll.
// They turn the executor without sleeping, so they wait for 7.1 to 7.4 only.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/uio.h>

#include <cstdlib>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/test_drivers.hh>
#include <vector>

#include "io_helpers.hh"

namespace starling {
namespace {

using testing_support::as_bytes;
using testing_support::as_text;
using testing_support::IoShard;
using testing_support::Listener;
using testing_support::stream_pair;
using testing_support::TestDriver;
using testing_support::Waiter;

class Ex7_3_Operations : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex7_3_Operations, testing_support::all_drivers(),
                         testing_support::driver_label);

TEST_P(Ex7_3_Operations, BytesSentAreReceivedAndTheEndIsZero) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    shard.run([&]() -> Task<> {
        auto [a, b] = stream_pair();
        IoFd ours(shard.driver(), std::move(a));
        IoFd theirs(shard.driver(), std::move(b));
        std::array<std::byte, 16> buffer{};
        EXPECT_EQ(5U, co_await SendOp(ours, as_bytes("hello")));
        const std::size_t n = co_await RecvOp(theirs, buffer);
        EXPECT_EQ("hello", as_text(std::span(buffer).first(n)));
        EXPECT_EQ(0, ours.shutdown(SHUT_WR));
        EXPECT_EQ(0U, co_await RecvOp(theirs, buffer)) << "the end of the stream is no error";
    });
}

TEST_P(Ex7_3_Operations, ReceiverWaitsForBytesThatComeLater) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    auto [a, b] = stream_pair();
    IoFd ours(shard.driver(), std::move(a));
    std::array<std::byte, 16> buffer{};
    RecvOp op(ours, buffer);
    Waiter waiter;
    ASSERT_FALSE(op.ready());
    op.start(waiter);
    for (int i = 0; i < 10; ++i) shard.driver().poll();
    EXPECT_EQ(0, waiter.resumed);
    EXPECT_TRUE(shard.driver().active()) << "it may still bring an event: this is no deadlock";
    ASSERT_EQ(2, ::send(b.get(), "hi", 2, MSG_NOSIGNAL));
    ASSERT_TRUE(shard.turn_until([&] { return waiter.resumed == 1; }));
    EXPECT_EQ(2U, op.finish());
    EXPECT_FALSE(shard.driver().active());
}

TEST_P(Ex7_3_Operations, NothingIsCompletedInsideStart) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    auto [a, b] = stream_pair();
    ASSERT_EQ(2, ::send(b.get(), "hi", 2, MSG_NOSIGNAL));
    IoFd ours(shard.driver(), std::move(a));
    std::array<std::byte, 16> buffer{};
    RecvOp op(ours, buffer);
    Waiter waiter;
    op.start(waiter);
    EXPECT_EQ(0, waiter.resumed)
        << "the bytes were there, but whoever called start is not done yet";
    ASSERT_TRUE(shard.turn_until([&] { return waiter.resumed == 1; }));
    EXPECT_EQ(2U, op.finish());
}

TEST_P(Ex7_3_Operations, ConnectionsAreMade) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    shard.run([&]() -> Task<> {
        Listener listener;
        IoFd listening(shard.driver(), std::move(listener.fd));
        IoFd client(shard.driver(), testing_support::tcp_socket());
        co_await ConnectOp(client, listener.generic(), sizeof listener.address);
        IoFd server(shard.driver(), co_await AcceptOp(listening));
        co_await SendOp(client, as_bytes("ping"));
        std::array<std::byte, 16> buffer{};
        const std::size_t n = co_await RecvOp(server, buffer);
        EXPECT_EQ("ping", as_text(std::span(buffer).first(n)));
        EXPECT_NE(0, ::fcntl(server.get(), F_GETFD) & FD_CLOEXEC) << "a child would inherit it";
    });
}

TEST_P(Ex7_3_Operations, RefusedConnectionNamesTheOperation) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    shard.run([&]() -> Task<> {
        Listener bound(0);  // Has the port, does not listen.
        IoFd client(shard.driver(), testing_support::tcp_socket());
        try {
            co_await ConnectOp(client, bound.generic(), sizeof bound.address);
            ADD_FAILURE() << "nobody listens there";
        } catch (const std::system_error& error) {
            EXPECT_EQ(ECONNREFUSED, error.code().value()) << "errno, with its own sign";
            EXPECT_NE(nullptr, std::strstr(error.what(), "connect")) << error.what();
        }
    });
}

TEST_P(Ex7_3_Operations, SendToAClosedPeerIsAnErrorAndNoSignal) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    shard.run([&]() -> Task<> {
        auto [a, b] = stream_pair();
        IoFd ours(shard.driver(), std::move(a));
        b = OwnedFd();
        int error = 0;
        try {
            co_await SendOp(ours, as_bytes("x"));
        } catch (const std::system_error& e) {
            error = e.code().value();
        }
        EXPECT_EQ(EPIPE, error);
    });
}

TEST_P(Ex7_3_Operations, SendThatFindsNoRoomWaitsForIt) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    constexpr std::size_t kTotal = 4 << 20;
    std::vector<std::byte> out(kTotal, std::byte{7});
    std::size_t received = 0;
    auto [a, b] = stream_pair();
    IoFd ours(shard.driver(), std::move(a));
    IoFd theirs(shard.driver(), std::move(b));
    auto sender = shard.executor().spawn([&]() -> Task<> {
        std::span<const std::byte> rest = out;
        while (!rest.empty()) rest = rest.subspan(co_await SendOp(ours, rest));
        ours.shutdown(SHUT_WR);
    });
    shard.run([&]() -> Task<> {
        std::vector<std::byte> in(100'000);
        for (;;) {
            const std::size_t n = co_await RecvOp(theirs, in);
            if (n == 0) break;
            received += n;
        }
        co_await sender;
    });
    EXPECT_EQ(kTotal, received);
}

TEST_P(Ex7_3_Operations, MessagesAreGatheredAndScattered) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    shard.run([&]() -> Task<> {
        auto [a, b] = stream_pair();
        IoFd ours(shard.driver(), std::move(a));
        IoFd theirs(shard.driver(), std::move(b));
        std::array<char, 3> one{'a', 'b', 'c'};
        std::array<char, 2> two{'d', 'e'};
        std::array<iovec, 2> from{iovec{one.data(), 3}, iovec{two.data(), 2}};
        msghdr out{};
        out.msg_iov = from.data();
        out.msg_iovlen = from.size();
        EXPECT_EQ(5U, co_await SendMsgOp(ours, out));
        std::array<char, 1> first{};
        std::array<char, 8> rest{};
        std::array<iovec, 2> into{iovec{first.data(), 1}, iovec{rest.data(), 8}};
        msghdr in{};
        in.msg_iov = into.data();
        in.msg_iovlen = into.size();
        EXPECT_EQ(5U, co_await RecvMsgOp(theirs, in));
        EXPECT_EQ('a', first[0]);
        EXPECT_EQ("bcde", std::string(rest.data(), 4));
    });
}

TEST_P(Ex7_3_Operations, PollWaitsUntilReadingWouldNotBlock) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    auto [a, b] = stream_pair();
    IoFd ours(shard.driver(), std::move(a));
    PollOp read(ours, PollOp::Direction::read);
    Waiter reader;
    ASSERT_FALSE(read.ready());
    read.start(reader);
    PollOp write(ours, PollOp::Direction::write);
    Waiter writer;
    if (!write.ready()) {
        write.start(writer);
        ASSERT_TRUE(shard.turn_until([&] { return writer.resumed == 1; }));
    }
    write.finish();
    EXPECT_EQ(0, reader.resumed);
    ASSERT_EQ(1, ::send(b.get(), "x", 1, MSG_NOSIGNAL));
    ASSERT_TRUE(shard.turn_until([&] { return reader.resumed == 1; }));
    read.finish();
}

TEST_P(Ex7_3_Operations, DescriptorMayArriveInEitherBlockingMode) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    for (const int mode : {0, O_NONBLOCK}) {
        auto [a, b] = stream_pair();
        ASSERT_EQ(0, ::fcntl(a.get(), F_SETFL, mode));
        IoFd ours(shard.driver(), std::move(a));
        std::array<std::byte, 4> buffer{};
        RecvOp op(ours, buffer);
        Waiter waiter;
        ASSERT_FALSE(op.ready());
        op.start(waiter);
        for (int i = 0; i < 10; ++i) shard.driver().poll();
        EXPECT_EQ(0, waiter.resumed) << "'would block' is no result: the driver waits";
        ASSERT_EQ(1, ::send(b.get(), "x", 1, MSG_NOSIGNAL));
        ASSERT_TRUE(shard.turn_until([&] { return waiter.resumed == 1; }));
        EXPECT_EQ(1U, op.finish());
    }
}

TEST_P(Ex7_3_Operations, DuplicateMayHaveTheNumberOfOneThatWasClosed) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    auto [a, b] = stream_pair();
    for (int i = 0; i < 3; ++i) {
        IoFd ours(shard.driver(), OwnedFd(::dup(a.get())));
        std::array<std::byte, 4> buffer{};
        RecvOp op(ours, buffer);
        Waiter waiter;
        ASSERT_FALSE(op.ready());
        op.start(waiter);
        shard.driver().poll();
        ASSERT_EQ(1, ::send(b.get(), "x", 1, MSG_NOSIGNAL));
        ASSERT_TRUE(shard.turn_until([&] { return waiter.resumed == 1; }));
        EXPECT_EQ(1U, op.finish());
    }  // Closed, but the socket lives on in `a`.
}

TEST_P(Ex7_3_Operations, ManyAtOnceOverflowNothing) {
    IoShard shard(GetParam(), {.entries = 8});
    if (shard.missing()) return;
    constexpr int kPairs = 100;
    struct Pair {
        Pair(Driver& driver, std::pair<OwnedFd, OwnedFd> ends)
            : ours(driver, std::move(ends.first)), theirs(std::move(ends.second)) {}
        IoFd ours;
        OwnedFd theirs;
        std::array<std::byte, 4> buffer{};
        std::unique_ptr<RecvOp> op;
        Waiter waiter;
    };
    std::deque<Pair> pairs;
    for (int i = 0; i < kPairs; ++i) {
        Pair& p = pairs.emplace_back(shard.driver(), stream_pair());
        p.op = std::make_unique<RecvOp>(p.ours, p.buffer);
        p.op->start(p.waiter);
    }
    for (Pair& p : pairs) ASSERT_EQ(1, ::send(p.theirs.get(), "x", 1, MSG_NOSIGNAL));
    auto all = [&] {
        return std::ranges::all_of(pairs, [](const Pair& p) { return p.waiter.resumed == 1; });
    };
    ASSERT_TRUE(shard.turn_until(all)) << "100 receives through a queue for 8";
    for (Pair& p : pairs) EXPECT_EQ(1U, p.op->finish());
}

TEST(Given7_Ready, AcceptThatWasReadyKeepsItsConnectionWhenItIsMoved) {
    IoShard shard({"epoll", DriverKind::epoll});
    if (shard.missing()) return;
    Listener listener;
    OwnedFd client = listener.connect();
    IoFd listening(shard.driver(), std::move(listener.fd));
    auto first = std::make_unique<AcceptOp>(listening);
    if (!first->ready()) return;  // This kernel has to be asked.
    AcceptOp second = std::move(*first);
    first.reset();
    ASSERT_TRUE(second.ready());
    const OwnedFd connection = second.finish();
    EXPECT_LE(0, ::fcntl(connection.get(), F_GETFD)) << "the one that was moved from closed it";
}

// Choosing a driver.

TEST(Ex7_3_Choosing, AutomaticTakesWhatWorksAndSaysWhy) {
    auto driver = make_driver();
    IoFd fd(*driver, stream_pair().first);
    std::array<std::byte, 4> buffer{};
    RecvOp op(fd, buffer);
    Waiter waiter;
    op.start(waiter);
    for (int i = 0; i < 1000 && waiter.resumed == 0; ++i) driver->poll();
    EXPECT_EQ(1, waiter.resumed);
    EXPECT_EQ(0U, op.finish()) << "the peer is closed";
    const bool ring = std::string_view(driver->name()).starts_with("io_uring");
    if (ring) {
        EXPECT_EQ("", driver->note());
    } else {
        EXPECT_NE("", driver->note()) << "it is not the first choice: the note says why";
        GTEST_SKIP() << driver->note();
    }
}

TEST(Given7_Choosing, WhatIsNotThereIsASentence) {
    try {
        make_driver({.kind = DriverKind::kqueue});
        GTEST_SKIP() << "this system has kqueue";
    } catch (const std::system_error& error) {
        EXPECT_NE(nullptr, std::strstr(error.what(), "kqueue")) << error.what();
    }
}

}  // namespace
}  // namespace starling
