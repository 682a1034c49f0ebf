// RequestParser: an incremental, zero-copy parser of HTTP/1.1 request heads.
//
//     bytes   GET / HTTP/1.1␍␊Host: exa│mple.org␍␊␍␊POST …
//                                      │            └─ the caller's: the next request, or a body
//             1st parse() ─────────────┘ false
//             2nd parse() ── goes on where the first stopped ──┘ true, head_bytes() = 38
//
// Nothing is copied: a head is a table of views into the bytes that the caller holds. The caller
// keeps all bytes of an unfinished head together and shows them again with more behind them. Each
// byte is searched for its line's end once, however the head is split, and each line is taken apart
// once, when it is complete.
//
// Strict where leniency has been used to smuggle requests past proxies: a line ends with CR LF and
// nothing else; no space before a colon; no folded lines; no second Host or Content-Length; no
// Content-Length beside Transfer-Encoding. Whatever is wrong with a request is an HttpError.
//
// Affinity: owner shard. Source: RFC 9110 section 5, RFC 9112 sections 2 to 6.
#pragma once

#include <cstddef>
#include <cstdint>
#include <starling/clock.hh>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>
#include <starling/todo.hh>

namespace starling {

/// What a server accepts, and how long it waits. \affinity any thread, once set
struct HttpLimits {
    std::size_t request_line_bytes_max = 8 * 1024;          ///< CR LF included. Else 414.
    std::size_t head_bytes_max = 16 * 1024;                 ///< Its empty line included. Else 431.
    std::size_t fields_max = 64;                            ///< Else 431.
    std::uint64_t body_bytes_max = std::uint64_t{1} << 30;  ///< Else 413.
    Duration head_timeout =
        std::chrono::seconds(10);  ///< For a whole head, from its first byte. Else 408.
    Duration body_timeout = std::chrono::seconds(30);  ///< For each next piece of a body. Else 408.
    Duration idle_timeout = std::chrono::seconds(60);  ///< Between two requests.
    Duration write_timeout = std::chrono::seconds(30);  ///< For the client to take what is sent.
    Duration linger = std::chrono::seconds(2);          ///< For it to end, after the last answer.
    Duration grace = std::chrono::seconds(10);  ///< For answers under way, when the server stops.
};

/// A request is refused: with this status, and a sentence for the client's developer.
class HttpError : public std::runtime_error {
  public:
    /// \param status 4xx or 5xx, of the answer \param text the answer's body
    HttpError(int status, const std::string& text) : std::runtime_error(text), status_(status) {}
    /// 4xx or 5xx: why it is refused.
    int status() const noexcept { return status_; }

  private:
    int status_;
};

/// \throws HttpError if `wrong` \affinity any thread
inline void refuse_if(bool wrong, int status, const char* text) {
    if (wrong) [[unlikely]]
        throw HttpError(status, text);
}

/// The request line and the fields of one request. Its views live as long as the bytes.
/// \affinity owner shard
struct RequestHead {
    /// One line of the head: "name: value".
    struct Field {
        std::string_view name;   ///< As it was sent; compare it with `same_text`.
        std::string_view value;  ///< Without the spaces and tabs around it; may be empty.
    };
    /// What `find` has found.
    struct Found {
        int count = 0;                ///< How many fields have the name; 0: `value` is empty.
        std::string_view value = {};  ///< The first one's.
    };
    std::string_view method = {};    ///< As it was sent: "GET". Upper and lower case differ.
    std::string_view target = {};    ///< As it was sent: "/echo?x=1", "http://host/echo", "*".
    int minor_version = 1;           ///< 1 for HTTP/1.1, 0 for HTTP/1.0.
    std::vector<Field> fields = {};  ///< In the order in which they were sent.

    /// The target without scheme, authority and query: "/echo".
    std::string_view path() const noexcept;
    /// What the fields with this name, in any case, come to. O(fields).
    Found find(std::string_view name) const noexcept;
    /// Whether the comma-separated list in all fields `name` has `token`, in any case. O(fields).
    bool has_token(std::string_view name, std::string_view token) const noexcept;
};

/// Equal but for the case of ASCII letters. \affinity any thread
bool same_text(std::string_view a, std::string_view b) noexcept;
/// Whether there is a byte that no field's value may have. \affinity any thread
bool has_control(std::string_view text) noexcept;

/// Reads one request head after the other. \affinity owner shard
class RequestParser {
  public:
    /// \param limits Borrows: they outlive this
    explicit RequestParser(const HttpLimits& limits) noexcept : limits_(limits) {}
    explicit RequestParser(HttpLimits&&) = delete;

    /// Goes on with a head. \param bytes everything since the head's first byte: what was shown
    /// before, at whatever address, and more
    /// \return whether the head is complete: then `head()` and `head_bytes()` are valid
    /// \throws HttpError 400, 414, 431, 501 or 505. After that, or a complete head, only reset()
    /// may follow. O(new bytes).
    bool parse(std::string_view bytes);

    /// What is known of the head: all of it once `parse` has returned true. Until `reset`.
    const RequestHead& head() const noexcept { return head_; }
    /// How many of the bytes belong to the head, the empty line at its end included, and those that
    /// may come before it. \pre complete
    std::size_t head_bytes() const noexcept { return head_bytes_; }

    /// The head's first byte is at `base` now, and the others behind it.
    void move_to(const char* base) noexcept;
    /// Ready for the next head.
    void reset() noexcept;

  private:
    /// What the parser remembers between two calls, so that no byte is looked at twice.
    struct Progress {
        // BEGIN 10.1: the parser's memory
        // Yours to choose. What has to be known of the bytes already seen?
        // END 10.1
    };

    bool request_line_taken() const noexcept { return !head_.method.empty(); }
    void take_request_line(std::string_view line);
    void take_field(std::string_view line);
    void check_size(std::string_view line, std::size_t head_bytes) const;
    void check_host() const;

    const HttpLimits& limits_;
    RequestHead head_;
    Progress progress_;
    std::size_t head_bytes_ = 0;
    const char* base_ = nullptr;  // Borrows: the caller's bytes, as of the last `parse`.
};

}  // namespace starling
