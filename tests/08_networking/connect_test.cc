// 8.1: connecting, which may take too long, or fail, and then leaves nothing behind.
#include <gtest/gtest.h>

#include <starling/net_world.hh>
#include <starling/story.hh>
#include <starling/tcp_listener.hh>
#include <starling/timeout.hh>
#include <string>
#include <string_view>
#include <vector>

namespace starling {
namespace {

using testing_support::NetWorld;
using testing_support::Story;
using testing_support::tcp_pair;
using testing_support::TestDriver;

class Ex8_1_Connect : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex8_1_Connect, testing_support::all_drivers(),
                         testing_support::driver_label);

TEST_P(Ex8_1_Connect, ConnectsOverFourAndSixAndUnix) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("which of your calls does this kind of socket not have?");
    world.run([&]() -> Task<> {
        const std::string name = "unix:@starling-connect-" + std::to_string(::getpid());
        for (const std::string& at : {std::string("127.0.0.1:0"), std::string("[::1]:0"), name}) {
            const SocketAddress address = SocketAddress::parse(at);
            OwnedFd probe(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
            if (!probe.valid() || ::bind(probe.get(), address.data(), address.size()) != 0) {
                continue;  // This machine has no IPv6.
            }
            probe = OwnedFd();
            TcpListener listener = TcpListener::bind(address);
            story.step("connect to " + listener.local_address().to_string());
            TcpStream stream = co_await TcpStream::connect(listener.local_address());
            EXPECT_EQ(listener.local_address(), stream.peer_address());
        }
    });
}

TEST_P(Ex8_1_Connect, NobodyListensIsAnErrorThatNamesTheCall) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    const int fds_before = testing_support::open_fds();
    world.run([&]() -> Task<> {
        const SocketAddress address = TcpListener::bind(SocketAddress::loopback()).local_address();
        try {
            TcpStream stream = co_await TcpStream::connect(address);
            ADD_FAILURE() << "connected to nobody";
        } catch (const std::system_error& error) {
            EXPECT_EQ(ECONNREFUSED, error.code().value());
            EXPECT_TRUE(std::string_view(error.what()).starts_with("connect"));
        }
    });
    world.settle();
    EXPECT_EQ(fds_before, testing_support::open_fds()) << "who closes what was not connected?";
}

TEST_P(Ex8_1_Connect, ConnectGivesUpAfterItsTimeout) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    const int fds_before = testing_support::open_fds();
    Story story("the kernel goes on trying for minutes: who ends it?");
    world.run([&]() -> Task<> {
        // A listener whose queue is full leaves further clients waiting.
        OwnedFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
        const SocketAddress any = SocketAddress::loopback();
        ::bind(listener.get(), any.data(), any.size());
        ::listen(listener.get(), 0);
        const SocketAddress address = SocketAddress::local_of(listener.get());
        std::vector<OwnedFd> filling;
        for (int i = 0; i < 8; ++i) {
            filling.emplace_back(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
            ::connect(filling.back().get(), address.data(), address.size());
        }
        story.step("connect, for 200 ms at most, to a listener that accepts nobody any more");
        try {
            TcpStream stream =
                co_await TcpStream::connect(address, {.timeout = std::chrono::milliseconds(200)});
            ADD_FAILURE() << "there was no room for it";
        } catch (const TimedOut&) {
        }
        EXPECT_GE(world.elapsed_ms(), 200);
    });
    world.settle();
    EXPECT_EQ(fds_before, testing_support::open_fds());
}

TEST_P(Ex8_1_Connect, SmallWritesLeaveAtOnceUnlessAskedOtherwise) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        TcpStream stream = co_await TcpStream::connect(listener.local_address());
        stream.set_nodelay(false);
        stream.set_nodelay(true);
        try {
            auto [a, b] = tcp_pair();
            TcpStream udp(world.driver(), OwnedFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)));
            udp.set_nodelay(true);
            ADD_FAILURE() << "that is no TCP socket";
        } catch (const std::system_error& error) {
            EXPECT_TRUE(std::string_view(error.what()).starts_with("setsockopt"));
        }
    });
}

}  // namespace
}  // namespace starling
