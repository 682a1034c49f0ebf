// HttpSession: the protocol of one connection, without any input or output.
//
//     received bytes ──► advance() ──► bytes to send
//                           │
//                           ├─ more    send; then receive more, if anything comes
//                           ├─ handle  send; then the request at the front needs a coroutine
//                           └─ close   send; then the connection ends
//
// Everything that can be decided about HTTP without waiting is decided here, so it can be tested by
// calling a function. It answers as many pipelined requests as it finds before anything is sent: their
// answers leave in one system call.
//
// Affinity: owner shard.
#pragma once

#include <starling/byte_buffer.hh>
#include <starling/http_body.hh>
#include <starling/http_handler.hh>
#include <starling/http_parser.hh>
#include <starling/http_response.hh>

namespace starling {

/// Counters since the start. \affinity owner shard
struct HttpStats {
    std::uint64_t requests = 0;     // Answered, errors included.
    std::uint64_t errors = 0;       // Refused: 400 and the like.
    std::uint64_t connections = 0;  // Accepted.
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
};

/// What the connections of one shard share. \affinity owner shard
struct HttpShared {
    HttpLimits limits;
    HttpHandler& handler;  // Borrows: it outlives the server.
    HttpStats stats = {};
    HttpDate date = {};
    bool stopping = false;  // Every answer is the last one of its connection.
};

/// Whether the client wants to go on with this connection after the answer.
bool keeps_alive(const RequestHead& head);

/// \affinity owner shard
class HttpSession {
  public:
    enum class Next : std::uint8_t { more, handle, close };

    /// How much output is collected before it has to be sent.
    static constexpr std::size_t kOutputMax = 64 * 1024;

    explicit HttpSession(HttpShared& shared) noexcept : shared_(shared), parser_(shared.limits) {}

    /// Answers the complete requests at the front of `input`, takes them off it and appends the answers to
    /// `output`, until one needs a coroutine or the output is long enough.
    /// \param input what has been received and not taken; an unfinished request stays in it and is
    ///        shown again, with more behind it
    Next advance(std::string_view& input, ByteBuffer& output);

    // After Next::handle, until `finish_request`.

    RequestHead& head() noexcept { return parser_.head(); }
    /// How much of the input is the head.
    std::size_t head_bytes() const noexcept { return parser_.head_bytes(); }
    const Framing& framing() const noexcept { return framing_; }
    AnswerMode& mode() noexcept { return mode_; }
    /// The request has been answered: ready for the next head.
    void finish_request() noexcept {
        ++shared_.stats.requests;
        parser_.reset();
    }
    /// Forgets an unfinished head: for another connection.
    void reset() noexcept { parser_.reset(); }

    /// Answers with an error instead. The connection is not used any further: nobody knows where the next
    /// request would begin.
    Next refuse(int status, std::string_view text, ByteBuffer& output);

  private:
    bool answer_at_once(std::string_view& input, ByteBuffer& output);
    bool unknown_expectation() noexcept;

    HttpShared& shared_;
    RequestParser parser_;
    Framing framing_;
    AnswerMode mode_;
};

}  // namespace starling
