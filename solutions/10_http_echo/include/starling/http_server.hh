// HttpServer: one shard's share of a server: a listener, and a task per connection.
//
//     shard 0: HttpServer ── listener ─┐
//     shard 1: HttpServer ── listener ─┴─ one address (SO_REUSEPORT); the kernel picks
//
// Stopping is graceful: no new connections; what is idle is closed; who is being answered gets the
// whole answer, with "Connection: close". After the grace period whatever is left is cut off.
//
// Affinity: owner shard. `Sharded<HttpServer>` puts one on every shard.
#pragma once

#include <functional>
#include <memory>
#include <starling/gate.hh>
#include <starling/http_session.hh>
#include <starling/tcp_listener.hh>
#include <vector>

namespace starling {

/// \cond
class HttpConnection;

/// The connections of one shard, and what they share. \affinity owner shard
struct HttpConnections : HttpShared {
    IntrusiveList<HttpConnection> all = {};  ///< Begun; oldest first.
    Gate open = {};                          ///< Counts all there are.
    /// The sessions that no connection needs. The one that was used last goes out first: it is
    /// still in the cache.
    std::vector<std::unique_ptr<HttpSession>> free_sessions = {};
};

/// One client, from its first byte to its last: a callable that is spawned.
///
///     idle ──bytes──► at work: an HttpSession ──nothing left──► idle
///       │                 └─ the last answer, or an error ──► half-close, wait for its end
///       └─ too long, or the server stops ──► close
///
/// Idle it owns no buffer and no parser: what is needed only at work is an HttpSession, borrowed
/// from the shard's. \affinity owner shard
class HttpConnection final : public ListLink {
  public:
    /// \param shared Borrows: it outlives this \throws GateClosed
    HttpConnection(HttpConnections& shared, TcpStream stream)
        : shared_(shared), inside_(shared.open.hold()), stream_(std::move(stream)) {}
    HttpConnection(HttpConnection&&) = default;
    ~HttpConnection() {
        if (linked()) unlink();
    }

    /// Answers requests until either side ends. This is not moved any more. \throws nothing but
    /// Cancelled
    Task<> operator()();

    /// The server stops: if this is between two requests, it ends as soon as it has looked once
    /// more.
    void end_if_idle() {
        if (session_ == nullptr && context_ != nullptr) wait_for(Duration::zero());
    }

    /// Cuts it off, whatever it does. \pre it has begun
    void abort() {
        if (context_ == nullptr) return wait_for(Duration::zero());
        context_->request_stop();
    }

  private:
    static constexpr std::size_t kFreeMax = 256;  // Sessions.
    void wait_for(Duration time) { stream_.set_read_deadline(shared_.after(time)); }

    HttpConnections& shared_;  // Borrows: the server's.
    Gate::Holder inside_;
    TcpStream stream_;
    Context* context_ = nullptr;            // Borrows: the task's. Null: it has only to be closed.
    std::unique_ptr<HttpSession> session_;  // Null: idle, or ending.
};

/// \endcond

/// Where a server listens, and what it accepts.
struct HttpServerOptions {
    SocketAddress address = SocketAddress::loopback();  ///< Port 0, as here: any free one.
    bool reuse_port = false;                            ///< Several shards listen on `address`.
    HttpLimits limits = {};                             ///< For each of its connections.
    /// Called when it can accept nobody any more. It is still to be stopped: `stop` throws why.
    std::function<void()> on_failure = {};
};

/// One shard's share of a server. \affinity owner shard
class HttpServer {
  public:
    /// Listens, and serves from the next turn on. \param handler Borrows: it outlives the server
    /// \throws std::system_error, for example if the address is taken
    HttpServer(HttpHandler& handler, const HttpServerOptions& options);
    /// \pre stopped
    ~HttpServer();

    /// Where it listens, with the port that was chosen.
    SocketAddress local_address() const { return listener_.local_address(); }
    /// What its connections have come to so far, on this shard.
    const HttpStats& stats() const noexcept { return shared_.stats; }
    /// Connections that are open now.
    std::size_t open_connections() const noexcept { return shared_.open.count(); }

    /// Stops gracefully, see above. Runs to its end even if its task is stopped. Once.
    /// \throws what had ended its accepting before, if anything has: see `on_failure`
    Task<> stop();

  private:
    Task<> serve(std::function<void()> on_failure);
    Task<> accept_loop();
    void begin(TcpStream stream);
    template <class Act>
    void each_connection(Act act);

    HttpConnections shared_;
    TcpListener listener_;
    JoinHandle<void> accepting_;
};

}  // namespace starling
