// Responses are given: what goes out, byte for byte.
#include <gtest/gtest.h>

#include <starling/byte_buffer.hh>
#include <starling/http_response.hh>
#include <string>

namespace starling {
namespace {

constexpr std::string_view kDate = "Sun, 06 Nov 1994 08:49:37 GMT";

std::string whole(int status, std::string_view body, AnswerMode mode = {}) {
    ByteBuffer out;
    append_response(out, status, "text/plain", body, kDate, mode);
    return std::string(out.view());
}

std::string head(std::optional<std::uint64_t> length, AnswerMode mode, bool* delimited = nullptr,
                 std::string_view fields = {}) {
    ByteBuffer out;
    const bool ended =
        append_response_head(out, 200, "text/plain", length, fields, kDate, mode);
    if (delimited != nullptr) *delimited = ended;
    return std::string(out.view());
}

TEST(Given10_Response, IsAStatusLineFieldsAndABody) {
    EXPECT_EQ(
        "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\n"
        "Content-Length: 5\r\n\r\nhello",
        whole(200, "hello"));
}

TEST(Given10_Response, ErrorsHaveTheirNames) {
    EXPECT_TRUE(whole(404, "").starts_with("HTTP/1.1 404 Not Found\r\n"));
    EXPECT_TRUE(whole(431, "").starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
    EXPECT_TRUE(whole(299, "").starts_with("HTTP/1.1 299 Unknown\r\n"));
}

TEST(Given10_Response, HeadAnnouncesTheBodyButHasNone) {
    const std::string text = whole(200, "hello", {.head_only = true});
    EXPECT_NE(std::string::npos, text.find("Content-Length: 5\r\n"));
    EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST(Given10_Response, SomeStatusesNeverHaveABody) {
    for (int status : {204, 304}) {
        const std::string text = whole(status, "ignored");
        EXPECT_EQ(std::string::npos, text.find("Content-")) << text;
        EXPECT_TRUE(text.ends_with("\r\n\r\n"));
    }
}

TEST(Given10_Response, SaysHowTheConnectionGoesOn) {
    auto has = [](const AnswerMode& mode, const char* text) {
        return whole(200, "", mode).find(text) != std::string::npos;
    };
    EXPECT_FALSE(has({.minor_version = 1, .keep_alive = true}, "Connection"));
    EXPECT_TRUE(has({.minor_version = 1, .keep_alive = false}, "Connection: close\r\n"));
    EXPECT_TRUE(has({.minor_version = 0, .keep_alive = true}, "Connection: keep-alive\r\n"));
    EXPECT_TRUE(has({.minor_version = 0, .keep_alive = false}, "Connection: close\r\n"));
}

TEST(Given10_Response, LengthThatIsNotKnownIsChunkedOrEndsWithTheConnection) {
    bool delimited = false;
    EXPECT_NE(std::string::npos,
              head({}, {.minor_version = 1}, &delimited).find("Transfer-Encoding: chunked\r\n"));
    EXPECT_TRUE(delimited);
    const std::string old = head({}, {.minor_version = 0}, &delimited);
    EXPECT_EQ(std::string::npos, old.find("Transfer-Encoding"));
    EXPECT_NE(std::string::npos, old.find("Connection: close\r\n"));
    EXPECT_FALSE(delimited);
}

TEST(Given10_Response, FurtherFieldsAreAdded) {
    EXPECT_TRUE(head(0, {}, nullptr, "Location: /x\r\n").ends_with("\r\nLocation: /x\r\n\r\n"));
}

TEST(Given10_Response, ChunksHaveTheirSizeInFront) {
    ByteBuffer out;
    append_chunk(out, "hello");
    append_chunk(out, std::string(26, 'x'));
    out.append(kLastChunk);
    EXPECT_EQ("5\r\nhello\r\n1a\r\n" + std::string(26, 'x') + "\r\n0\r\n\r\n", out.view());
}

TEST(Given10_Response, DateIsInTheFormOfTheStandard) {
    HttpDate date;
    EXPECT_EQ("Sun, 06 Nov 1994 08:49:37 GMT", date.at(784111777));
    EXPECT_EQ("Thu, 01 Jan 1970 00:00:00 GMT", date.at(0));
    EXPECT_EQ("Thu, 29 Feb 2024 23:59:59 GMT", date.at(1709251199));
}

TEST(Given10_Buffer, KeepsWhatIsAppendedUntilItIsConsumed) {
    ByteBuffer buffer;
    std::string expected;
    unsigned random = 5;
    for (int i = 0; i < 2000; ++i) {
        random = random * 1664525 + 1013904223;
        const std::string text((random >> 8) % 100, static_cast<char>('a' + i % 26));
        buffer.append(text);
        expected += text;
        const std::size_t drop = std::min<std::size_t>((random >> 16) % 110, expected.size());
        buffer.consume(drop);
        expected.erase(0, drop);
        ASSERT_EQ(expected, buffer.view());
    }
}

TEST(Given10_Buffer, InSteadyStateItsMemoryStaysTheSame) {
    ByteBuffer buffer;
    buffer.append(std::string(1000, 'x'));
    const std::size_t capacity = buffer.capacity();
    for (int i = 0; i < 100; ++i) {
        buffer.consume(900);
        buffer.append(std::string(900, 'y'));
    }
    EXPECT_EQ(capacity, buffer.capacity());
    buffer.trim(100);
    EXPECT_EQ(0U, buffer.capacity());
}

}  // namespace
}  // namespace starling
