// 10.3: what an answer looks like, byte for byte. All of that is given; the session brings it
// about.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "http_bed.hh"

namespace starling {
namespace {

/// Answers as the case says.
class Answering final : public HttpHandler {
  public:
    explicit Answering(std::function<void(HttpExchange&)> answer) : answer_(std::move(answer)) {}
    bool answer(HttpExchange& x) override { return answer_(x), true; }
    Task<> handle(HttpExchange&) override { co_return; }

  private:
    std::function<void(HttpExchange&)> answer_;
};

constexpr std::string_view kDate = "Date: ";

/// What a client that sends `request` gets from a handler that does `answer`; without the date.
std::string answer_to(std::string_view request, std::function<void(HttpExchange&)> answer) {
    Answering handler(std::move(answer));
    HttpShared shared{.limits = {}, .handler = handler};
    HttpSession session(shared);
    session.show(request);
    session.advance();
    std::string text = session.output();
    const std::size_t date = text.find(kDate);
    if (date != std::string::npos) text.erase(date, text.find('\n', date) + 1 - date);
    return text;
}

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kGetClose = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
constexpr std::string_view kHead = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
constexpr std::string_view kOld = "GET / HTTP/1.0\r\n\r\n";
constexpr std::string_view kOldKeep = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";

std::string whole(std::string_view request, int status, std::string_view body) {
    return answer_to(request, [=](HttpExchange& x) { x.send(status, "text/plain", body); });
}

TEST(Ex10_3_Answer, IsAStatusLineFieldsAndABody) {
    EXPECT_EQ("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello",
              whole(kGet, 200, "hello"));
}

TEST(Ex10_3_Answer, ErrorsHaveTheirNames) {
    EXPECT_TRUE(whole(kGet, 404, "").starts_with("HTTP/1.1 404 Not Found\r\n"));
    EXPECT_TRUE(
        whole(kGet, 431, "").starts_with("HTTP/1.1 431 Request Header Fields Too Large\r\n"));
    EXPECT_TRUE(whole(kGet, 299, "").starts_with("HTTP/1.1 299 Unknown\r\n"));
}

TEST(Ex10_3_Answer, HeadAnnouncesTheBodyButHasNone) {
    const std::string text = whole(kHead, 200, "hello");
    EXPECT_NE(std::string::npos, text.find("Content-Length: 5\r\n"));
    EXPECT_TRUE(text.ends_with("\r\n\r\n"));
}

TEST(Ex10_3_Answer, SomeStatusesNeverHaveABody) {
    for (int status : {204, 304}) {
        const std::string text = whole(kGet, status, "ignored");
        EXPECT_EQ(std::string::npos, text.find("Content-")) << text;
        EXPECT_TRUE(text.ends_with("\r\n\r\n"));
    }
}

TEST(Ex10_3_Answer, SaysHowTheConnectionGoesOn) {
    auto has = [](std::string_view request, const char* text) {
        return whole(request, 200, "").find(text) != std::string::npos;
    };
    EXPECT_FALSE(has(kGet, "Connection"));
    EXPECT_TRUE(has(kGetClose, "Connection: close\r\n"));
    EXPECT_TRUE(has(kOldKeep, "Connection: keep-alive\r\n"));
    EXPECT_TRUE(has(kOld, "Connection: close\r\n"));
}

TEST(Ex10_3_Answer, LengthThatIsNotKnownIsChunkedOrEndsWithTheConnection) {
    auto begin = [](HttpExchange& x) { x.begin(200, "text/plain", {}); };
    EXPECT_EQ(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
        "0\r\n\r\n",
        answer_to(kGet, begin));
    EXPECT_EQ("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n",
              answer_to(kOldKeep, begin));
}

constexpr std::string_view kFailed = "HTTP/1.1 500 Internal Server Error\r\n";

TEST(Ex10_4_Answer, HandlerThatThrowsBehindItHasNotAnswered) {
    const std::string text = answer_to(kGet, [](HttpExchange& x) {
        x.send(200, "text/plain", "hello");
        throw std::runtime_error("a handler's bug");
    });
    EXPECT_TRUE(text.starts_with(kFailed))
        << "nobody has seen the answer yet: is it still what the handler wants to say?\n"
        << text;
    EXPECT_EQ(text.npos, text.find("200 OK"))
        << "which of two answers would the client take for the next request's?";
}

TEST(Ex10_4_Answer, NoAnswerAndHalfAnAnswerAreNone) {
    EXPECT_TRUE(answer_to(kGet, [](HttpExchange&) {}).starts_with(kFailed));
    const std::string half =
        answer_to(kGet, [](HttpExchange& x) { x.begin(200, "text/plain", 5); });
    EXPECT_TRUE(half.starts_with(kFailed))
        << "five bytes were announced, and none came: whose bytes would the client take for them?\n"
        << half;
}

TEST(Ex10_3_Answer, TheLastOfTwoCounts) {
    const std::string text = answer_to(kGet, [](HttpExchange& x) {
        x.send(200, "text/plain", "hello");
        x.send(404, "text/plain", "");
    });
    EXPECT_EQ("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n",
              text);
}

TEST(Ex10_3_Answer, FurtherFieldsAreAdded) {
    const std::string text =
        answer_to(kGet, [](HttpExchange& x) { x.send(302, "text/plain", "", "Location: /x\r\n"); });
    EXPECT_TRUE(text.ends_with("\r\nLocation: /x\r\n\r\n")) << text;
}

TEST(Given10_Date, IsInTheFormOfTheStandard) {
    EXPECT_EQ("Sun, 06 Nov 1994 08:49:37 GMT", http_date(784111777));
    EXPECT_EQ("Thu, 01 Jan 1970 00:00:00 GMT", http_date(0));
    EXPECT_EQ("Thu, 29 Feb 2024 23:59:59 GMT", http_date(1709251199));
}

}  // namespace
}  // namespace starling
