#include <strings.h>

#include <algorithm>
#include <array>
#include <starling/http_parser.hh>
#include <utility>

namespace starling {
namespace {

// What a byte may be part of.
enum Kind : unsigned char { kVisible = 1, kToken = 2, kHost = 4 };
constexpr auto kKinds = [] {
    std::array<unsigned char, 256> kinds{};
    for (unsigned c = '!'; c <= '~'; ++c) kinds[c] = kVisible | kToken | kHost;
    for (const unsigned char c : std::string_view("\"(),/:;<=>?@[\\]{}")) kinds[c] &= ~kToken;
    for (const unsigned char c : std::string_view("/?#@\\")) kinds[c] &= ~kHost;
    return kinds;
}();
template <Kind kKind>
constexpr auto is = [](char c) { return (kKinds[static_cast<unsigned char>(c)] & kKind) != 0; };

// Takes the longest beginning of `text` whose bytes all are what `is` asks for.
template <class Is>
std::string_view take(std::string_view& text, Is is) {
    const auto size = std::ranges::find_if_not(text, is) - text.begin();
    const std::string_view taken = text.substr(0, static_cast<std::size_t>(size));
    text.remove_prefix(taken.size());
    return taken;
}

bool take(std::string_view& text, char c) {
    const bool there = text.starts_with(c);
    text.remove_prefix(there ? 1 : 0);
    return there;
}

// Without leading and trailing spaces and tabs.
std::string_view trim(std::string_view text) noexcept {
    auto blank = [](char c) { return c == ' ' || c == '\t'; };
    while (!text.empty() && blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && blank(text.back())) text.remove_suffix(1);
    return text;
}

}  // namespace

bool same_text(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size() || a.empty()) return a.size() == b.size();
    const bool maybe = ((a[0] ^ b[0]) | 0x20) == 0x20;  // Most differ in their first letter.
    return maybe && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

bool has_control(std::string_view text) noexcept {
    bool found = false;  // No early exit: so the compiler looks at sixteen bytes at once.
    for (const unsigned char c : text) found |= ((c < ' ') & (c != '\t')) | (c == 0x7f);
    return found;
}

// The head.

std::string_view RequestHead::path() const noexcept {
    const std::string_view path = target.substr(0, target.find('?'));
    const std::size_t scheme = path.starts_with('/') ? path.npos : path.find("://");
    if (scheme == path.npos) return path;
    const std::size_t slash = path.find('/', scheme + 3);
    return slash == path.npos ? "/" : path.substr(slash);
}

RequestHead::Found RequestHead::find(std::string_view name) const noexcept {
    Found found;
    for (const Field& field : fields) {
        if (same_text(field.name, name) && found.count++ == 0) found.value = field.value;
    }
    return found;
}

bool RequestHead::has_token(std::string_view name, std::string_view token) const noexcept {
    for (Field field : fields) {
        while (same_text(field.name, name) && !field.value.empty()) {
            const std::size_t size = std::min(field.value.find(','), field.value.size());
            if (same_text(trim(field.value.substr(0, size)), token)) return true;
            field.value.remove_prefix(std::min(size + 1, field.value.size()));
        }
    }
    return false;
}

// The parser.

bool RequestParser::parse(std::string_view bytes) {
    move_to(bytes.data());
    // BEGIN 10.1: find the lines, going on where the last call stopped
    //| `bytes` begins where the head begins and has at least what it had last time. Take every line
    //| that is complete now: the first is the request line (`request_line_taken`), the others are
    //| fields, and an empty one ends the head. A line ends with CR LF; a bare LF is refused with 400.
    //| Empty lines before the request line are skipped. `check_size` refuses what is too long,
    //| finished or not: ask it first, about every line and about the unfinished one. At the end of the
    //| head, `check_host`, and `head_bytes_`.
    //= todo("10.1", "RequestParser::parse");
    Progress& p = progress_;
    for (;;) {
        const std::size_t line_feed = bytes.find('\n', p.searched);
        const bool complete = line_feed != bytes.npos;
        p.searched = complete ? line_feed + 1 : bytes.size();
        std::string_view line = bytes.substr(p.line_begin, p.searched - p.line_begin);
        check_size(line, p.searched);
        if (!complete) return false;

        p.line_begin = p.searched;
        refuse_if(!line.ends_with("\r\n"), 400, "a line ends with LF alone");
        line.remove_suffix(2);
        if (!request_line_taken()) {
            if (!line.empty()) take_request_line(line);
        } else if (!line.empty()) {
            take_field(line);
        } else {
            head_bytes_ = p.line_begin;
            check_host();
            return true;
        }
    }
    // END 10.1
}

void RequestParser::take_field(std::string_view line) {
    // BEGIN 10.1: one field
    //| `line` is "name: value" without its CR LF. The name is one or more token bytes (`take`) and the
    //| colon follows at once; around the value spaces and tabs do not count (`trim`); it has no control
    //| characters (`has_control`). A line that begins with a space or tab (folding) is refused like
    //| any other bad name: 400. More fields than `limits_.fields_max`: 431.
    //= todo("10.1", "RequestParser::take_field");
    const std::string_view name = take(line, is<kToken>);
    const bool named = !name.empty() && take(line, ':');
    refuse_if(!named, 400, "a field's name is not a token followed by a colon");
    const std::string_view value = trim(line);
    refuse_if(has_control(value), 400, "a control character in a field's value");
    refuse_if(head_.fields.size() >= limits_.fields_max, 431, "too many fields");
    head_.fields.push_back({name, value});
    // END 10.1
}

// method SP request-target SP HTTP-version, each separated by exactly one space.
void RequestParser::take_request_line(std::string_view line) {
    const std::string_view method = take(line, is<kToken>);
    const bool first_space = take(line, ' ');
    const std::string_view target = take(line, is<kVisible>);
    const bool second_space = take(line, ' ');
    auto digit = [&](std::size_t i) { return line[i] >= '0' && line[i] <= '9'; };
    const bool version =
        line.size() == 8 && line.starts_with("HTTP/") && digit(5) && line[6] == '.' && digit(7);
    refuse_if(method.empty() || !first_space || target.empty() || !second_space || !version, 400,
              "the request line is not a method, a target and a version");
    refuse_if(line[5] != '1', 505, "this server speaks HTTP/1.1");
    refuse_if(method == "CONNECT", 501, "this server is no proxy");
    const bool asterisk = target == "*" && method == "OPTIONS";
    refuse_if(target[0] != '/' && target.find("://") == target.npos && !asterisk, 400,
              "the target is neither a path nor a URI");
    head_.method = method;
    head_.target = target;
    head_.minor_version = line[7] == '0' ? 0 : 1;
}

// Judges unfinished lines too: what is no HTTP from its first byte on may never send a line's end.
// `line` is as much of it as has come, CR LF included; `head_bytes` is the size of the head up to
// and including that.
void RequestParser::check_size(std::string_view line, std::size_t head_bytes) const {
    if (!request_line_taken()) {
        const bool begins = line.empty() || line[0] == '\r' || is<kToken>(line[0]);
        refuse_if(!begins, 400, "this is no HTTP request");
        // The limit that is passed first counts, however the bytes arrive.
        const std::size_t line_max = limits_.request_line_bytes_max;
        const bool too_long = line.size() > line_max;
        refuse_if(too_long && head_bytes - line.size() + line_max <= limits_.head_bytes_max, 414,
                  "the request line is too long");
    }
    refuse_if(head_bytes > limits_.head_bytes_max, 431, "the request head is too long");
}

void RequestParser::check_host() const {
    const auto [count, host] = head_.find("host");
    refuse_if(count > 1, 400, "more than one Host");
    refuse_if(count == 0 && head_.minor_version > 0, 400, "an HTTP/1.1 request without Host");
    refuse_if(!std::ranges::all_of(host, is<kHost>), 400, "the Host is not a host");
}

void RequestParser::move_to(const char* base) noexcept {
    const char* const old = std::exchange(base_, base);
    if (base == old) return;
    auto move = [=](std::string_view& view) { view = {base + (view.data() - old), view.size()}; };
    if (request_line_taken()) move(head_.method), move(head_.target);
    for (auto& [name, value] : head_.fields) move(name), move(value);
}

void RequestParser::reset() noexcept {
    head_.method = head_.target = {};
    head_.minor_version = 1;
    head_.fields.clear();
    progress_ = {};
}

}  // namespace starling
