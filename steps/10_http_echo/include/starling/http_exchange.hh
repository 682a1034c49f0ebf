// HttpExchange: one request and its answer, as a handler sees them; HttpHandler: what a server's
// user writes.
//
//     answer(x)   everything is here and nothing has to be waited for: the fast way
//     handle(x)   a coroutine: reads the body piece by piece, waits for what it likes
//
// The server asks `answer` first, if the whole request is in memory. A handler that says no, or a
// body that is still under way, leads to `handle`. Either answers once:
//
//     x.send(404, "text/plain", "there is no such thing\n");           all of it, or
//     x.begin(200, "text/plain", {}); co_await x.write(piece); …       piece by piece
//
//     HTTP/1.1 200 OK␍␊
//     Date: Sun, 06 Nov 1994 08:49:37 GMT␍␊        formatted once a second, copied otherwise
//     Content-Type: text/plain␍␊
//     Content-Length: 5␍␊                          or Transfer-Encoding: chunked
//     ␍␊
//     hello
//
// Affinity: owner shard. Source: RFC 9110 sections 6.6, 8.6 and 15; RFC 9112 sections 4, 6.3
// and 7.1.
#pragma once

#include <ctime>
#include <starling/http_body.hh>
#include <starling/http_parser.hh>
#include <starling/tcp_stream.hh>
#include <string>

namespace starling {

/// Counters since the start. \affinity owner shard
struct HttpStats {
    std::uint64_t requests = 0;     ///< Answered, errors included.
    std::uint64_t errors = 0;       ///< Of these 400 and the like, and 500.
    std::uint64_t connections = 0;  ///< Accepted.
    std::uint64_t bytes_in = 0;     ///< Of requests, once they are taken.
    std::uint64_t bytes_out = 0;    ///< Of answers, once they are sent.
};

/// "Sun, 06 Nov 1994 08:49:37 GMT", formatted only when the second has changed. Valid until the
/// next call on this thread. \affinity any thread
std::string_view http_date(std::time_t now);

class HttpHandler;

/// \cond
/// What the connections of one shard share. \affinity owner shard
struct HttpShared {
    /// From the begin of this turn on: exact enough for a deadline, and free.
    static TimePoint after(Duration delay) {
        return later(service<TimerService>("http").now(), delay);
    }

    HttpLimits limits;      ///< The same for every connection.
    HttpHandler& handler;   ///< Borrows: it outlives the server.
    HttpStats stats = {};   ///< Of all connections, ended ones included.
    bool stopping = false;  ///< Every answer is the last one of its connection.
};
/// \endcond

/// One request and its answer. \affinity owner shard
class HttpExchange {
  public:
    /// No request yet. \param shared Borrows: it outlives this
    explicit HttpExchange(HttpShared& shared) noexcept : shared_(shared), parser_(shared.limits) {}
    HttpExchange(const HttpExchange&) = delete;

    // The request. It lives until the handler returns.

    /// The request line and the fields.
    const RequestHead& head() const noexcept { return parser_.head(); }
    /// In `HttpHandler::answer`: the whole body.
    std::string_view body() const noexcept { return whole_body_; }
    /// How long the body is; none if it is chunked.
    std::optional<std::uint64_t> length() const noexcept { return length_; }
    /// In `HttpHandler::handle`: the next piece of the body, valid until the next call; empty at
    /// the end.
    /// \throws HttpError if it is malformed, too long or too slow; std::system_error
    Task<std::string_view> read();

    // The answer. All texts are copied.

    /// Answers. \param fields further ones, each ending with CR LF
    void send(int status, std::string_view content_type, std::string_view body,
              std::string_view fields = {});
    /// Answers with a body that follows in pieces. When a piece has been sent no error can be told
    /// any more: if the handler throws, or the rest of the request's body is refused, the
    /// connection is cut off, with what has not been sent. So read first what may be refused.
    /// \param length the body's; none if it is not known, which means chunked for an HTTP/1.1
    /// client and "until the connection ends" for an older one
    void begin(int status, std::string_view content_type, std::optional<std::uint64_t> length,
               std::string_view fields = {});
    /// The next piece; waits while the client does not read. \pre begin
    /// \throws std::length_error if that is more than announced; std::system_error, TimedOut
    Task<> write(std::string_view data);

  private:
    friend class HttpSession;

    // How much output is collected before it has to be sent.
    static constexpr std::size_t kOutputMax = 64 * 1024;
    static constexpr std::size_t kSent = std::string::npos;

    // Lets go of the input that was taken, and adds what has been received since. What is in one
    // piece stays where the kernel put it; only what is split is copied together. \return whether
    // there is more
    bool refill();
    // Sends the output. \throws TimedOut, std::system_error
    Task<> flush();

    HttpShared& shared_;           // Borrows: the server's.
    TcpStream* stream_ = nullptr;  // Borrows: the connection's, while this is at work for it.
    RequestParser parser_;         // Of the head at the front of the input.
    // Received and not taken: the stream's own bytes, or those in carry_.
    std::string_view input_;
    std::size_t shown_ = 0;  // The input's size at the last `refill`.
    std::string carry_;      // Input that is split between two buffers, put together.
    std::string output_;     // Answers that have not been sent.
    bool sending_ = false;   // Or that has failed, and nobody knows what the client has got.

    // Of the request at hand.
    std::optional<std::uint64_t> length_ = 0;  // See `length`.
    std::string_view whole_body_;              // See `body`.
    std::string head_copy_;          // For `handle`: the input goes while the body is read.
    BodyDecoder body_;               // For `handle`: finds the pieces in the input.
    bool expects_continue_ = false;  // The client waits for a word before it sends the body.
    bool begun_ = false;             // The head of the answer has been written.
    // Where in the output it begins, as long as nothing of it has been sent: another answer can
    // take its place.
    std::size_t answer_at_ = kSent;
    bool bodiless_ = false;  // The answer has no body, whatever is written: to HEAD, or a 204.
    bool chunked_ = false;   // The answer's body is sent in chunks.
    // What is left to write of a body whose length was announced; none if it was not.
    std::optional<std::uint64_t> announced_;
    bool keep_alive_ = true;  // The connection goes on after the answer.
};

/// Answers requests: what a server's user writes. \affinity owner shard: each shard has its own
class HttpHandler {
  public:
    virtual ~HttpHandler() = default;

    /// Answers at once and returns true, or returns false: then `handle` is asked.
    virtual bool answer(HttpExchange& exchange) { return (void)exchange, false; }
    /// Answers. \param exchange lives until the task has ended
    /// \throws HttpError to refuse; any other std::exception is answered with 500
    virtual Task<> handle(HttpExchange& exchange) = 0;
};

}  // namespace starling
