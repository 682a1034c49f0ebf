// What the tests of layer 10 share: parsing a whole text in given pieces, and a handler that echoes.
//
// Affinity: one thread.
#pragma once

#include <cstdint>
#include <random>
#include <starling/http_parser.hh>
#include <starling/http_session.hh>
#include <string>
#include <string_view>
#include <vector>

namespace starling::testing_support {

/// What a parser made of a text, in a form that can be compared and printed.
struct Parsed {
    std::string verdict;  // "done 42", "need_more", "bad 400"
    std::string head;     // "GET|/|1|Host=a|", if done
    friend bool operator==(const Parsed&, const Parsed&) = default;
    friend void PrintTo(const Parsed& p, std::ostream* out) { *out << p.verdict << " " << p.head; }
};

inline Parsed describe(RequestParser& parser, RequestParser::Result result) {
    if (result == RequestParser::Result::need_more) return {"need_more", ""};
    if (result == RequestParser::Result::bad) {
        return {"bad " + std::to_string(parser.error_status()), ""};
    }
    RequestHead& head = parser.head();
    std::string text;
    text.append(head.method()).append("|").append(head.target()).append("|");
    text += std::to_string(head.minor_version()) + "|";
    for (std::size_t i = 0; i < head.field_count(); ++i) {
        text.append(head.field(i).name).append("=").append(head.field(i).value).append("|");
    }
    return {"done " + std::to_string(parser.head_bytes()), text};
}

/// Shows `text` to a parser up to each of `cuts`, then whole; each time at another address.
inline Parsed parse_in_pieces(std::string_view text, std::vector<std::size_t> cuts = {},
                              const HttpLimits& limits = {}) {
    RequestParser parser(limits);
    cuts.push_back(text.size());
    std::string seen;  // Keeps the bytes that the views point to.
    for (std::size_t cut : cuts) {
        seen = std::string(text.substr(0, cut));
        seen.shrink_to_fit();
        const auto result = parser.parse(seen);
        if (result != RequestParser::Result::need_more || cut == text.size()) {
            return describe(parser, result);
        }
    }
    return {};
}

inline Parsed parse_bytewise(std::string_view text, const HttpLimits& limits = {}) {
    std::vector<std::size_t> cuts;
    for (std::size_t i = 0; i < text.size(); ++i) cuts.push_back(i);
    return parse_in_pieces(text, std::move(cuts), limits);
}

/// Answers /at-once in place with the body, or with the path without one; leaves the rest to `handle`.
class TestHandler final : public HttpHandler {
  public:
    bool answer(const Request& request, Reply& reply) override {
        paths += std::string(request.path()) + " ";
        if (!request.path().starts_with("/at-once")) return false;
        reply.send(200, "text/plain", request.body().empty() ? request.path() : request.body());
        return true;
    }
    Task<Response> handle(Request&) override { co_return Response{}; }

    std::string paths;  // Asked for so far, each with a space behind it.
};

/// A session and what it needs, without any connection.
struct SessionBed {
    TestHandler handler;
    HttpShared shared{.limits = {}, .handler = handler};
    HttpSession session{shared};
    ByteBuffer output;

    /// Shows `input`, which is shortened by what was taken.
    HttpSession::Next advance(std::string_view& input) { return session.advance(input, output); }
    std::string sent() const { return std::string(output.view()); }
    /// How many answers with this status line there are.
    int answers(std::string_view status) const {
        const std::string line = "HTTP/1.1 " + std::string(status) + " ";
        int count = 0;
        const std::string all = sent();
        for (std::size_t at = all.find(line); at != std::string::npos; at = all.find(line, at + 1)) {
            ++count;
        }
        return count;
    }
};

inline std::string next_name(HttpSession::Next next) {
    switch (next) {
        case HttpSession::Next::more: return "more";
        case HttpSession::Next::handle: return "handle";
        case HttpSession::Next::close: return "close";
    }
    return "?";
}

}  // namespace starling::testing_support
