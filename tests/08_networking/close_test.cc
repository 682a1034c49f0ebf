// 8.5: how a connection ends, so that the peer has everything and nobody keeps a descriptor.
#include <gtest/gtest.h>

#include <optional>
#include <starling/net_world.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/tcp_listener.hh>

namespace starling {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing_support::NetWorld;
using testing_support::open_fds;
using testing_support::PlainSocket;
using testing_support::Story;
using testing_support::tcp_pair;
using testing_support::TestDriver;

class Ex8_5_Close : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex8_5_Close, testing_support::all_drivers(),
                         testing_support::driver_label);

TEST_P(Ex8_5_Close, PeerThatStillSendsGetsTheWholeAnswer) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("what does the kernel tell the peer when unread bytes are thrown away?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        peer.send("a request that is too long, and of which nobody reads");
        co_await stream.readable();
        story.step("the peer has sent a request; we answer without having read it, and close");
        co_await stream.write_all("413 too long");
        auto closing = spawn([&] { return stream.close_gracefully(seconds(1)); });
        co_await sleep(milliseconds(10));
        peer.send(" the rest");
        co_await sleep(milliseconds(10));
        story.expect("the peer reads", std::string("413 too long"), peer.received());
        story.expect("then the end, not a reset", true, peer.ended());
        peer.shutdown_write();
        co_await closing;
        story.expect("when the peer has ended too, it is closed at once", true,
                     world.elapsed_ms() < 500);
    });
}

TEST_P(Ex8_5_Close, AnswerThatIsStillUnderWayIsNotCutByARequestThatNobodyRead) {
    NetWorld world(GetParam(), {.buffers = 16, .buffer_bytes = 512});
    if (world.missing()) return;
    Story story("a close with unread bytes is a reset: what becomes of the answer?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        const int bytes = 1 << 20;
        ::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
        TcpStream stream(world.driver(), std::move(ours));
        peer.send(std::string(20'000, 'q'));
        co_await stream.readable();
        const std::string answer(150'000, 'a');
        co_await stream.write_all(answer);
        story.step("20 KB have come and nobody has read them; 150 KB of answer are written");
        auto closing = spawn([&] { return stream.close_gracefully(seconds(10)); });
        co_await sleep(milliseconds(10));
        peer.send("and more");
        co_await sleep(milliseconds(10));
        story.step("it is closed gracefully; the peer sends some more, and only then reads");
        story.expect("bytes that the peer reads", answer.size(),
                     peer.receive(answer.size()).size());
        peer.received();
        story.expect("then the end, not a reset", true, peer.ended());
        peer.shutdown_write();
        co_await closing;
    });
}

TEST_P(Ex8_5_Close, PeerThatNeverEndsIsWaitedForOnlySoLong) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    const int fds_before = open_fds();
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        co_await stream.close_gracefully(seconds(2));
        EXPECT_GE(world.elapsed_ms(), 2000);
        EXPECT_LE(world.elapsed_ms(), 2010);
        EXPECT_FALSE(stream.valid());
        peer.close();
        EXPECT_EQ(fds_before, open_fds());
    });
}

TEST_P(Ex8_5_Close, PeerThatTalksOnIsNotListenedToForEver) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        auto closing = spawn([&] { return stream.close_gracefully(seconds(2)); });
        for (int i = 0; i < 40 && !closing.done(); ++i) {
            peer.send("blah");
            co_await sleep(milliseconds(100));
        }
        EXPECT_TRUE(closing.done()) << "4 seconds have passed; it had 2";
        closing.abort();
    });
}

TEST_P(Ex8_5_Close, PeerThatNeverPausesIsNotListenedToForEver) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.executor().remove_source(world.driver());
    world.executor().add_source(world.driver());  // Behind the timers, as where people use it.
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        auto closing = spawn([&] { return stream.close_gracefully(seconds(2)); });
        const std::string flood(20'000, 'x');
        for (int i = 0; i < 1000 && !closing.done(); ++i) {
            peer.send(flood);
            world.poll_now();
            world.clock().advance(milliseconds(10));
            co_await yield();
        }
        Story story("a deadline ends what waits: what if there is always something to read?");
        story.step("close gracefully, for 2 s at most; for 10 s the peer sends whatever fits");
        story.expect("it has ended", true, closing.done());
        peer.close();
        co_await closing;
    });
}

TEST_P(Ex8_5_Close, PeerThatIsGoneAlreadyIsNoError) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("which of the steps of a close does a peer that is gone let fail?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        const linger at_once{.l_onoff = 1, .l_linger = 0};
        ::setsockopt(peer.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        peer.close();
        co_await sleep(milliseconds(5));
        story.step("the peer resets the connection; it is closed gracefully");
        co_await stream.close_gracefully(seconds(2));
        story.expect("at once", true, world.elapsed_ms() <= 100);
        story.expect("it is still valid", false, stream.valid());
    });
}

TEST_P(Ex8_5_Close, DeadlineOfTheListeningMayBeMoved) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the read deadline is the stream's: does the loop look at that, or at its own?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        auto closing = spawn([&] { return stream.close_gracefully(seconds(2)); });
        co_await sleep(seconds(1));
        stream.set_read_deadline(world.clock().now() + seconds(3));
        const auto talk_until = [&](long ms) -> Task<> {
            while (world.elapsed_ms() < ms) {
                peer.send("blah");
                co_await sleep(milliseconds(100));
            }
        };
        story.step("close gracefully, for 2 s at most, while the peer talks on");
        story.step("after 1 s the read deadline is set to 3 s from then");
        co_await talk_until(3500);
        story.expect("it has ended after 3.5 s", false, closing.done());
        co_await talk_until(5000);
        story.expect("it has ended after 5 s", true, closing.done());
        co_await closing;
    });
}

