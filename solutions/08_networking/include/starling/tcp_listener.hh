// TcpListener: where connections come from.
//
//     kernel ──► accept stream (one request, many connections) ──► backlog ──► accept()
//
// `accept` takes a connection only when it returns it: one that is stopped has taken nothing. When
// the process or the machine has no descriptors left, it pauses instead of asking again at once,
// which would keep the processor busy with being refused.
//
// Several shards may listen on one address with `reuse_port`: the kernel spreads the connections.
//
// Affinity: owner shard.
#pragma once

#include <starling/tcp_stream.hh>
#include <vector>

namespace starling {

/// How to listen.
struct ListenOptions {
    int backlog = 4096;       ///< Connections that wait in the kernel; it has a limit of its own.
    bool reuse_port = false;  ///< Share the address with other listeners that say the same.
    bool nodelay = true;      ///< Inherited by the connections.
};

/// A socket that listens. \affinity owner shard
class TcpListener {
  public:
    /// How long `accept` pauses when descriptors or memory have run out.
    static constexpr Duration kPause = std::chrono::milliseconds(50);

    /// Listens on `address`, also while old connections linger there; port 0 is a free one, a Unix
    /// path must not exist yet.
    /// \throws std::system_error; std::logic_error where there is no driver
    static TcpListener bind(const SocketAddress& address, ListenOptions options = {});

    /// The next connection. One task at a time. \throws Cancelled, std::system_error
    Task<TcpStream> accept();
    /// A connection that has been accepted already, or one that is not valid. \pre not closed
    TcpStream try_accept();
    /// A connection that nobody wanted after all, as it is: the next accept returns it.
    /// \pre not closed; nobody waits in `accept`, or on the connection
    void give_back(TcpStream connection) { given_back_.push_back(std::move(connection)); }

    /// Closes, with the connections that nobody has accepted. \pre no accept waits
    CloseOp close() noexcept;

    /// Where it listens. \throws std::system_error
    SocketAddress local_address() const { return SocketAddress::local_of(fd_.get()); }

  private:
    explicit TcpListener(IoFd fd) : fd_(std::move(fd)), stream_(fd_) {}

    IoFd fd_;
    AcceptStream stream_;
    std::vector<TcpStream> given_back_;
};

}  // namespace starling
