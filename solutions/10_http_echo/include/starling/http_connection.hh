// HttpConnection: one client, from its first byte to its last.
//
//     idle ──bytes──► at work: an HttpSession ──nothing left──► idle
//       │                 └─ the last answer, or an error ──► half-close, wait for the client's end
//       └─ too long, or the server stops ──► close
//
// An idle connection owns no buffer and no parser: what is needed only at work is an HttpSession,
// borrowed from the shard's.
//
// Affinity: owner shard.
#pragma once

#include <memory>
#include <starling/gate.hh>
#include <starling/http_session.hh>
#include <starling/intrusive_list.hh>
#include <starling/tcp_stream.hh>
#include <vector>

namespace starling {

class HttpConnection;

/// The connections of one shard, and what they share. \affinity owner shard
struct HttpConnections : HttpShared {
    IntrusiveList<HttpConnection> all = {};  ///< Begun, and not about to end; oldest first.
    Gate open = {};                          ///< Counts all there are.
    /// The sessions that no connection needs. The one that was used last goes out first: it is
    /// still in the cache.
    std::vector<std::unique_ptr<HttpSession>> free_sessions = {};
};

/// A callable that is spawned. \affinity owner shard
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
        if (session_ == nullptr) wait_for(Duration::zero());
    }

    /// Cuts it off, whatever it does. \pre it has begun
    void abort() noexcept { context_->request_stop(); }

  private:
    static constexpr std::size_t kFreeMax = 256;  // Sessions.
    void wait_for(Duration time) {
        stream_.set_read_deadline(service<TimerService>("http").now() + time);
    }

    HttpConnections& shared_;  // Borrows: the server's.
    Gate::Holder inside_;
    TcpStream stream_;
    Context* context_ = nullptr;            // Borrows: the task's.
    std::unique_ptr<HttpSession> session_;  // Null: idle.
};

}  // namespace starling
