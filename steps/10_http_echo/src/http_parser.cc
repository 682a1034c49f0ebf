#include <algorithm>
#include <starling/http_chars.hh>
#include <starling/http_parser.hh>
#include <utility>
#include <starling/todo.hh>

namespace starling {

RequestParser::Result RequestParser::parse(std::string_view bytes) {
    head_.set_base(bytes.data());
    // BEGIN 10.1: find the lines, going on where the last call stopped
    // `bytes` begins where the head begins and has at least what it had last time. Take every line
    // that is complete now: the first is the request line, the others are fields, and an empty one
    // ends the head. A line ends with CR LF; a bare LF is refused with 400. One empty line before
    // the request line is skipped. `acceptable` refuses what is too long, finished or not: ask it
    // about every line, and about the unfinished one. At the end of the head, `check_hosts`.
    todo("10.1", "RequestParser::parse");
    // END 10.1
}

bool RequestParser::take_field(std::string_view line) {
    // BEGIN 10.1: one field
    // `line` is "name: value" without its CR LF. The name is one or more token bytes and the colon
    // follows at once; around the value spaces and tabs do not count; in it only `http::kValue`
    // bytes are allowed. A line that begins with a space or tab (folding) is refused like any other
    // bad name: 400. More fields than `limits_.fields_max`: 431.
    todo("10.1", "RequestParser::take_field");
    // END 10.1
}

// method SP request-target SP HTTP-version, each separated by exactly one space.
bool RequestParser::take_request_line(std::string_view line) noexcept {
    const char* const end = line.data() + line.size();
    const char* const method_end = http::skip(http::kToken, line.data(), end);
    if (method_end == line.data() || method_end == end || *method_end != ' ') {
        return fail(400, "the request line does not begin with a method and a space");
    }
    const char* const target_end = http::skip(http::kTarget, method_end + 1, end);
    const std::string_view method(line.data(), static_cast<std::size_t>(method_end - line.data()));
    const std::string_view target(method_end + 1,
                                  static_cast<std::size_t>(target_end - method_end - 1));
    if (target.empty() || target_end == end || *target_end != ' ') {
        return fail(400, "the request line has no target between two single spaces");
    }
    const std::string_view version(target_end + 1, static_cast<std::size_t>(end - target_end - 1));
    int minor_version = 1;
    if (version != "HTTP/1.1") {
        auto digit = [&](std::size_t i) { return version[i] >= '0' && version[i] <= '9'; };
        if (version.size() != 8 || !version.starts_with("HTTP/") || !digit(5) || version[6] != '.' ||
            !digit(7)) {
            return fail(400, "the request line does not end with a version");
        }
        if (version[5] != '1') return fail(505, "this server speaks HTTP/1.1");
        minor_version = version[7] == '0' ? 0 : 1;
    }
    if (method == "CONNECT") return fail(501, "this server is no proxy");
    if (target[0] != '/' && target.find("://") == std::string_view::npos &&
        !(target == "*" && method == "OPTIONS")) {
        return fail(400, "the target is neither a path nor a URI");
    }
    head_.set_request_line(method, target, minor_version);
    return true;
}

// Judges unfinished lines too: what is no HTTP from its first byte on may never send a line's end.
bool RequestParser::acceptable(std::string_view line, std::size_t head_bytes,
                               bool request_line) noexcept {
    if (request_line) {
        if (!line.empty() && line[0] != '\r' && !http::is(http::kToken, line[0])) {
            return fail(400, "this is no HTTP request");
        }
        if (line.size() > limits_.request_line_bytes_max) {
            return fail(414, "the request line is too long");
        }
    }
    const std::size_t bytes_max = std::min(limits_.head_bytes_max, RequestHead::kBytesMax);
    return head_bytes <= bytes_max || fail(431, "the request head is too long");
}

bool RequestParser::check_hosts() noexcept {
    const int hosts = head_.count(FieldId::host);
    if (hosts > 1) return fail(400, "more than one Host");
    if (hosts == 0) return head_.minor_version() == 0 || fail(400, "an HTTP/1.1 request without Host");
    return http::all(http::kHost, head_.value(FieldId::host)) ||
           fail(400, "the Host is not a host");
}

bool RequestParser::fail(int status, const char* text) noexcept {
    error_status_ = status;
    error_text_ = text;
    return false;
}

}  // namespace starling
