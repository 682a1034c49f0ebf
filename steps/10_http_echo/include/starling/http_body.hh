// How long a request's body is, and which bytes belong to it.
//
//     …␍␊␍␊ hello GET /next …        Content-Length: 5
//           ├───┘└─ the next request's: stays with the caller
//     …␍␊␍␊ 5␍␊hello␍␊0␍␊␍␊ GET …   Transfer-Encoding: chunked
//              ├───┘
//
// The decoder hands out views into the caller's bytes, copies nothing and holds nothing but its place.
//
//     state       expects                        then
//     size        hex digits                     extension, or size_lf
//     extension   anything up to CR (bounded)    size_lf
//     size_lf     LF                             data, or trailer after the last chunk
//     data        as many bytes as announced     data_cr, or done (a body of known length)
//     data_cr/lf  CR LF                          size
//     trailer     an empty line ends the body    trailer_lf
//     trailer_lf  LF                             trailer, or done
//
// Affinity: owner shard. Source: RFC 9112 sections 6 and 7.
#pragma once

#include <cstdint>
#include <starling/http_head.hh>
#include <starling/http_parser.hh>
#include <string_view>

namespace starling {

/// How a body is delimited.
struct Framing {
    std::uint64_t length = 0;  // Of a body that is not chunked.
    bool chunked = false;
    int error_status = 0;  // 400, 413 or 501: the head promises no body that can be delimited.
    const char* error_text = "";

    bool empty() const noexcept { return length == 0 && !chunked; }
};

/// What `head` says about its body. O(1) for the usual head.
Framing body_framing(const RequestHead& head, const HttpLimits& limits);

/// Separates one body from the bytes around it. \affinity owner shard
class BodyDecoder {
  public:
    static constexpr std::size_t kExtraBytesMax = 8 * 1024;  // Extensions and trailers, in all.
    static constexpr int kSizeDigitsMax = 16;

    BodyDecoder() = default;
    BodyDecoder(const Framing& framing, std::uint64_t body_bytes_max) noexcept;

    /// Takes from the front of `input` what belongs to the body's framing, up to and including one piece of
    /// data, and leaves the rest. Call it again while it returns something or `input` is not empty.
    /// \return a piece of the body, a view into `input`; empty if more bytes are needed, or at the end
    std::string_view take(std::string_view& input);

    /// Whether the body is complete; what follows in the input is not part of it.
    bool done() const noexcept { return state_ == State::done && error_status_ == 0; }
    /// 0, or 400 or 413: the body cannot be read on.
    int error_status() const noexcept { return error_status_; }

  private:
    enum class State : std::uint8_t {
        size,
        extension,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer,
        trailer_lf,
        done
    };
    std::string_view take_data(std::string_view& input);
    void take_control(char c) noexcept;
    void take_size(char c) noexcept;
    void count_extra(char c) noexcept;
    void fail(int status) noexcept {
        error_status_ = status;
        state_ = State::done;
    }

    State state_ = State::done;
    bool chunked_ = false;
    std::uint8_t digits_ = 0;    // Of the size, so far.
    bool line_empty_ = true;     // The trailer line so far.
    int error_status_ = 0;
    std::uint64_t left_ = 0;     // Of the current piece of data.
    std::uint64_t budget_ = 0;   // What all further chunks may hold.
    std::size_t extra_bytes_ = 0;
};

}  // namespace starling
