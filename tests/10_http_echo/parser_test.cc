// 10.1: a request head may arrive whole, or in any number of pieces, or with the next one behind
// it.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <starling/story.hh>

#include "http_bed.hh"

namespace starling {
namespace {

using testing_support::parse_bytewise;
using testing_support::parse_in_pieces;
using testing_support::Parsed;
using testing_support::Story;

constexpr std::string_view kGet = "GET /echo?x=1 HTTP/1.1\r\nHost: a\r\nX-Two: b c \r\n\r\n";
constexpr std::string_view kGetHead = "GET|/echo?x=1|1|Host=a|X-Two=b c|";

TEST(Ex10_1_HeadParser, WholeHeadIsTakenApart) {
    Story story("which line is the request line, and what ends the head?");
    story.step("show a whole request at once");
    story.expect("what came out", Parsed{"done 48", std::string(kGetHead)}, parse_in_pieces(kGet));
}

TEST(Ex10_1_HeadParser, EveryCutGivesTheSameHead) {
    Story story("what does your parser remember of the bytes it has already seen?");
    const Parsed whole{"done 48", std::string(kGetHead)};
    for (std::size_t cut = 0; cut <= kGet.size(); ++cut) {
        const Parsed got = parse_in_pieces(kGet, {cut});
        if (got == whole) continue;
        story.step("show the first " + std::to_string(cut) + " bytes, then all " +
                   std::to_string(kGet.size()));
        story.expect("what came out", whole, got);
        return;
    }
}

TEST(Ex10_1_HeadParser, OneByteAtATimeGivesTheSameHead) {
    Story story("a line that is not complete yet: is it taken apart twice, or not at all?");
    story.step("show one byte more each time, always from the head's start, at a new address");
    story.expect("what came out", Parsed{"done 48", std::string(kGetHead)}, parse_bytewise(kGet));
}

TEST(Ex10_1_HeadParser, FinishedLinesAreNotSearchedAgain) {
    Story story("a head of 200 bytes comes one byte at a time: how many bytes do you look at?");
    const HttpLimits limits;
    RequestParser parser(limits);
    const std::size_t cut = kGet.find("X-Two") + 3;
    const std::string first(kGet.substr(0, cut));
    story.step("show two lines and a bit of the third");
    story.expect("complete", false, parser.parse(first));
    std::string scribbled(kGet);
    for (std::size_t i = 0; i < cut; ++i) {
        if (scribbled[i] == '\r' || scribbled[i] == '\n') scribbled[i] = '#';
    }
    story.step(
        "show all of it, at a new address; the line ends that were shown before are wiped out");
    bool complete = false;
    try {
        complete = parser.parse(scribbled);
    } catch (const HttpError& error) {
        story.step(std::string("it was refused: ") + error.what());
    }
    story.expect("complete: who has found a line's end once need not find it again", true,
                 complete);
    if (complete) {
        story.expect("what came out", Parsed{"done 48", std::string(kGetHead)},
                     testing_support::describe(parser));
    }
}

TEST(Ex10_1_HeadParser, UnfinishedLineIsNotSearchedAgain) {
    Story story("a line of 8,000 bytes comes one byte at a time: how many bytes do you look at?");
    const HttpLimits limits;
    RequestParser parser(limits);
    const std::string line = "GET / HTTP/1.1\r\nX-Long: ";
    story.step("show a line, and 20 bytes of the next");
    story.expect("complete", false, parser.parse(line + std::string(12, 'x')));
    const std::string scribbled = line + "xxx\nxxxx\nxxx";
    story.step("show one byte more, at a new address; in the 20 there are line ends now");
    std::string verdict = "asks for more";
    try {
        if (parser.parse(scribbled + "x")) verdict = "complete";
    } catch (const HttpError& error) {
        verdict = std::string("refused: ") + error.what();
    }
    story.expect("the verdict: who has looked for a line's end in vain need not look there again",
                 std::string("asks for more"), verdict);
}

TEST(Ex10_1_HeadParser, UnfinishedHeadAsksForMore) {
    Story story("is a head over before its empty line?");
    story.step("show everything but the last byte");
    story.expect("the verdict", std::string("need_more"),
                 parse_in_pieces(kGet.substr(0, kGet.size() - 1)).verdict);
}

TEST(Ex10_1_HeadParser, FollowingBytesStayUntouched) {
    Story story("how does the caller learn where the next request begins?");
    const std::string two = std::string(kGet) + "POST /next HTTP/1.1\r\n";
    story.step("show a head with half of the next request behind it");
    story.expect("what came out", Parsed{"done 48", std::string(kGetHead)}, parse_in_pieces(two));
}

TEST(Ex10_1_HeadParser, FollowingBytesDoNotCountAsHead) {
    Story story("twenty small requests in one read: how large is the first one's head?");
    const HttpLimits limits{.head_bytes_max = kGet.size()};
    std::string twenty;
    for (int i = 0; i < 20; ++i) twenty += kGet;
    story.step("a head of exactly head_bytes_max, with nineteen more behind it");
    story.expect("what came out", Parsed{"done 48", std::string(kGetHead)},
                 parse_in_pieces(twenty, {}, limits));
}

TEST(Ex10_1_HeadParser, ResetIsReadyForTheNextHead) {
    Story story("what of the last head may still be in the parser?");
    const HttpLimits limits;
    RequestParser parser(limits);
    parser.parse(kGet);
    parser.reset();
    story.step("parse a head, reset(), parse another one");
    story.expect("complete", true, parser.parse("HEAD / HTTP/1.0\r\n\r\n"));
    story.expect("what came out", Parsed{"done 19", "HEAD|/|0|"},
                 testing_support::describe(parser));
}

TEST(Ex10_1_HeadParser, EmptyLinesBeforeARequestAreForgiven) {
    Story story("RFC 9112, 2.2: what should a server do with an empty line before a request?");
    story.step("CR LF, then a request")
        .expect("the verdict", std::string("done 31"),
                parse_bytewise("\r\nGET / HTTP/1.1\r\nHost: abc\r\n\r\n").verdict);
    story.step("CR LF twice, then a request");
    story.expect("the verdict", std::string("done 31"),
                 parse_bytewise("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n").verdict);
    story.step("more of them than a head may have bytes");
    std::string lines;
    for (std::size_t i = 0; i <= HttpLimits().head_bytes_max / 2; ++i) lines += "\r\n";
    story.expect("the verdict", std::string("bad 431"), parse_in_pieces(lines).verdict);
}

TEST(Ex10_1_HeadParser, BareLineFeedIsRefused) {
    Story story(
        "two servers in a row: what if one takes a lone LF for a line's end and one does not?");
    story.step("a line that ends with LF alone");
    story.expect("the verdict", std::string("bad 400"),
                 parse_bytewise("GET / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n").verdict);
}

TEST(Ex10_1_HeadParser, FieldsThatAreNoneAreRefused) {
    Story story("what exactly may stand before the colon?");
    for (std::string_view field : {"Name : v", " Name: v", "\tfolded", ": v", "no colon",
                                   "Na me: v", "Name\x01: v", "Name: a\x01z", "Name: a\rz"}) {
        const std::string text = "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(field) + "\r\n\r\n";
        story.step("the field '" + testing::PrintToString(field) + "'");
        if (!story.expect("the verdict", std::string("bad 400"), parse_in_pieces(text).verdict))
            return;
    }
}

TEST(Ex10_1_HeadParser, SpacesAroundAValueDoNotCount) {
    Story story("which bytes around a value belong to it?");
    story.step("values with spaces and tabs around them, and an empty one");
    story.expect("what came out", Parsed{"done 48", "GET|/|1|Host=a|A=b \t c|Empty=|"},
                 parse_bytewise("GET / HTTP/1.1\r\nHost:a\r\nA: \tb \t c\t \r\nEmpty: \r\n\r\n"));
}

TEST(Ex10_1_HeadParser, RequestLinesThatAreNoneAreRefused) {
    Story story("how many spaces does a request line have, and where?");
    struct Case {
        std::string_view line;
        std::string verdict;
    };
    for (const Case& c : std::initializer_list<Case>{{"GET  / HTTP/1.1", "bad 400"},
                                                     {"GET / HTTP/1.1 ", "bad 400"},
                                                     {"GET /", "bad 400"},
                                                     {"GET / HTTP/x.1", "bad 400"},
                                                     {"GET nowhere HTTP/1.1", "bad 400"},
                                                     {"G@T / HTTP/1.1", "bad 400"},
                                                     {"GET / HTTP/2.0", "bad 505"},
                                                     {"CONNECT a:1 HTTP/1.1", "bad 501"}}) {
        story.step("the request line '" + std::string(c.line) + "'");
        const std::string text = std::string(c.line) + "\r\nHost: a\r\n\r\n";
        if (!story.expect("the verdict", c.verdict, parse_in_pieces(text).verdict)) return;
    }
}

TEST(Ex10_1_HeadParser, HostIsRequiredOnceInHttp11) {
    Story story("which of two hosts would the server behind you believe?");
    story.expect("none", std::string("bad 400"), parse_in_pieces("GET / HTTP/1.1\r\n\r\n").verdict);
    story.expect("none, in HTTP/1.0", std::string("done 18"),
                 parse_in_pieces("GET / HTTP/1.0\r\n\r\n").verdict);
    story.expect("two", std::string("bad 400"),
                 parse_in_pieces("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n").verdict);
}

TEST(Ex10_1_HeadParser, GarbageIsRefusedAtItsFirstByte) {
    Story story("does it need a line's end to be no HTTP?");
    story.step("the first byte of a TLS greeting");
    story.expect("the verdict", std::string("bad 400"), parse_in_pieces("\x16\x03\x01").verdict);
}

TEST(Ex10_1_HeadParser, LimitsHoldForUnfinishedLinesToo) {
    Story story("how long do you wait for the end of a line that is too long already?");
    const HttpLimits limits{.request_line_bytes_max = 64, .head_bytes_max = 128};
    auto verdict = [&](const std::string& text) {
        return parse_in_pieces(text, {}, limits).verdict;
    };
    const std::string long_text(200, 'a');
    story.expect("an endless request line", std::string("bad 414"), verdict("GET /" + long_text));
    story.expect("an endless field", std::string("bad 431"),
                 verdict("GET / HTTP/1.1\r\nX: " + long_text));
}

TEST(Ex10_1_HeadParser, FieldsAreCounted) {
    Story story("how many fields are there before you keep one more?");
    const HttpLimits limits{.fields_max = 3};
    const std::string three = "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 2\r\n";
    story.expect("three fields of three", std::string("done 39"),
                 parse_in_pieces(three + "\r\n", {}, limits).verdict);
    story.expect("four fields of three", std::string("bad 431"),
                 parse_in_pieces(three + "C: 3\r\n\r\n", {}, limits).verdict);
}

/// Requests, good and bad, from which random ones are made.
const std::vector<std::string> kCorpus = {
    std::string(kGet),
    "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
    "GET http://h/x?y HTTP/1.1\r\nHost: h\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    "GET / HTTP/1.1\nHost: h\r\n\r\n",
    "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
    "\r\nGET / HTTP/1.0\r\nConnection: keep-alive, x\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nX: \x7f\r\n\r\n",
};

TEST(Ex10_1_HeadParser, RandomCutsNeverChangeTheVerdict) {
    Story story("is there anything your parser decides that depends on where the pieces end?");
    std::minstd_rand random(20);
    for (int round = 0; round < 4000; ++round) {
        std::string text = kCorpus[random() % kCorpus.size()];
        if (random() % 2 == 0) text[random() % text.size()] = "\r\n :\0aZ\xff"[random() % 8];
        std::vector<std::size_t> cuts(random() % 6);
        for (std::size_t& cut : cuts) cut = random() % text.size();
        std::ranges::sort(cuts);
        const Parsed whole = parse_in_pieces(text);
        const Parsed pieces = parse_in_pieces(text, cuts);
        if (whole == pieces) continue;
        story.step("the request " + testing::PrintToString(text));
        story.step("cut at " + testing::PrintToString(cuts));
        story.expect("the same as in one piece", whole, pieces);
        return;
    }
}

TEST(Ex10_1_Head, PathHasNoQueryAndNoHost) {
    Story story("what of the target does a handler look at?");
    auto path_of = [](std::string_view target) {
        const HttpLimits limits;
        RequestParser parser(limits);
        const std::string text = "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n";
        return parser.parse(text) ? std::string(parser.head().path()) : "not parsed";
    };
    story.expect("path of /a?b", std::string("/a"), path_of("/a?b"));
    story.expect("path of /a?b=://c", std::string("/a"), path_of("/a?b=://c"));
    story.expect("path of http://h/a?b", std::string("/a"), path_of("http://h/a?b"));
    story.expect("path of http://h?b", std::string("/"), path_of("http://h?b"));
}

TEST(Ex10_1_Head, FieldsAreFoundInAnyCase) {
    Story story("are field names case-sensitive?");
    const HttpLimits limits;
    RequestParser parser(limits);
    const std::string text =
        "GET / HTTP/1.1\r\nhOsT: a\r\nCONNECTION: x, Keep-Alive\r\nX-a: 1\r\n\r\n";
    story.expect("complete", true, parser.parse(text));
    const RequestHead& head = parser.head();
    story.expect("x-A", std::string_view("1"), head.find("x-A").value);
    story.expect("Y", 0, head.find("Y").count);
    story.expect("the token keep-alive", true, head.has_token("connection", "keep-alive"));
    story.expect("the token keep", false, head.has_token("connection", "keep"));
}

}  // namespace
}  // namespace starling
