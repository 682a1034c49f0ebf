#include <charconv>
#include <cstdio>
#include <starling/http_response.hh>

namespace starling {
namespace {

void append_number(ByteBuffer& out, std::uint64_t number, int base = 10) {
    constexpr std::size_t kDigitsMax = 20;
    char* const begin = out.prepare(kDigitsMax);
    const char* const end = std::to_chars(begin, begin + kDigitsMax, number, base).ptr;
    out.commit(static_cast<std::size_t>(end - begin));
}

bool has_no_body(int status) noexcept { return status < 200 || status == 204 || status == 304; }

}  // namespace

std::string_view status_text(int status) noexcept {
    switch (status) {
        case 200: return "OK";
        case 201: return "Created";
        case 202: return "Accepted";
        case 204: return "No Content";
        case 301: return "Moved Permanently";
        case 302: return "Found";
        case 304: return "Not Modified";
        case 400: return "Bad Request";
        case 401: return "Unauthorized";
        case 403: return "Forbidden";
        case 404: return "Not Found";
        case 405: return "Method Not Allowed";
        case 408: return "Request Timeout";
        case 409: return "Conflict";
        case 413: return "Content Too Large";
        case 414: return "URI Too Long";
        case 417: return "Expectation Failed";
        case 431: return "Request Header Fields Too Large";
        case 500: return "Internal Server Error";
        case 501: return "Not Implemented";
        case 503: return "Service Unavailable";
        case 505: return "HTTP Version Not Supported";
        default: return "Unknown";
    }
}

void HttpDate::format(std::time_t now) noexcept {
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 30> text{};
    // The C locale's names: this program sets no other.
    std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    std::copy_n(text.begin(), text_.size(), text_.begin());
    second_ = now;
}

bool append_response_head(ByteBuffer& out, int status, std::string_view content_type,
                          std::optional<std::uint64_t> length, std::string_view more_fields,
                          std::string_view date, const AnswerMode& mode) {
    const bool chunked = !length && mode.minor_version > 0 && !has_no_body(status);
    const bool delimited = length || chunked || has_no_body(status);
    if (status == 200) [[likely]] {
        out.append("HTTP/1.1 200 OK\r\nDate: ");
    } else {
        out.append("HTTP/1.1 ");
        append_number(out, static_cast<std::uint64_t>(status));
        out.append(" ");
        out.append(status_text(status));
        out.append("\r\nDate: ");
    }
    out.append(date);
    if (!has_no_body(status)) {
        out.append("\r\nContent-Type: ");
        out.append(content_type);
        if (length) {
            out.append("\r\nContent-Length: ");
            append_number(out, *length);
        } else if (chunked) {
            out.append("\r\nTransfer-Encoding: chunked");
        }
    }
    if (!mode.keep_alive || !delimited) {
        out.append("\r\nConnection: close");
    } else if (mode.minor_version == 0) {
        out.append("\r\nConnection: keep-alive");
    }
    out.append("\r\n");
    out.append(more_fields);
    out.append("\r\n");
    return delimited;
}

void append_response(ByteBuffer& out, int status, std::string_view content_type,
                     std::string_view body, std::string_view date, const AnswerMode& mode) {
    append_response_head(out, status, content_type, body.size(), {}, date, mode);
    if (!mode.head_only && !has_no_body(status)) out.append(body);
}

void append_chunk(ByteBuffer& out, std::string_view data) {
    append_number(out, data.size(), 16);
    out.append("\r\n");
    out.append(data);
    out.append("\r\n");
}

}  // namespace starling
