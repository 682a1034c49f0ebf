// Response: what a handler answers; and how an answer becomes bytes.
//
//     HTTP/1.1 200 OK␍␊
//     Date: Sun, 06 Nov 1994 08:49:37 GMT␍␊        formatted once a second, copied otherwise
//     Content-Type: text/plain␍␊
//     Content-Length: 5␍␊                          or Transfer-Encoding: chunked
//     ␍␊
//     hello
//
// Affinity: owner shard. Source: RFC 9110 sections 6.6, 8.6 and 15; RFC 9112 sections 4, 6.3 and 7.1.
#pragma once

#include <array>
#include <cstdint>
#include <ctime>
#include <functional>
#include <optional>
#include <starling/byte_buffer.hh>
#include <starling/task.hh>
#include <string>
#include <string_view>

namespace starling {

class BodyWriter;

/// An answer. Either `body`, or `stream`, which is called once the head has been sent and writes the
/// body piece by piece. \affinity owner shard
struct Response {
    int status = 200;
    std::string_view content_type = "text/plain";  // Borrows: a literal.
    std::string body = {};
    std::string fields = {};  // Further ones, each ending with CR LF.
    std::function<Task<>(BodyWriter&)> stream = {};
    std::optional<std::uint64_t> stream_length = {};  // Unknown: chunked.
};

/// What follows from the request for the bytes of its answer.
struct AnswerMode {
    int minor_version = 1;  // The client's.
    bool head_only = false;
    bool keep_alive = true;
};

/// "OK", "Not Found", …; "Unknown" for a number that has no name.
std::string_view status_text(int status) noexcept;

/// The text of the Date field. \affinity owner shard
class HttpDate {
  public:
    /// The current one. A read of the coarse clock: about 4 ns.
    std::string_view text() noexcept { return at(std::time(nullptr)); }
    /// "Sun, 06 Nov 1994 08:49:37 GMT"; formatted only when the second has changed.
    std::string_view at(std::time_t now) noexcept {
        if (now != second_) [[unlikely]] format(now);
        return {text_.data(), text_.size()};
    }

  private:
    void format(std::time_t now) noexcept;
    std::time_t second_ = -1;
    std::array<char, 29> text_{};
};

/// Appends a head. \param length the body's; none if it is not known, which means chunked for an
/// HTTP/1.1 client and "until the connection ends" for an older one.
/// \return false if the body can only end with the connection
bool append_response_head(ByteBuffer& out, int status, std::string_view content_type,
                          std::optional<std::uint64_t> length, std::string_view more_fields,
                          std::string_view date, const AnswerMode& mode);

/// Appends a whole answer.
void append_response(ByteBuffer& out, int status, std::string_view content_type,
                     std::string_view body, std::string_view date, const AnswerMode& mode);

/// Appends one chunk. \pre `data` is not empty: an empty chunk would end the body
void append_chunk(ByteBuffer& out, std::string_view data);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace starling
