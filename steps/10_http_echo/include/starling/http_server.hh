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

#include <starling/http_connection.hh>
#include <starling/tcp_listener.hh>

namespace starling {

/// Where a server listens, and what it accepts.
struct HttpServerOptions {
    SocketAddress address = SocketAddress::loopback();  ///< Port 0, as here: any free one.
    bool reuse_port = false;                            ///< Several shards listen on `address`.
    HttpLimits limits = {};                             ///< For each of its connections.
};

/// One shard's share of a server. \affinity owner shard
class HttpServer {
  public:
    /// Listens, and serves from the next turn on. \param handler Borrows: it outlives the server
    /// \throws std::system_error, for example if the address is taken
    HttpServer(HttpHandler& handler, const HttpServerOptions& options);
    /// \pre stopped
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    /// Where it listens, with the port that was chosen.
    SocketAddress local_address() const { return listener_.local_address(); }
    /// What its connections have come to so far, on this shard.
    const HttpStats& stats() const noexcept { return shared_.stats; }
    /// Connections that are open now.
    std::size_t open_connections() const noexcept { return shared_.open.count(); }

    /// Stops gracefully, see above. Runs to its end even if its task is stopped. Once.
    Task<> stop();

  private:
    Task<> accept_loop();
    void begin(TcpStream stream);
    template <class Act>
    void each_connection(Act act);

    HttpConnections shared_;
    TcpListener listener_;
    JoinHandle<void> accepting_;
};

}  // namespace starling
