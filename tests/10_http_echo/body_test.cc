// 10.2: which bytes are the body's, and which are the next request's.
#include <gtest/gtest.h>

#include <random>
#include <starling/http_body.hh>
#include <starling/story.hh>

#include "http_bed.hh"

namespace starling {
namespace {

using testing_support::Story;

/// What a head with these fields says about its body: "length 5", "chunked", "error 400".
std::string framing(std::vector<RequestHead::Field> fields, int minor_version = 1,
                    const HttpLimits& limits = {}) {
    // Made by hand rather than parsed: 10.2 does not need 10.1.
    const RequestHead head{.minor_version = minor_version, .fields = std::move(fields)};
    try {
        const auto length = body_length(head, limits);
        return length ? "length " + std::to_string(*length) : "chunked";
    } catch (const HttpError& error) {
        return "error " + std::to_string(error.status());
    }
}

TEST(Ex10_2_Framing, WithoutALengthThereIsNoBody) {
    Story story("what does a request without Content-Length and Transfer-Encoding carry?");
    story.expect("no field", std::string("length 0"), framing({{"Host", "a"}}));
    story.expect("a length", std::string("length 5"), framing({{"Content-Length", "5"}}));
    story.expect("Transfer-Encoding: CHUNKED", std::string("chunked"),
                 framing({{"Transfer-Encoding", "CHUNKED"}}));
}

TEST(Ex10_2_Framing, TwoOpinionsAboutTheLengthAreRefused) {
    Story story("two servers in a row, each believing another field: whose is the rest?");
    const RequestHead::Field five{"Content-Length", "5"}, chunked{"Transfer-Encoding", "chunked"};
    story.expect("5 and 6", std::string("error 400"), framing({five, {"Content-Length", "6"}}));
    story.expect("5 and 5", std::string("error 400"), framing({five, {"content-length", "5"}}));
    story.expect("5 and chunked", std::string("error 400"), framing({five, chunked}));
    story.expect("chunked twice", std::string("error 400"), framing({chunked, chunked}));
}

TEST(Ex10_2_Framing, LengthIsDigitsOnly) {
    Story story("is '+5' a length? Is '5, 5'? Is nothing?");
    for (std::string_view value : {"", "+5", "-1", "5 5", "5,5", "0x5", "five", "5a"}) {
        story.step("Content-Length: " + std::string(value));
        if (!story.expect("refused", std::string("error 400"),
                          framing({{"Content-Length", value}}))) {
            return;
        }
    }
}

TEST(Ex10_2_Framing, TooLongIsSaidBeforeTheBodyComes) {
    Story story("how long is 99999999999999999999?");
    const HttpLimits limits{.body_bytes_max = 10};
    story.expect("10 of 10", std::string("length 10"),
                 framing({{"Content-Length", "10"}}, 1, limits));
    story.expect("11 of 10", std::string("error 413"),
                 framing({{"Content-Length", "11"}}, 1, limits));
    story.expect("more than 64 bits", std::string("error 413"),
                 framing({{"Content-Length", "99999999999999999999"}}, 1, limits));
}

TEST(Ex10_2_Framing, OnlyChunkedIsKnownAndOnlyInHttp11) {
    Story story("what do you do with a body whose end you cannot find?");
    story.expect("gzip, chunked", std::string("error 501"),
                 framing({{"Transfer-Encoding", "gzip, chunked"}}));
    story.expect("HTTP/1.0", std::string("error 400"),
                 framing({{"Transfer-Encoding", "chunked"}}, 0));
}

constexpr std::nullopt_t kChunked = std::nullopt;

/// Feeds `text` in pieces of `piece` bytes; "body|rest", or "error 400".
std::string decode(std::optional<std::uint64_t> length, std::string_view text, std::size_t piece,
                   std::uint64_t max = 1 << 20) {
    BodyDecoder decoder(length, max);
    std::string body;
    std::string pending;
    try {
        while (!decoder.done()) {
            if (text.empty()) return "unfinished " + body;
            pending += text.substr(0, piece);
            text.remove_prefix(std::min(piece, text.size()));
            std::string_view input = pending;
            for (std::string_view data = "?"; !data.empty(); body += data)
                data = decoder.take(input);
            pending = std::string(input);
        }
    } catch (const HttpError& error) {
        return "error " + std::to_string(error.status());
    }
    return body + "|" + pending + std::string(text);
}

TEST(Ex10_2_Body, PipelinedBytesBehindTheBodyStay) {
    Story story("the input holds more than the body: whose is the rest?");
    for (std::size_t piece : {1u, 2u, 3u, 100u}) {
        story.step("5 bytes of body, pieces of " + std::to_string(piece));
        if (!story.expect("body|rest", std::string("hello|GET /"),
                          decode(5, "helloGET /", piece))) {
            return;
        }
    }
}

TEST(Ex10_2_Body, ChunksAreJoinedWhereverTheyAreCut) {
    Story story("a chunk's size, its data, its line end: in which of them did the input stop?");
    const std::string_view text =
        "5\r\nhello\r\n6;x=\"y\"\r\n world\r\n0\r\nTrailer: t\r\n\r\nGET /";
    for (std::size_t piece = 1; piece <= text.size(); ++piece) {
        story.step("pieces of " + std::to_string(piece));
        if (!story.expect("body|rest", std::string("hello world|GET /"),
                          decode(kChunked, text, piece))) {
            return;
        }
    }
}

TEST(Ex10_2_Body, UnfinishedBodyIsNotDone) {
    Story story("is a chunked body over with its last data, or with its last line?");
    story.expect("a length of 5, 4 bytes", std::string("unfinished hell"), decode(5, "hell", 100));
    story.expect("chunked, without the last empty line", std::string("unfinished a"),
                 decode(kChunked, "1\r\na\r\n0\r\n", 100));
}

TEST(Ex10_2_Body, MalformedChunksAreRefused) {
    Story story("what may stand where a chunk's size is expected, and where its end?");
    for (std::string_view text : {"\r\n", "x\r\n", "-1\r\n", "1\nab", "1\r\nab\r\n", "1\r\na\nx",
                                  " 1\r\na", "1 \r\na", "0x1\r\na"}) {
        story.step(testing::PrintToString(text));
        if (!story.expect("refused", std::string("error 400"), decode(kChunked, text, 1))) {
            return;
        }
    }
}

TEST(Ex10_2_Body, ChunksTogetherObeyTheLimit) {
    Story story("a thousand small chunks: who adds them up?");
    story.expect("10 of 10", std::string("aaaaabbbbb|"),
                 decode(kChunked, "5\r\naaaaa\r\n5\r\nbbbbb\r\n0\r\n\r\n", 100, 10));
    story.expect("11 of 10", std::string("error 413"),
                 decode(kChunked, "5\r\naaaaa\r\n6\r\nbbbbbb\r\n0\r\n\r\n", 100, 10));
    story.expect("a size that overflows", std::string("error 413"),
                 decode(kChunked, "fffffffffffffffff\r\n", 1, 10));
}

}  // namespace
}  // namespace starling
