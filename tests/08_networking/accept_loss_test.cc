// 8.1: no connection and no descriptor is lost, whoever stops whom.
#include <gtest/gtest.h>

#include <starling/net_world.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/tcp_listener.hh>
#include <starling/timeout.hh>
#include <starling/watchdog.hh>
#include <vector>

namespace starling {
namespace {

using testing_support::NetWorld;
using testing_support::open_fds;
using testing_support::PlainSocket;
using testing_support::Story;
using testing_support::TestDriver;

[[maybe_unused]] const bool watched = testing_support::watch_every_case();

class Ex8_1_AcceptLoss : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex8_1_AcceptLoss, testing_support::all_drivers(),
                         testing_support::driver_label);

TEST_P(Ex8_1_AcceptLoss, StoppedAcceptHasTakenNothing) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        auto stopped = spawn([&]() -> Task<> { TcpStream stream = co_await listener.accept(); });
        co_await sleep(std::chrono::milliseconds(5));
        stopped.abort();
        try {
            co_await stopped;
            ADD_FAILURE() << "there was no connection";
        } catch (const TaskAborted&) {
        }
        PlainSocket client = PlainSocket::connect(listener.local_address());
        TcpStream stream = co_await listener.accept();
        EXPECT_EQ(SocketAddress::local_of(client.get()), stream.peer_address());
    });
}

TEST_P(Ex8_1_AcceptLoss, ConnectionThatOvertakesAStopIsNotLost) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the connection is here, and nobody wants it any more: where is it now?");
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        for (int turns = 0; turns < 3; ++turns) {
            TcpStream stream;
            auto stopped = spawn([&]() -> Task<> { stream = co_await listener.accept(); });
            co_await sleep(std::chrono::milliseconds(5));
            stopped.abort();
            for (int i = 0; i < turns; ++i) co_await yield();
            PlainSocket client = PlainSocket::connect(listener.local_address());
            world.poll_now();
            story.step("an accept is stopped; before it can say so, a client connects");
            try {
                co_await stopped;
            } catch (const TaskAborted&) {
            }
            if (!stream.valid())
                stream = co_await timeout(listener.accept(), std::chrono::seconds(1));
            story.expect("it is this accept's, or the next one's", true,
                         SocketAddress::local_of(client.get()) == stream.peer_address());
        }
    });
}

TEST_P(Ex8_1_AcceptLoss, NoConnectionAndNoDescriptorIsLostUnderRandomStops) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    const int fds_before = open_fds();
    constexpr int kClients = 60;
    int accepted = 0;
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        std::vector<PlainSocket> clients;
        unsigned random = 12345;
        while (accepted < kClients) {
            auto attempt = spawn([&]() -> Task<> {
                TcpStream stream = co_await listener.accept();
                ++accepted;
            });
            random = random * 1664525 + 1013904223;
            if (clients.size() < kClients) {
                clients.push_back(PlainSocket::connect(listener.local_address()));
            }
            for (unsigned i = 0; i < (random >> 16) % 4; ++i) co_await yield();
            attempt.abort();
            try {
                co_await attempt;
            } catch (const TaskAborted&) {
            }
        }
    });
    EXPECT_EQ(kClients, accepted);
    world.settle();
    EXPECT_EQ(fds_before, open_fds()) << "somebody holds a descriptor that nobody closes";
}

TEST_P(Ex8_1_AcceptLoss, ConnectionGivenBackIsTheNextOne) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        PlainSocket client = PlainSocket::connect(listener.local_address());
        TcpStream unwanted = co_await listener.accept();
        PlainSocket later = PlainSocket::connect(listener.local_address());
        listener.give_back(std::move(unwanted));
        TcpStream stream = co_await listener.accept();
        EXPECT_EQ(SocketAddress::local_of(client.get()), stream.peer_address());
        TcpStream next = co_await listener.accept();
        EXPECT_EQ(SocketAddress::local_of(later.get()), next.peer_address());
    });
}

}  // namespace
}  // namespace starling
