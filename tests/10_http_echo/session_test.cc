// 10.3 and 10.4: one request after the other on one connection, and what ends it. No sockets.
#include <gtest/gtest.h>

#include <starling/story.hh>

#include "http_bed.hh"

namespace starling {
namespace {

using testing_support::next_name;
using testing_support::SessionBed;
using testing_support::Story;

std::string get(std::string_view path, std::string_view fields = "",
                std::string_view version = "HTTP/1.1") {
    return "GET " + std::string(path) + " " + std::string(version) + "\r\nHost: a\r\n" +
           std::string(fields) + "\r\n";
}

/// Whether a head with this version and Connection field keeps the connection.
bool keeps(int minor_version, std::string_view connection) {
    RequestHead head{.minor_version = minor_version};
    if (!connection.empty()) head.fields.push_back({"Connection", connection});
    return keeps_alive(head);
}

TEST(Ex10_3_KeepAlive, Http11StaysUnlessToldToClose) {
    Story story("what is the default, and in which version?");
    story.expect("HTTP/1.1", true, keeps(1, ""));
    story.expect("HTTP/1.1, close", false, keeps(1, "close"));
    story.expect("HTTP/1.1, upgrade, Close", false, keeps(1, "upgrade, Close"));
    story.expect("HTTP/1.1, closer", true, keeps(1, "closer"));
}

TEST(Ex10_3_KeepAlive, Http10EndsUnlessToldToStay) {
    Story story("what is the default, and in which version?");
    story.expect("HTTP/1.0", false, keeps(0, ""));
    story.expect("HTTP/1.0, keep-alive", true, keeps(0, "Keep-Alive"));
    story.expect("HTTP/1.0, keep-alive, close", false, keeps(0, "keep-alive, close"));
}

TEST(Ex10_3_Session, PipelinedRequestsAreAllAnswered) {
    Story story("three requests in one read: how many answers leave in one send?");
    SessionBed bed;
    const std::string text = get("/at-once/1") + get("/at-once/2") + get("/at-once/3");
    std::string_view input = text;
    story.step("show three requests at once");
    story.expect("next", std::string("more"), next_name(bed.advance(input)));
    story.expect("answers", 3, bed.answers("200"));
    story.expect("in order", std::string("/at-once/1 /at-once/2 /at-once/3 "), bed.handler.paths);
    story.expect("bytes left", std::size_t{0}, input.size());
}

TEST(Ex10_3_Session, UnfinishedRequestStaysInTheInput) {
    Story story("who keeps the bytes of half a request?");
    SessionBed bed;
    const std::string text = get("/at-once/1") + get("/at-once/2");
    std::string_view input = std::string_view(text).substr(0, text.size() - 1);
    story.step("show two requests, the second without its last byte");
    story.expect("next", std::string("more"), next_name(bed.advance(input)));
    story.expect("answers", 1, bed.answers("200"));
    story.expect("bytes left", get("/at-once/2").size() - 1, input.size());
    input = std::string_view(text).substr(text.size() - get("/at-once/2").size());
    story.step("show the second again, whole");
    bed.advance(input);
    story.expect("answers", 2, bed.answers("200"));
}

TEST(Ex10_3_Session, LastRequestEndsTheConnection) {
    Story story("what becomes of a request behind one that said close?");
    SessionBed bed;
    const std::string text = get("/at-once/1", "Connection: close\r\n") + get("/at-once/2");
    std::string_view input = text;
    story.expect("next", std::string("close"), next_name(bed.advance(input)));
    story.expect("answers", 1, bed.answers("200"));
    story.expect("requests counted", std::uint64_t{1}, bed.shared.stats.requests);
    story.expect("the answer says so", true,
                 bed.sent().find("Connection: close") != std::string::npos);
}

TEST(Ex10_3_Session, BodyInMemoryIsAnsweredAtOnce) {
    Story story("where does the request behind a body begin?");
    SessionBed bed;
    const std::string text =
        "POST /at-once HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get("/at-once/2");
    std::string_view input = text;
    bed.advance(input);
    story.step("a request with a body, and another one behind it");
    story.expect("answers", 2, bed.answers("200"));
    story.expect("the first echoes", true, bed.sent().find("\r\n\r\nhello") != std::string::npos);
}

TEST(Ex10_3_Session, RequestForACoroutineWaitsForIt) {
    Story story("who takes a request off the input that nobody has answered yet?");
    SessionBed bed;
    const std::string text = get("/at-once/1") + get("/later") + get("/at-once/2");
    std::string_view input = text;
    story.expect("next", std::string("handle"), next_name(bed.advance(input)));
    story.expect("answers so far", 1, bed.answers("200"));
    story.expect("the input begins with it", true, input.starts_with("GET /later"));
    input.remove_prefix(bed.session.head_bytes());
    bed.session.finish_request();
    story.step("the coroutine has answered; finish_request()");
    story.expect("next", std::string("more"), next_name(bed.advance(input)));
    story.expect("answers", 2, bed.answers("200"));
}

TEST(Ex10_3_Session, OutputIsBounded) {
    Story story("a client sends requests and reads no answers: where do the answers pile up?");
    SessionBed bed;
    const std::string body(3000, 'x');
    std::string text;
    for (int i = 0; i < 60; ++i) {
        text += "POST /at-once HTTP/1.1\r\nHost: a\r\nContent-Length: 3000\r\n\r\n" + body;
    }
    std::string_view input = text;
    bed.advance(input);
    story.step("show 60 requests with 3,000 bytes each to echo");
    story.expect("some input is left", true, !input.empty());
    story.expect("the output is little more than the limit", true,
                 bed.sent().size() < HttpSession::kOutputMax + 4000);
}

TEST(Ex10_3_Session, StoppingServerKeepsNoConnection) {
    Story story("the server is about to stop: what does the client have to know?");
    SessionBed bed;
    bed.shared.stopping = true;
    const std::string text = get("/at-once/1");
    std::string_view input = text;
    story.expect("next", std::string("close"), next_name(bed.advance(input)));
    story.expect("the answer says so", true,
                 bed.sent().find("Connection: close") != std::string::npos);
}

TEST(Ex10_4_Refuse, BadRequestIsAnsweredAndEndsTheConnection) {
    Story story("after a request you cannot read, where does the next one begin?");
    SessionBed bed;
    const std::string text =
        get("/at-once/1") + "GET / HTTP/1.1\nHost: a\r\n\r\n" + get("/at-once/2");
    std::string_view input = text;
    story.expect("next", std::string("close"), next_name(bed.advance(input)));
    story.expect("the good one is answered", 1, bed.answers("200"));
    story.expect("the bad one is refused", 1, bed.answers("400"));
    story.expect("the refusal says close", true,
                 bed.sent().rfind("Connection: close") != std::string::npos);
    story.expect("errors counted", std::uint64_t{1}, bed.shared.stats.errors);
    story.expect("requests counted", std::uint64_t{2}, bed.shared.stats.requests);
}

TEST(Ex10_4_Refuse, WhatWentWrongInTheHandlerStaysHere) {
    Story story("what may a stranger learn from an exception of your program?");
    SessionBed bed;
    bed.session.refuse(std::runtime_error("no such table: passwords"));
    story.step("refuse what a handler has thrown");
    story.expect("refused", 1, bed.answers("500"));
    story.expect("errors counted", std::uint64_t{1}, bed.shared.stats.errors);
    story.expect("the client reads of tables", false,
                 bed.sent().find("table") != std::string::npos);
}

TEST(Ex10_4_Refuse, UnknownExpectationIsRefused) {
    Story story("a client that waits for something you never send: when does it go on?");
    SessionBed bed;
    const std::string text = get("/at-once/1", "Expect: a-miracle\r\n");
    std::string_view input = text;
    story.expect("next", std::string("close"), next_name(bed.advance(input)));
    story.expect("refused", 1, bed.answers("417"));
}

TEST(Ex10_4_Refuse, BodyThatIsTooLongIsRefusedByItsHead) {
    Story story("do you have to receive a terabyte to know that it is too much?");
    SessionBed bed;
    const std::string text =
        "POST /at-once HTTP/1.1\r\nHost: a\r\nContent-Length: 1099511627776\r\n\r\n";
    std::string_view input = text;
    story.expect("next", std::string("close"), next_name(bed.advance(input)));
    story.expect("refused", 1, bed.answers("413"));
}

}  // namespace
}  // namespace starling