TEST_P(Ex8_5_Close, ClosedStreamKeepsNoBuffer) {
    NetWorld world(GetParam(), {.buffers = 64, .buffer_bytes = 64});
    if (world.missing()) return;
    Story story("bytes have come that nobody has read: who has them when the stream is closed?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        auto waiting = spawn([&]() -> Task<> { co_await stream.readable(); });
        co_await sleep(milliseconds(5));
        const std::size_t free = world.driver().buffers().available();
        peer.send(std::string(256, 'x'));
        co_await waiting;
        co_await sleep(milliseconds(5));
        story.step("four buffers full have come; the stream is closed, and the object lives on");
        co_await stream.close();
        co_await sleep(milliseconds(5));
        story.expect("free buffers", free, world.driver().buffers().available());
    });
}

TEST_P(Ex8_5_Close, StoppedTaskStillClosesProperly) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    const int fds_before = open_fds();
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        {
            TcpStream stream(world.driver(), std::move(ours));
            co_await stream.write_all("goodbye");
            auto closing = spawn([&] { return stream.close_gracefully(seconds(2)); });
            co_await sleep(milliseconds(5));
            closing.abort();
            co_await sleep(milliseconds(5));
            peer.shutdown_write();
            try {
                co_await closing;
            } catch (const TaskAborted&) {
                ADD_FAILURE() << "closing has to run to its end, whatever is stopped around it";
            }
        }
        EXPECT_EQ("goodbye", peer.received());
        EXPECT_TRUE(peer.ended());
        peer.close();
        EXPECT_EQ(fds_before, open_fds());
    });
}

TEST_P(Ex8_5_Close, StoppedTaskStillLetsThePeerReadToTheEnd) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("it is closed, the peer sends: what does the kernel do with the answer under way?");
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        const int bytes = 1 << 20;
        ::setsockopt(ours.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
        TcpStream stream(world.driver(), std::move(ours));
        const std::string answer(150'000, 'a');
        co_await stream.write_all(answer);
        auto closing = spawn([&] { return stream.close_gracefully(seconds(10)); });
        co_await sleep(milliseconds(10));
        closing.abort();
        co_await sleep(milliseconds(10));
        story.step("150 KB of answer are written, and close gracefully; then its task is stopped");
        peer.send("and more");
        co_await sleep(milliseconds(10));
        story.step("the peer sends some more, and only then reads");
        story.expect("bytes that the peer reads", answer.size(),
                     peer.receive(answer.size()).size());
        peer.shutdown_write();
        try {
            co_await closing;
        } catch (const TaskAborted&) {
        }
    });
}

TEST_P(Ex8_5_Close, ListenerClosesTheConnectionsThatNobodyAccepted) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    const int fds_before = open_fds();
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        PlainSocket first = PlainSocket::connect(listener.local_address());
        PlainSocket second = PlainSocket::connect(listener.local_address());
        auto [server, third] = tcp_pair();
        listener.give_back(TcpStream(world.driver(), std::move(server)));
        co_await listener.close();
        for (PlainSocket* client : {&first, &second, &third}) {
            EXPECT_EQ("", client->received());
            EXPECT_TRUE(client->ended() || client->reset());
        }
    });
    world.settle();
    EXPECT_EQ(fds_before, open_fds());
}

TEST_P(Ex8_5_Close, ConnectionOfAStoppedAcceptIsClosedWithItsListener) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    const int fds_before = open_fds();
    Story story("the accept was stopped, its connection came all the same: who closes it?");
    world.run([&]() -> Task<> {
        for (int round = 0; round < 6; ++round) {
            std::optional<TcpListener> listener = TcpListener::bind(SocketAddress::loopback());
            auto stopped =
                spawn([&]() -> Task<> { TcpStream stream = co_await listener->accept(); });
            co_await sleep(milliseconds(5));
            if (round % 3 != 0) stopped.abort();
            if (round % 3 == 2) co_await yield();
            PlainSocket client = PlainSocket::connect(listener->local_address());
            world.poll_now();
            if (round % 3 == 0) stopped.abort();
            try {
                co_await stopped;
            } catch (const TaskAborted&) {
            }
            story.step("an accept is stopped, in the same turn a client connects");
            if (round < 3) {
                story.step("the listener is closed");
                co_await listener->close();
            } else {
                story.step("the listener is destroyed");
                listener.reset();
                co_await sleep(milliseconds(5));
            }
            client.received();
            story.expect("the client learns of it", true, client.ended() || client.reset());
        }
    });
    world.settle();
    story.expect("open descriptors, afterwards as before", fds_before, open_fds());
}

TEST_P(Ex8_5_Close, DescriptorsAreClosedHoweverAStreamEnds) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    const int fds_before = open_fds();
    world.run([&]() -> Task<> {
        for (int i = 0; i < 20; ++i) {
            auto [ours, peer] = tcp_pair();
            TcpStream stream(world.driver(), std::move(ours));
            TcpStream moved = std::move(stream);
            if (i % 2 == 0) co_await moved.close();
        }
    });
    world.settle();
    EXPECT_EQ(fds_before, open_fds());
}

class Given8_Close : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Given8_Close, testing_support::all_drivers(),
                         testing_support::driver_label);

TEST_P(Given8_Close, HalfCloseEndsOneDirectionOnly) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        auto [ours, peer] = tcp_pair();
        TcpStream stream(world.driver(), std::move(ours));
        stream.shutdown_write();
        EXPECT_EQ("", peer.received());
        EXPECT_TRUE(peer.ended());
        EXPECT_EQ(2U, peer.send("ok")) << "the peer may go on";
        co_return;
    });
}

}  // namespace
}  // namespace starling
