// Datagrams are given: each arrives as a whole, or not at all.
#include <gtest/gtest.h>

#include <starling/net_world.hh>
#include <starling/sleep.hh>
#include <starling/udp_socket.hh>

namespace starling {
namespace {

using testing_support::NetWorld;
using testing_support::TestDriver;
using testing_support::writable;

class Given8_Udp : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Given8_Udp, testing_support::all_drivers(),
                         testing_support::driver_label);

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

TEST_P(Given8_Udp, DatagramArrivesWithItsSendersAddress) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        UdpSocket a = UdpSocket::bind(SocketAddress::loopback());
        UdpSocket b = UdpSocket::bind(SocketAddress::loopback());
        std::string text(64, '\0');
        auto receiver = spawn([&] { return b.recv_from(writable(text)); });
        co_await sleep(std::chrono::milliseconds(5));
        const std::size_t sent = co_await a.send_to(bytes_of("ping"), b.local_address());
        EXPECT_EQ(4U, sent);
        const Datagram datagram = co_await receiver;
        EXPECT_EQ("ping", text.substr(0, datagram.size));
        EXPECT_EQ(a.local_address(), datagram.from);
        EXPECT_FALSE(datagram.truncated);
    });
}

TEST_P(Given8_Udp, BoundariesAreKept) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        UdpSocket a = UdpSocket::bind(SocketAddress::loopback());
        UdpSocket b = UdpSocket::bind(SocketAddress::loopback());
        for (const char* text : {"one", "", "three"}) {
            co_await a.send_to(bytes_of(text), b.local_address());
        }
        for (const char* expected : {"one", "", "three"}) {
            std::string text(64, '\0');
            const Datagram datagram = co_await b.recv_from(writable(text));
            EXPECT_EQ(expected, text.substr(0, datagram.size));
        }
    });
}

TEST_P(Given8_Udp, DatagramThatIsTooLongSaysThatItWasCut) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        UdpSocket a = UdpSocket::bind(SocketAddress::loopback());
        UdpSocket b = UdpSocket::bind(SocketAddress::loopback());
        co_await a.send_to(bytes_of("much too long"), b.local_address());
        std::string text(4, '\0');
        const Datagram datagram = co_await b.recv_from(writable(text));
        EXPECT_EQ("much", text);
        EXPECT_EQ(4U, datagram.size);
        EXPECT_TRUE(datagram.truncated);
    });
}

TEST_P(Given8_Udp, ConnectedSocketHearsItsPeerOnly) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        UdpSocket a = UdpSocket::bind(SocketAddress::loopback());
        UdpSocket b = UdpSocket::bind(SocketAddress::loopback());
        UdpSocket stranger = UdpSocket::bind(SocketAddress::loopback());
        a.connect(b.local_address());
        co_await stranger.send_to(bytes_of("psst"), a.local_address());
        co_await b.send_to(bytes_of("hello"), a.local_address());
        std::string text(64, '\0');
        const std::size_t n = co_await a.recv(writable(text));
        EXPECT_EQ("hello", text.substr(0, n));
        const std::size_t sent = co_await a.send(bytes_of("hi"));
        EXPECT_EQ(2U, sent);
    });
}

TEST_P(Given8_Udp, StoppedReceiveLosesNoDatagram) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        UdpSocket a = UdpSocket::bind(SocketAddress::loopback());
        UdpSocket b = UdpSocket::bind(SocketAddress::loopback());
        constexpr int kDatagrams = 100;
        int received = 0;
        unsigned random = 7;
        for (int sent = 0; received < kDatagrams;) {
            random = random * 1664525 + 1013904223;
            std::string text(16, '\0');
            auto receiver = spawn([&]() -> Task<> {
                const Datagram datagram = co_await b.recv_from(writable(text));
                if (text.substr(0, datagram.size) == std::to_string(received)) ++received;
            });
            for (unsigned i = 0; i < (random >> 20) % 3; ++i) co_await yield();
            if (sent < kDatagrams) {
                const std::string number = std::to_string(sent++);
                co_await a.send_to(bytes_of(number), b.local_address());
            }
            receiver.abort();
            try {
                co_await receiver;
            } catch (const TaskAborted&) {
            }
        }
        EXPECT_EQ(kDatagrams, received);
    });
}

TEST_P(Given8_Udp, CloseEndsAReceiveThatWaits) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    const int fds_before = testing_support::open_fds();
    world.run([&]() -> Task<> {
        UdpSocket socket = UdpSocket::bind(SocketAddress::loopback());
        std::string text(16, '\0');
        auto receiver = spawn([&] { return socket.recv_from(writable(text)); });
        co_await sleep(std::chrono::milliseconds(5));
        co_await socket.close();
        try {
            co_await receiver;
            ADD_FAILURE() << "there was no datagram";
        } catch (const std::system_error& error) {
            EXPECT_TRUE(std::string_view(error.what()).starts_with("recvmsg"));
        }
    });
    EXPECT_EQ(fds_before, testing_support::open_fds());
}

}  // namespace
}  // namespace starling
