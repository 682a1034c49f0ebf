// Addresses are given: what the other layers and the learner's code rely on.
#include <gtest/gtest.h>

#include <starling/socket_address.hh>
#include <stdexcept>

namespace starling {
namespace {

TEST(Given8_Address, EveryFormIsReadAndWrittenBack) {
    for (const char* text : {"127.0.0.1:8080", "0.0.0.0:0", "255.255.255.255:65535", "[::1]:80",
                             "[fe80::1]:443", "unix:/run/echo.sock", "unix:@abstract"}) {
        EXPECT_EQ(text, SocketAddress::parse(text).to_string());
    }
}

TEST(Given8_Address, NamesThatNeedNoLookUp) {
    EXPECT_EQ("127.0.0.1:80", SocketAddress::parse("localhost:80").to_string());
    EXPECT_EQ("0.0.0.0:80", SocketAddress::parse("*:80").to_string());
}

TEST(Given8_Address, PortAndFamilyAreKnown) {
    EXPECT_EQ(8080, SocketAddress::parse("127.0.0.1:8080").port());
    EXPECT_EQ(AF_INET, SocketAddress::parse("127.0.0.1:8080").family());
    EXPECT_EQ(443, SocketAddress::parse("[::1]:443").port());
    EXPECT_EQ(AF_INET6, SocketAddress::parse("[::1]:443").family());
    EXPECT_TRUE(SocketAddress::parse("unix:/a").is_unix());
    EXPECT_EQ(0, SocketAddress::parse("unix:/a").port());
    EXPECT_EQ(AF_UNSPEC, SocketAddress().family());
}

TEST(Given8_Address, WhatIsNoAddressIsRefusedWithTheFormsThereAre) {
    for (const char* text : {"", "8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                             "127.0.0.1:-1", "127.0.0.1:80 ", "::1:80", "[::1]", "example.org:80",
                             "256.0.0.1:80", "unix:"}) {
        EXPECT_THROW(SocketAddress::parse(text), std::invalid_argument) << "\"" << text << "\"";
    }
    try {
        SocketAddress::parse("nonsense:80");
    } catch (const std::invalid_argument& error) {
        EXPECT_NE(std::string::npos, std::string(error.what()).find("127.0.0.1:8080"));
    }
}

TEST(Given8_Address, HostThatIsNoneIsRefusedWithTheFormsOfAHost) {
    for (const char* host : {"", "example.org", "127.0.0.1:80", "[::1]", "unix:/a"}) {
        try {
            SocketAddress::ip(host, 80);
            ADD_FAILURE() << "\"" << host << "\" is no IP address";
        } catch (const std::invalid_argument& error) {
            EXPECT_NE(std::string::npos,
                      std::string(error.what()).find("a host is 127.0.0.1, ::1, localhost or *"));
        }
    }
    for (const char* host : {"127.0.0.1", "::1", "localhost", "*"}) {
        EXPECT_EQ(80, SocketAddress::ip(host, 80).port());
    }
}

TEST(Given8_Address, PathOfAUnixSocketHasALimit) {
    EXPECT_NO_THROW(SocketAddress::unix_path(std::string(107, 'a')));
    EXPECT_THROW(SocketAddress::unix_path(std::string(108, 'a')), std::invalid_argument);
}

TEST(Given8_Address, EqualAddressesAreEqual) {
    EXPECT_EQ(SocketAddress::loopback(80), SocketAddress::parse("127.0.0.1:80"));
    EXPECT_FALSE(SocketAddress::loopback(80) == SocketAddress::loopback(81));
}

}  // namespace
}  // namespace starling
