#include <algorithm>
#include <charconv>
#include <starling/http_body.hh>
#include <starling/http_chars.hh>
#include <starling/todo.hh>

namespace starling {

Framing body_framing(const RequestHead& head, const HttpLimits& limits) {
    // BEGIN 10.2: who says how long the body is
    // Neither Content-Length nor Transfer-Encoding: no body. Both, or one of them twice: 400, because two
    // servers in a row might each believe another one. A Content-Length is digits only (400), and at
    // most `limits.body_bytes_max` (413; also when it fits no 64-bit number). Transfer-Encoding:
    // HTTP/1.0 has none (400), and this server knows only "chunked", in any case (else 501).
    todo("10.2", "body_framing");
    // END 10.2
}

BodyDecoder::BodyDecoder(const Framing& framing, std::uint64_t body_bytes_max) noexcept
    : state_(framing.chunked ? State::size : framing.length > 0 ? State::data : State::done),
      chunked_(framing.chunked),
      left_(framing.length),
      budget_(body_bytes_max) {}

std::string_view BodyDecoder::take(std::string_view& input) {
    while (!input.empty() && state_ != State::done) {
        if (state_ == State::data) return take_data(input);
        take_control(input.front());
        if (error_status_ == 0) input.remove_prefix(1);
    }
    return {};
}

std::string_view BodyDecoder::take_data(std::string_view& input) {
    // BEGIN 10.2: the body's share of the input
    // `left_` bytes of data are still to come, and `input` has at least one byte. Take what is
    // there of them off the front of `input` and return it. After the last byte the state is
    // `done`, or `data_cr` in a chunked body.
    todo("10.2", "BodyDecoder::take_data");
    // END 10.2
}

// One byte between the pieces of data.
void BodyDecoder::take_control(char c) noexcept {
    auto expect = [&](char wanted, State next) {
        if (c == wanted) {
            state_ = next;
        } else {
            fail(400);
        }
    };
    switch (state_) {
        case State::size: return take_size(c);
        case State::extension:
            if (c == '\r') {
                state_ = State::size_lf;
                return;
            }
            return count_extra(c);
        case State::size_lf: return expect('\n', left_ > 0 ? State::data : State::trailer);
        case State::data_cr: return expect('\r', State::data_lf);
        case State::data_lf:
            digits_ = 0;
            return expect('\n', State::size);
        case State::trailer:
            if (c == '\r') {
                state_ = State::trailer_lf;
                return;
            }
            line_empty_ = false;
            return count_extra(c);
        case State::trailer_lf:
            expect('\n', line_empty_ ? State::done : State::trailer);
            line_empty_ = true;
            return;
        case State::data:
        case State::done: return;
    }
}

void BodyDecoder::take_size(char c) noexcept {
    unsigned digit = 16;
    if (c >= '0' && c <= '9') digit = static_cast<unsigned>(c - '0');
    if (http::lower(c) >= 'a' && http::lower(c) <= 'f') {
        digit = static_cast<unsigned>(http::lower(c) - 'a' + 10);
    }
    if (digit < 16) {
        if (++digits_ > kSizeDigitsMax) return fail(400);
        if (left_ > budget_ / 16) return fail(413);  // Before it can overflow.
        left_ = left_ * 16 + digit;
        return;
    }
    if (digits_ == 0 || (c != '\r' && c != ';')) return fail(400);
    if (left_ > budget_) return fail(413);
    budget_ -= left_;
    state_ = c == ';' ? State::extension : State::size_lf;
}

// Extensions and trailers are read over; their syntax is checked only as far as it could mislead.
void BodyDecoder::count_extra(char c) noexcept {
    if (!http::is(http::kValue, c)) return fail(400);
    if (++extra_bytes_ > kExtraBytesMax) fail(413);
}

}  // namespace starling
