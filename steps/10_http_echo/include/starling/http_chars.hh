// What each byte may be in HTTP: one table, looked up once per byte.
//
// Affinity: any thread. Source: RFC 9110 section 5.6.2 (tokens), RFC 9112 section 3, RFC 3986.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace starling::http {

enum CharClass : std::uint8_t {
    kToken = 1,   // A method or a field name.
    kTarget = 2,  // A request target: visible ASCII.
    kValue = 4,   // A field value: visible, space, tab, and bytes above ASCII.
    kHost = 8,    // A Host value.
};

namespace detail {
constexpr std::array<std::uint8_t, 256> make_char_table() {
    constexpr std::string_view token_marks = "!#$%&'*+-.^_`|~";
    constexpr std::string_view host_marks = "!$%&'()*+,-.:;=[]_~";
    std::array<std::uint8_t, 256> table{};
    for (int c = 0; c < 256; ++c) {
        const char ch = static_cast<char>(c);
        const bool letter_or_digit =
            (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        auto one_of = [&](std::string_view marks) {
            return letter_or_digit || marks.find(ch) != std::string_view::npos;
        };
        const bool visible = c > ' ' && c < 0x7f;
        table[static_cast<std::size_t>(c)] = static_cast<std::uint8_t>(
            (c != 0 && one_of(token_marks) ? kToken : 0) | (visible ? kTarget : 0) |
            (visible || c == ' ' || c == '\t' || c >= 0x80 ? kValue : 0) |
            (c != 0 && one_of(host_marks) ? kHost : 0));
    }
    return table;
}
inline constexpr std::array<std::uint8_t, 256> char_table = make_char_table();
}  // namespace detail

constexpr bool is(CharClass wanted, char c) noexcept {
    return (detail::char_table[static_cast<unsigned char>(c)] & wanted) != 0;
}

/// The first byte that is not of the class, or `end`.
constexpr const char* skip(CharClass wanted, const char* begin, const char* end) noexcept {
    while (begin != end && is(wanted, *begin)) ++begin;
    return begin;
}
constexpr bool all(CharClass wanted, std::string_view text) noexcept {
    return skip(wanted, text.data(), text.data() + text.size()) == text.data() + text.size();
}

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

/// Equal but for the case of ASCII letters.
constexpr bool same(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

/// Without leading and trailing spaces and tabs.
constexpr std::string_view trim(std::string_view text) noexcept {
    auto blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    return text;
}

}  // namespace starling::http
