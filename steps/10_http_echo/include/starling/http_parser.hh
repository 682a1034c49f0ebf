// RequestParser: an incremental, zero-copy parser of HTTP/1.1 request heads.
//
//     bytes   GET / HTTP/1.1␍␊Host: exa│mple.org␍␊␍␊POST …
//                                      │            └─ the caller's: the next request, or a body
//             1st parse() ─────────────┘ need_more
//             2nd parse() ── goes on where the first stopped ──┘ done, head_bytes() = 38
//
// The caller keeps all bytes of an unfinished head together and shows them again with more behind them.
// Each byte is searched for its line's end once, however the head is split, and each line is taken
// apart once, when it is complete.
//
// Strict where leniency has been used to smuggle requests past proxies: a line ends with CR LF and
// nothing else; no space before a colon; no folded lines; no second Host or Content-Length; no
// Content-Length beside Transfer-Encoding.
//
// Affinity: owner shard. Source: RFC 9112 sections 2 to 6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <starling/http_head.hh>
#include <string_view>
#include <starling/todo.hh>

namespace starling {

/// What a server accepts. \affinity any thread, once set
struct HttpLimits {
    std::size_t request_line_bytes_max = 8 * 1024;          // Else 414.
    std::size_t head_bytes_max = 16 * 1024;                 // Else 431. At most RequestHead::kBytesMax.
    std::size_t fields_max = RequestHead::kFieldsMax;       // Else 431. At most that.
    std::uint64_t body_bytes_max = std::uint64_t{1} << 30;  // Else 413.
};

/// \affinity owner shard
class RequestParser {
  public:
    enum class Result : std::uint8_t { need_more, done, bad };

    /// \param limits Borrows: they outlive this
    explicit RequestParser(const HttpLimits& limits) noexcept : limits_(limits) {}
    explicit RequestParser(HttpLimits&&) = delete;

    /// Goes on with a head. \param bytes everything since the head's first byte: what was shown before,
    /// at whatever address, and more. \return need_more; done: `head()` and `head_bytes()` are
    /// valid; bad: `error_status()` says why. After done or bad, only reset() may follow.
    /// O(new bytes).
    Result parse(std::string_view bytes);

    /// The parsed head; its views lie in the bytes of the last `parse`. \pre done
    RequestHead& head() noexcept { return head_; }
    /// How many of the bytes belong to the head, the empty line included. \pre done
    std::size_t head_bytes() const noexcept { return head_bytes_; }
    /// 400, 414, 431, 501 or 505. \pre bad
    int error_status() const noexcept { return error_status_; }
    /// For the client's developer: a sentence. \pre bad
    const char* error_text() const noexcept { return error_text_; }

    /// Ready for the next head.
    void reset() noexcept {
        head_.reset();
        progress_ = {};
        error_status_ = 0;
    }

  private:
    /// What the parser remembers between two calls, so that no byte is looked at twice.
    struct Progress {
        // BEGIN 10.1: the parser's memory
        // Yours to choose. What has to be known of the bytes already seen?
        // END 10.1
    };

    bool take_request_line(std::string_view line) noexcept;
    bool take_field(std::string_view line);
    bool acceptable(std::string_view line, std::size_t head_bytes, bool request_line) noexcept;
    bool check_hosts() noexcept;
    /// \return false, for the caller to return
    bool fail(int status, const char* text) noexcept;

    const HttpLimits& limits_;
    RequestHead head_;
    Progress progress_;
    std::size_t head_bytes_ = 0;
    int error_status_ = 0;
    const char* error_text_ = "";
};

}  // namespace starling
