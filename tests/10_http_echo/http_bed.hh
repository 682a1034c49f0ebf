// What the tests of layer 10 share: parsing a whole text in given pieces, and a handler that
// echoes.
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

/// \pre its head is complete
inline Parsed describe(const RequestParser& parser) {
    const RequestHead& head = parser.head();
    std::string text;
    text.append(head.method).append("|").append(head.target).append("|");
    text += std::to_string(head.minor_version) + "|";
    for (const auto& [name, value] : head.fields) {
        text.append(name).append("=").append(value).append("|");
    }
    return {"done " + std::to_string(parser.head_bytes()), text};
}

/// Shows `text` to a parser up to each of `cuts`, then whole; each time at another address.
inline Parsed parse_in_pieces(std::string_view text, std::vector<std::size_t> cuts = {},
                              const HttpLimits& limits = {}) {
    RequestParser parser(limits);
    cuts.push_back(text.size());
    std::string seen;  // Keeps the bytes that the views point to.
    try {
        for (std::size_t cut : cuts) {
            seen = std::string(text.substr(0, cut));
            seen.shrink_to_fit();
            if (parser.parse(seen)) return describe(parser);
        }
    } catch (const HttpError& error) {
        return {"bad " + std::to_string(error.status()), ""};
    }
    return {"need_more", ""};
}

inline Parsed parse_bytewise(std::string_view text, const HttpLimits& limits = {}) {
    std::vector<std::size_t> cuts;
    for (std::size_t i = 0; i < text.size(); ++i) cuts.push_back(i);
    return parse_in_pieces(text, std::move(cuts), limits);
}

/// Answers /at-once in place with the body, or with the path without one; leaves the rest to
/// `handle`.
class TestHandler final : public HttpHandler {
  public:
    bool answer(HttpExchange& x) override {
        paths += std::string(x.head().path()) + " ";
        if (!x.head().path().starts_with("/at-once")) return false;
        x.send(200, "text/plain", x.body().empty() ? x.head().path() : x.body());
        return true;
    }
    Task<> handle(HttpExchange&) override { co_return; }

    std::string paths;  // Asked for so far, each with a space behind it.
};

/// A session and what it needs, without any connection.
struct SessionBed {
    TestHandler handler;
    HttpShared shared{.limits = {}, .handler = handler};
    HttpSession session{shared};

    /// Shows `input`, which is shortened by what was taken.
    HttpSession::Next advance(std::string_view& input) {
        session.show(input);
        const HttpSession::Next next = session.advance();
        input = session.input();
        return next;
    }
    const std::string& sent() { return session.output(); }
    /// How many answers with this status line there are.
    int answers(std::string_view status) {
        const std::string line = "HTTP/1.1 " + std::string(status) + " ";
        int count = 0;
        const std::string& all = sent();
        for (std::size_t at = all.find(line); at != std::string::npos;
             at = all.find(line, at + 1)) {
            ++count;
        }
        return count;
    }
};

inline std::string next_name(HttpSession::Next next) {
    switch (next) {
        case HttpSession::Next::more:
            return "more";
        case HttpSession::Next::handle:
            return "handle";
        case HttpSession::Next::close:
            return "close";
    }
    return "?";
}

}  // namespace starling::testing_support
