// How long a request's body is, and which bytes belong to it.
//
//     …␍␊␍␊ hello GET /next …        Content-Length: 5
//           ├───┘└─ the next request's: stays with the caller
//     …␍␊␍␊ 5␍␊hello␍␊0␍␊␍␊ GET …   Transfer-Encoding: chunked
//              ├───┘
//
// The decoder hands out views into the caller's bytes, copies nothing and holds nothing but its
// place. What is between the pieces of a chunked body are lines, and a line is taken when it is
// complete, as in a head: what there is of it until then stays with the caller and is shown again.
//
//     state      expects                              then
//     size       a line: hex digits [;extension]      data, or trailer after the last chunk
//     data       as many bytes as announced           data_end, or done (a body of known length)
//     data_end   an empty line                        size
//     trailer    a line                               trailer, or done if it is empty
//
// Affinity: owner shard. Source: RFC 9112 sections 6 and 7.
#pragma once

#include <cstdint>
#include <optional>
#include <starling/http_parser.hh>
#include <string_view>

namespace starling {

/// How many bytes of body follow `head`; none: it comes in chunks.
/// \throws HttpError 400, 413 or 501: the head promises no body that can be delimited
std::optional<std::uint64_t> body_length(const RequestHead& head, const HttpLimits& limits);

/// Separates one body from the bytes around it. \affinity owner shard
class BodyDecoder {
  public:
    /// Of all extensions and trailers, and of a line.
    static constexpr std::size_t kExtraBytesMax = 8 * 1024;

    BodyDecoder() = default;
    /// \param length as from `body_length`
    BodyDecoder(std::optional<std::uint64_t> length, std::uint64_t body_bytes_max) noexcept;

    /// Takes from the front of `input` what belongs to the body, up to and including one piece of
    /// data, and leaves the rest.
    /// \return the piece, a view into `input`; empty at the end, or if it takes more bytes: show
    /// the rest again then, with more behind it
    /// \throws HttpError 400 or 413: the body cannot be read on
    std::string_view take(std::string_view& input);

    /// Whether the body is complete; what follows in the input is not part of it.
    bool done() const noexcept { return state_ == State::done; }

  private:
    enum class State : std::uint8_t { size, data, data_end, trailer, done };
    std::string_view take_data(std::string_view& input);
    void take_line(std::string_view line);

    State state_ = State::done;
    bool chunked_ = false;
    std::uint64_t left_ = 0;    // Of the current piece of data.
    std::uint64_t budget_ = 0;  // What all further chunks may hold.
    std::size_t extra_bytes_ = 0;
};

}  // namespace starling
