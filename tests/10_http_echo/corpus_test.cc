// 10.1: a corpus of request heads, good and bad, that is judged the same however it arrives.
#include <gtest/gtest.h>

#include <starling/http_parser.hh>
#include <string>
#include <vector>

namespace starling {
namespace {

/// What a parser makes of bytes that arrive in pieces that end at `cuts`, each time at another
/// address.
std::string parse_in_pieces(std::string_view bytes, const std::vector<std::size_t>& cuts,
                            const HttpLimits& limits = {}) {
    RequestParser parser(limits);
    std::vector<std::string> places;
    try {
        for (std::size_t cut : cuts) {
            places.emplace_back(bytes.substr(0, cut));
            places.back().shrink_to_fit();
            if (!parser.parse(places.back())) continue;
            const RequestHead& head = parser.head();
            std::string text = std::string(head.method) + " " + std::string(head.target) + " 1." +
                               std::to_string(head.minor_version);
            for (const auto& [name, value] : head.fields) {
                text += " [" + std::string(name) + "=" + std::string(value) + "]";
            }
            return text + " " + std::to_string(parser.head_bytes()) + " bytes";
        }
    } catch (const HttpError& error) {
        return "bad " + std::to_string(error.status());
    }
    return "more";
}

std::string parse(std::string_view bytes, const HttpLimits& limits = {}) {
    return parse_in_pieces(bytes, {bytes.size()}, limits);
}

std::string parse_bytewise(std::string_view bytes, const HttpLimits& limits = {}) {
    std::vector<std::size_t> cuts;
    for (std::size_t i = 1; i <= bytes.size(); ++i) cuts.push_back(i);
    return parse_in_pieces(bytes, cuts, limits);
}

struct Example {
    std::string bytes;
    const char* expected;
};

const std::vector<Example>& corpus() {
    static const std::vector<Example> examples = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET / 1.1 [Host=a] 27 bytes"},
        {"GET /echo?x=1 HTTP/1.1\r\nhost:a\r\n\r\n", "GET /echo?x=1 1.1 [host=a] 34 bytes"},
        {"GET / HTTP/1.0\r\n\r\n", "GET / 1.0 18 bytes"},
        {"\r\nGET / HTTP/1.0\r\n\r\n", "GET / 1.0 20 bytes"},
        {"\r\n\r\n\r\nGET / HTTP/1.0\r\n\r\n", "GET / 1.0 24 bytes"},
        {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS * 1.1 [Host=a] 31 bytes"},
        {"GET http://a/b HTTP/1.1\r\nHost: a\r\n\r\n", "GET http://a/b 1.1 [Host=a] 36 bytes"},
        {"M-SEARCH / HTTP/1.1\r\nHost: a\r\n\r\n", "M-SEARCH / 1.1 [Host=a] 32 bytes"},
        {"GET / HTTP/1.1\r\nHost: \t a \t\r\nX: \r\nY:\r\n\r\n",
         "GET / 1.1 [Host=a] [X=] [Y=] 40 bytes"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: b \t c\r\n\r\n",
         "GET / 1.1 [Host=a] [X=b \t c] 37 bytes"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: \xe4\xff\r\n\r\n",
         "GET / 1.1 [Host=a] [X=\xe4\xff] 34 bytes"},
        {"GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", "GET / 1.1 [Host=[::1]:80] 34 bytes"},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", "GET / 1.1 [Host=] 25 bytes"},
        {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "GET / 1.1 [Host=a] 27 bytes"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\n", "GET / 1.1 [Host=a] 27 bytes"},
        // No method, no target, no version, or not in this form.
        {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "bad 400"},
        {"GET /\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1x\r\n\r\n", "bad 400"},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET / HTTP/1,1\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET / HTTP/x.1\r\nHost: a\r\n\r\n", "bad 400"},
        {"G{}T / HTTP/1.1\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET x HTTP/1.1\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "bad 400"},
        {"\x16\x03\x01\x02\r\n\r\n", "bad 400"},
        // Another version; what this server is not.
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "bad 505"},
        {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", "bad 505"},
        {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "bad 501"},
        // Lines end with CR LF, and with nothing else.
        {"GET / HTTP/1.1\nHost: a\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a\r\rX: b\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\r\n", "bad 400"},
        // Fields.
        {"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n folded\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n\tfolded\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX(y): b\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nX: b\x7f\r\n\r\n", "bad 400"},
        {std::string("GET / HTTP/1.1\r\nHost: a\r\nX: b") + '\0' + "c\r\n\r\n", "bad 400"},
        // Host.
        {"GET / HTTP/1.1\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "bad 400"},
        {"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", "bad 400"},
        // Not finished.
        {"", "more"},
        {"\r", "more"},
        {"\r\n", "more"},
        {"GET / HTTP/1.1\r\nHost: a\r\n", "more"},
        {"GET / HTTP/1.1\r\nHost: a\r\n\r", "more"},
    };
    return examples;
}

std::string shown(std::string_view bytes) { return testing::PrintToString(std::string(bytes)); }

TEST(Ex10_1_Corpus, CopiesNothing) {
    const std::string text = "GET /here HTTP/1.1\r\nHost: a\r\n\r\n";
    const HttpLimits limits;
    RequestParser parser(limits);
    ASSERT_TRUE(parser.parse(text));
    EXPECT_EQ(text.data() + 4, parser.head().target.data()) << "a view into the caller's bytes";
    EXPECT_EQ(text.data() + 26, parser.head().find("host").value.data());
}

TEST(Ex10_1_Corpus, UnderstandsOrRefusesEachExample) {
    for (const Example& e : corpus()) EXPECT_EQ(e.expected, parse(e.bytes)) << shown(e.bytes);
}

TEST(Ex10_1_Corpus, OneByteAtATimeGivesTheSame) {
    for (const Example& e : corpus())
        EXPECT_EQ(e.expected, parse_bytewise(e.bytes)) << shown(e.bytes);
}

TEST(Ex10_1_Corpus, AnySplitGivesTheSame) {
    unsigned random = 2718281828;
    auto next = [&](std::size_t below) {
        random = random * 1664525 + 1013904223;
        return (random >> 8) % below;
    };
    for (const Example& e : corpus()) {
        for (int round = 0; round < 20 && !e.bytes.empty(); ++round) {
            std::vector<std::size_t> cuts;
            for (std::size_t at = 0; at < e.bytes.size();) {
                at = std::min(e.bytes.size(), at + 1 + next(7));
                cuts.push_back(at);
            }
            ASSERT_EQ(e.expected, parse_in_pieces(e.bytes, cuts)) << shown(e.bytes);
        }
    }
}

TEST(Ex10_1_Corpus, DamagedRequestsAreJudgedTheSameHoweverTheyArrive) {
    const std::string good = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-Y: z\r\n\r\n";
    unsigned random = 314159;
    for (int round = 0; round < 3000; ++round) {
        std::string text = good;
        for (int damage = 0; damage <= round % 3; ++damage) {
            random = random * 1664525 + 1013904223;
            const std::size_t at = (random >> 8) % text.size();
            if (random & 1) {
                text[at] = static_cast<char>(random >> 24);
            } else {
                text.erase(at, 1);
            }
        }
        text += "\r\n\r\n";  // Whatever it is, it ends.
        ASSERT_EQ(parse(text), parse_bytewise(text)) << shown(text);
    }
}

TEST(Ex10_1_Corpus, LimitsAreExact) {
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const std::string good = "GET / 1.1 [Host=a] 27 bytes";
    const char* const line = "a request line of 16 bytes, its CR LF included; at most allowed: ";
    EXPECT_EQ(good, parse(head, {.request_line_bytes_max = 16})) << line << 16;
    EXPECT_EQ("bad 414", parse(head, {.request_line_bytes_max = 15})) << line << 15;
    const char* const all = "a head of 27 bytes, its empty line included; at most allowed: ";
    EXPECT_EQ(good, parse(head, {.head_bytes_max = 27})) << all << 27;
    EXPECT_EQ("bad 431", parse(head, {.head_bytes_max = 26})) << all << 26;
    EXPECT_EQ(good, parse(head + head, {.head_bytes_max = 27})) << "what follows does not count";
}

TEST(Ex10_1_Corpus, LineThatIsTooLongIsThatFirstWhateverEndsIt) {
    const HttpLimits limits{.request_line_bytes_max = 32, .head_bytes_max = 64};
    const std::string begin = "GET / HTTP/1.1\r\nX: ";
    const std::string line = "GET /" + std::string(33 - 5, 'x');
    const std::string field = begin + std::string(65 - begin.size(), 'x');
    const char* const question =
        "one byte more than allowed, and then a lone LF.\n"
        "Ask yourself: which of its two faults is known first if it comes one byte at a time?";
    EXPECT_EQ("bad 414", parse_bytewise(line + "\n", limits)) << "one by one, " << question;
    EXPECT_EQ("bad 414", parse(line + "\n", limits)) << "at once, " << question;
    EXPECT_EQ("bad 431", parse_bytewise(field + "\n", limits)) << "one by one, " << question;
    EXPECT_EQ("bad 431", parse(field + "\n", limits)) << "at once, " << question;
}

TEST(Ex10_1_Corpus, LimitThatIsPassedFirstCountsHoweverTheBytesArrive) {
    const std::string long_line = "GET /" + std::string(100, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const std::string before : {"", "\r\n"}) {
        for (std::size_t head_max = 30; head_max <= 34; ++head_max) {
            const HttpLimits limits{.request_line_bytes_max = 32, .head_bytes_max = head_max};
            const char* const expected = before.size() + 32 <= head_max ? "bad 414" : "bad 431";
            const std::string text = before + long_line;
            EXPECT_EQ(expected, parse(text, limits)) << head_max << " bytes of head, at once";
            EXPECT_EQ(expected, parse_bytewise(text, limits)) << head_max << ", one by one";
        }
    }
}

}  // namespace
}  // namespace starling
