// HttpSession: the protocol of a connection that is at work: one exchange after the other.
//
//     received bytes ──► advance() ──► output
//                           │
//                           ├─ more    send; then receive more, if anything comes
//                           ├─ handle  the request at the front needs a coroutine
//                           └─ close   send; then the connection ends
//
// Everything that can be decided about HTTP without waiting is decided in `advance`, so it can be
// tested by calling a function. It answers as many pipelined requests as it finds before anything
// is sent: their answers leave in one system call. `work` does the waiting.
//
// Affinity: owner shard.
#pragma once

#include <starling/http_exchange.hh>

namespace starling {

/// Whether the client wants to go on with this connection after the answer.
bool keeps_alive(const RequestHead& head);

/// What is needed of a connection while it is at work. \affinity owner shard
class HttpSession final : public HttpExchange {
  public:
    /// What is to be done after `advance`: see the top of this file.
    enum class Next : std::uint8_t { more, handle, close };
    /// At work for nobody yet.
    using HttpExchange::HttpExchange;
    using HttpExchange::kOutputMax;

    /// Answers what `stream` has and what follows at once, until nothing is left to do.
    /// \param stream Borrows: until the task has ended
    /// \return whether the connection goes on: if not, it ends in an orderly way
    /// \throws std::system_error, TimedOut, Cancelled: it is to be cut off
    Task<bool> work(TcpStream& stream);

    // The protocol, without input and output.

    /// Answers the complete requests at the front of the input and takes them off it, until one
    /// needs a coroutine or the output is long enough. An unfinished request stays in the input.
    Next advance();
    /// Answers with what was thrown instead. The connection is not used any further: nobody knows
    /// where the next request would begin.
    Next refuse(const std::exception& error);
    /// The request has been answered: ready for the next head.
    void finish_request() noexcept;
    /// Forgets an unfinished request, and gives back most of its memory.
    void reset() noexcept;

    /// What `advance` looks at. Borrows: until it is taken, or shown anew.
    void show(std::string_view input) noexcept { input_ = input; }
    /// What `advance` has not taken.
    std::string_view input() const noexcept { return input_; }
    /// The answers so far; whoever sends them clears it.
    std::string& output() noexcept { return output_; }
    /// How much of the input is the head. \pre after Next::handle
    std::size_t head_bytes() const noexcept { return parser_.head_bytes(); }

  private:
    static constexpr std::size_t kDiscardBytes = 64 * 1024;  // Of a body that nobody has read.
    static constexpr std::size_t kKeptBytes = 16 * 1024;     // Of a buffer that nobody uses.

    void begin_request();
    bool answer_at_once();
    void end_answer();
    bool idle();
    Task<bool> receive_head();
    Task<bool> handle();

    bool head_awaited_ = false;  // The deadline of the head at the front of the input is set.
};

}  // namespace starling
