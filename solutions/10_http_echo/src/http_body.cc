#include <algorithm>
#include <charconv>
#include <starling/http_body.hh>

namespace starling {

std::optional<std::uint64_t> body_length(const RequestHead& head, const HttpLimits& limits) {
    // BEGIN 10.2: who says how long the body is
    //| Neither Content-Length nor Transfer-Encoding: no body. Both, or one of them twice: 400, because two
    //| servers in a row might each believe another one. A Content-Length is digits only (400), and at
    //| most `limits.body_bytes_max` (413; also when it fits no 64-bit number). Transfer-Encoding:
    //| HTTP/1.0 has none (400), and this server knows only "chunked", in any case (else 501).
    //= todo("10.2", "body_length");
    const auto [lengths, text] = head.find("content-length");
    const auto [codings, coding] = head.find("transfer-encoding");
    if (lengths + codings == 0) return 0;
    refuse_if(lengths + codings > 1, 400, "the body's length is given more than once");
    if (codings == 1) {
        refuse_if(head.minor_version == 0, 400, "HTTP/1.0 has no Transfer-Encoding");
        refuse_if(!same_text(coding, "chunked"), 501, "the only transfer coding here is chunked");
        return std::nullopt;
    }
    std::uint64_t length = 0;
    const char* const text_end = text.data() + text.size();
    const auto [end, error] = std::from_chars(text.data(), text_end, length);
    const bool number = error != std::errc::invalid_argument && end == text_end;
    refuse_if(!number, 400, "the Content-Length is no number");
    const bool fits = error == std::errc() && length <= limits.body_bytes_max;
    refuse_if(!fits, 413, "the body is too long");
    return length;
    // END 10.2
}

BodyDecoder::BodyDecoder(std::optional<std::uint64_t> length, std::uint64_t body_bytes_max) noexcept
    : state_(length ? State::data : State::size),
      chunked_(!length),
      left_(length.value_or(0)),
      budget_(body_bytes_max) {
    if (length == 0) state_ = State::done;
}

std::string_view BodyDecoder::take(std::string_view& input) {
    while (!input.empty() && !done()) {
        if (state_ == State::data) return take_data(input);
        const std::size_t line_feed = input.find('\n');
        if (line_feed == input.npos) {
            refuse_if(input.size() > kExtraBytesMax, 413, "a line in the body is too long");
            break;
        }
        take_line(input.substr(0, line_feed + 1));
        input.remove_prefix(line_feed + 1);
    }
    return {};
}

std::string_view BodyDecoder::take_data(std::string_view& input) {
    // BEGIN 10.2: the body's share of the input
    //| `left_` bytes of data are still to come, and `input` has at least one byte. Take what is
    //| there of them off the front of `input` and return it. After the last byte the state is
    //| `done`, or `data_end` in a chunked body.
    //= todo("10.2", "BodyDecoder::take_data");
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()));
    const std::string_view piece = input.substr(0, size);
    input.remove_prefix(size);
    left_ -= size;
    if (left_ == 0) state_ = chunked_ ? State::data_end : State::done;
    return piece;
    // END 10.2
}

// Extensions and trailers are read over; their syntax is checked only as far as it could mislead.
// The state moves on last: a line that is refused once is refused again.
void BodyDecoder::take_line(std::string_view line) {
    refuse_if(!line.ends_with("\r\n"), 400, "a line in the body ends with LF alone");
    line.remove_suffix(2);
    refuse_if(has_control(line), 400, "a control character between chunks");
    State next = State::size;
    if (state_ == State::size) {
        const char* const begin = line.data();
        const auto [end, error] = std::from_chars(begin, begin + line.size(), left_, 16);
        line.remove_prefix(static_cast<std::size_t>(end - begin));
        const bool number = error != std::errc::invalid_argument;
        refuse_if(!number || !(line.empty() || line[0] == ';'), 400,
                  "the body is not well chunked");
        refuse_if(error != std::errc() || left_ > budget_, 413, "the body is too long");
        next = left_ > 0 ? State::data : State::trailer;
    } else if (state_ == State::trailer) {
        next = line.empty() ? State::done : State::trailer;
    } else {
        refuse_if(!line.empty(), 400, "a chunk is longer than announced");
    }
    extra_bytes_ += line.size();
    refuse_if(extra_bytes_ > kExtraBytesMax, 413, "too much between the chunks");
    budget_ -= left_;  // 0, except behind a size.
    state_ = next;
}

}  // namespace starling
