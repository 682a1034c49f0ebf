// 10.2: the odd corners of chunked bodies: extensions, trailers, and those who send them without
// end.
#include <gtest/gtest.h>

#include <starling/http_body.hh>
#include <string>

namespace starling {
namespace {

/// A body taken from input that arrives in pieces of `step` bytes.
struct Taken {
    std::string data;
    std::string rest;  // What it left: the next request's.
    bool done = false;
    int error = 0;

    friend bool operator==(const Taken&, const Taken&) = default;
    friend void PrintTo(const Taken& t, std::ostream* out) {
        *out << "data " << testing::PrintToString(t.data) << ", left "
             << testing::PrintToString(t.rest) << ", done " << t.done << ", error " << t.error;
    }
};

/// A chunked body, taken.
Taken take_body(std::string_view bytes, std::size_t step) {
    BodyDecoder decoder(std::nullopt, 1 << 20);
    Taken taken;
    std::string input;
    try {
        for (std::size_t at = 0; at < bytes.size(); at += step) {
            input += bytes.substr(at, step);
            std::string_view rest = input;
            for (;;) {
                const std::string_view piece = decoder.take(rest);
                taken.data += piece;
                if (piece.empty()) break;
            }
            input = rest;
        }
    } catch (const HttpError& error) {
        taken.error = error.status();
    }
    taken.rest = input;
    taken.done = decoder.done();
    return taken;
}

TEST(Ex10_2_Chunked, PiecesAreViewsNotCopies) {
    const std::string bytes = "hello";
    std::string_view rest = bytes;
    BodyDecoder decoder(5, 100);
    EXPECT_EQ(bytes.data(), decoder.take(rest).data());
}

TEST(Ex10_2_Chunked, ExtensionsAndTrailersAreReadOver) {
    const std::string bytes =
        "2;name=value;flag\r\nok\r\n000;last\r\nX-Sum: 1\r\nX-Y: 2\r\n\r\nrest";
    for (std::size_t step = 1; step <= bytes.size(); ++step) {
        const Taken taken = take_body(bytes, step);
        ASSERT_EQ((Taken{"ok", "rest", true, 0}), taken) << step << " at a time";
    }
}

TEST(Ex10_2_Chunked, BadChunksAreRefused) {
    for (const char* bytes :
         {"x\r\n", "\r\n", ";x\r\n", " 5\r\nhello\r\n", "5 \r\nhello\r\n", "-1\r\n",
          "0x5\r\nhello\r\n", "5\nhello\r\n", "5\r\nhelloX\r\n", "5\r\nhello\nX", "5\rX\r\n",
          "0\r\n\n", "0\r\nX: \x01\r\n\r\n", "5;\x01\r\nhello\r\n"}) {
        for (const std::size_t step : {100, 1}) {
            const Taken taken = take_body(bytes, step);
            EXPECT_EQ(400, taken.error) << testing::PrintToString(std::string(bytes));
            EXPECT_FALSE(taken.done);
        }
    }
}

TEST(Ex10_2_Chunked, RefusedLineIsRefusedAgain) {
    // As long as the chunk that it announces, so that it could pass for it.
    const std::string extension(BodyDecoder::kExtraBytesMax, 'x');
    const std::string line = "2005;" + extension + "\r\n";
    const std::string bytes = "1\r\nb\r\n" + line + std::string(0x2005, 'a') + "\r\n0\r\n\r\n";
    BodyDecoder decoder(std::nullopt, 1 << 20);
    std::string_view rest = bytes;
    EXPECT_EQ("b", decoder.take(rest));
    for (int attempt = 1; attempt <= 2; ++attempt) {
        EXPECT_THROW(decoder.take(rest), HttpError)
            << "attempt " << attempt << ": whoever reads on after an error finds another body";
    }
}

TEST(Ex10_2_Chunked, EndlessExtensionsAndTrailersAreRefused) {
    const std::string much(2 * BodyDecoder::kExtraBytesMax, 'x');
    EXPECT_EQ(413, take_body("5;" + much, 100).error);
    EXPECT_EQ(413, take_body("0\r\nX: " + much, 100).error);
    std::string many;
    for (int i = 0; i < 10000; ++i) many += "1;x\r\na\r\n";
    EXPECT_EQ(413, take_body(many, 100).error) << "counted over all chunks";
}

}  // namespace
}  // namespace starling
