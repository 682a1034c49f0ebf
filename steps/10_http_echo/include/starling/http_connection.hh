// HttpConnection: one client, from its first byte to its last.
//
//     idle ──bytes──► at work: session ─► answers ─► one send ──nothing left──► idle
//       │                 ├─ part of a head: wait for the rest (one deadline for all of it)
//       │                 ├─ a coroutine is needed: handle, stream the bodies
//       │                 └─ the last answer, or an error ──► half-close, wait for the client's end
//       └─ too long, or the server stops ──► close
//
// An idle connection owns no buffer and no parser: what is needed only at work is an HttpExchange,
// borrowed from the shard's pool. A request that is whole in the kernel's buffer is parsed and
// answered right there; only what is split between two buffers is copied together.
//
// Affinity: owner shard.
#pragma once

#include <memory>
#include <starling/byte_buffer.hh>
#include <starling/http_session.hh>
#include <starling/intrusive_list.hh>
#include <starling/tcp_stream.hh>
#include <vector>

namespace starling {

struct HttpTimeouts {
    Duration head = std::chrono::seconds(10);   // For a whole head, from its first byte. Else 408.
    Duration body = std::chrono::seconds(30);   // For each next piece of a body. Else 408.
    Duration idle = std::chrono::seconds(60);   // Between two requests.
    Duration write = std::chrono::seconds(30);  // For the client to take what is sent.
    Duration linger = std::chrono::seconds(2);  // For the client to end, after the last answer.
};

/// What a connection needs while it is at work.
struct HttpExchange {
    explicit HttpExchange(HttpShared& shared) : session(shared) {}
    HttpSession session;
    ByteBuffer output;        // Answers that have not been sent.
    ByteBuffer carry;         // Input that is split between two buffers, put together.
    bool head_begun = false;  // Part of a head is here, and its deadline is set.

    // Of the request that a coroutine handles.
    ByteBuffer head_bytes;
    BodyDecoder body;
    std::size_t piece_bytes = 0;    // Of the input: what `read` has returned last.
    bool expects_continue = false;  // The client waits for a word before it sends the body.
    bool chunked = false;           // The answer is…
    std::uint64_t announced = 0;    // …or has so many bytes left to write.
};

/// The exchanges of one shard that nobody uses. The one that was used last goes out first: it is still in
/// the cache. \affinity owner shard
class HttpExchangePool {
  public:
    explicit HttpExchangePool(HttpShared& shared) noexcept : shared_(shared) {}
    std::unique_ptr<HttpExchange> take();
    /// Takes it back, but for its output, which takes longer to be sent: that is returned.
    ByteBuffer give_back(std::unique_ptr<HttpExchange> exchange);
    /// Takes back the memory of an output that has been sent.
    void give_back(ByteBuffer output) noexcept;

  private:
    static constexpr std::size_t kFreeMax = 256;
    static constexpr std::size_t kBytesMax = 16 * 1024;  // Kept of each buffer.
    HttpShared& shared_;  // Borrows: the server's.
    std::vector<std::unique_ptr<HttpExchange>> exchanges_;
    std::vector<ByteBuffer> outputs_;
};

/// \affinity owner shard
class HttpConnection final : public ListLink, private BodySource, private BodyWriter {
  public:
    /// \param context Borrows: of the task that calls `serve`
    HttpConnection(HttpShared& shared, const HttpTimeouts& timeouts, HttpExchangePool& exchanges,
                   TcpStream stream, Context& context) noexcept
        : shared_(shared),
          timeouts_(timeouts),
          exchanges_(exchanges),
          context_(context),
          stream_(std::move(stream)) {}
    ~HttpConnection() {
        if (linked()) unlink();
    }

    /// Answers requests until either side ends. \throws nothing but Cancelled
    Task<> serve();

    /// The server stops: if this is between two requests, it ends as soon as it has looked once more.
    void end_if_idle() {
        if (exchange_ == nullptr) stream_.set_read_deadline(after(Duration::zero()));
    }

    /// Cuts it off, whatever it does.
    void abort() noexcept { context_.request_stop(); }

  private:
    static constexpr std::size_t kFlushBytes = 16 * 1024;    // Of a streamed body.
    static constexpr std::size_t kDiscardBytes = 64 * 1024;  // Of a body that the handler left unread.

    HttpSession::Next advance();
    Task<bool> work(HttpSession::Next next);
    Task<bool> receive_head(bool begun);
    Task<bool> handle();
    Task<Response> ask_handler(Request& request);
    Task<> send_response(Response& response);
    Task<bool> discard_body();
    Task<> receive_body();
    Task<> send(ByteBuffer& output);
    Task<std::string_view> read() override;
    Task<> write(std::string_view data) override;

    /// What has been received and not consumed, as far as it is in one piece.
    std::string_view input() const noexcept {
        return exchange_->carry.empty() ? stream_.buffered() : exchange_->carry.view();
    }
    void consume(std::size_t bytes) noexcept {
        shared_.stats.bytes_in += bytes;
        exchange_->carry.empty() ? stream_.consume(bytes) : exchange_->carry.consume(bytes);
    }
    /// Makes `input` longer by what has been received. \return whether there was anything
    bool extend_input();
    /// From the begin of this turn on: exact enough for a deadline, and free.
    TimePoint after(Duration delay) const { return service<TimerService>("http").now() + delay; }

    HttpShared& shared_;            // Borrows: the server's.
    const HttpTimeouts& timeouts_;  // Borrows: the server's.
    HttpExchangePool& exchanges_;   // Borrows: the server's.
    Context& context_;              // Borrows: the task's.
    TcpStream stream_;
    std::unique_ptr<HttpExchange> exchange_;  // Null: idle.
};

}  // namespace starling
