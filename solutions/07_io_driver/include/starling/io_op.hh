// IoOp: an operation that waits for completions; and the one-shot operations: accept, connect,
// recv, send, recvmsg, sendmsg, poll, close.
//
//     std::size_t n = co_await RecvOp(fd, buffer);      // 0: the peer has ended its stream
//
//     idle ──submit──► in flight ──completion with more──► in flight
//      ▲                   └───────last completion─────────► idle
//      └── it may be destroyed here, and only here
//
// Stopping one submits a cancel and then *waits*: the kernel owns the buffer until the last
// completion. Whatever that completion says counts: if the kernel was faster, the operation has
// succeeded and returns its value.
//
//     stop requested?  result     stopped()  finish()
//     no               ≥ 0        false      the value
//     no               -errno     false      throws std::system_error that names the operation
//     yes              ≥ 0        false      the value: a success beats a stop
//     yes              -ECANCELED true       throws Cancelled
//     yes              -errno     false      throws std::system_error
//
// Affinity: owner shard.
#pragma once

#include <cassert>
#include <span>
#include <starling/intrusive_list.hh>
#include <starling/io_fd.hh>
#include <starling/operation.hh>

struct msghdr;
struct sockaddr;

namespace starling {

/// The part of an operation that drivers see. \affinity owner shard
class IoOp : public ListLink {
  public:
    /// What it works on. \pre in flight, or the IoFd is there
    detail::FdState& fd() const noexcept { return *fd_; }
    /// What the kernel is asked to do.
    const IoRequest& request() const noexcept { return request_; }
    /// Submitted, and the last completion has not come.
    bool in_flight() const noexcept { return in_flight_; }
    /// Asked to end early, and the last completion has not come.
    bool cancelling() const noexcept { return cancelling_; }

    std::uint64_t key = 0;  ///< The driver's name for it while the kernel has it: `user_data`.

  protected:
    /// \param size at most 1 GiB is asked for at once; the result says how much it was
    IoOp(IoFd& fd, IoCode code, const void* data = nullptr, std::size_t size = 0,
         int flags = 0) noexcept;
    IoOp(IoOp&&) noexcept = default;
    ~IoOp() { assert(!in_flight_ && "an operation was destroyed while the kernel knew it"); }

    /// A completion, from the driver's `poll`. After the last one (`more` is false) the operation
    /// is no longer in flight: this may submit it again or destroy it.
    virtual void complete(const IoCompletion& completion) noexcept = 0;

    /// Occupies its slot of the descriptor and goes to the driver. \pre not in flight
    void submit();
    /// Asks the driver to end it early. The last completion still comes. Idempotent.
    void cancel();
    /// Whether the driver could do it on the spot; then `result` is set.
    bool try_now(int& result);

  private:
    friend class Driver;
    friend struct detail::FdState;
    IoRequest request_;
    detail::FdState* fd_;  // Borrows: alive while this is in flight.
    bool in_flight_ = false;
    bool cancelling_ = false;
};

/// What the one-shot operations share. \affinity owner shard
class OneShotOp : public IoOp, private StopNode {
  public:
    /// Whether it has ended, or could be done on the spot.
    bool ready() { return done_ || (done_ = try_now(result_)); }
    /// Submits it; `c` is posted after the last completion.
    void start(Continuation& c);
    /// Whether it ended because it was stopped: see the table above.
    bool stopped() const noexcept;
    /// How many bytes; 0 where it is not about bytes. \throws Cancelled, std::system_error
    std::size_t finish();

    /// Ends it early, as a stop of its context does. Idempotent. \pre started
    void stop() noexcept { on_stop(*this); }

  protected:
    /// \param fd valid, until this is started
    /// \param request code, data, size and flags, as IoOp takes them
    template <class... Request>
    explicit OneShotOp(IoFd& fd, Request... request) noexcept
        : IoOp(fd, request...), StopNode(&on_stop) {}
    OneShotOp(OneShotOp&&) noexcept = default;
    int result_ = -1;  ///< ≥ 0 or -errno; negative until it has ended.

  private:
    void complete(const IoCompletion& completion) noexcept override;
    static void on_stop(StopNode& node) noexcept;

    Continuation* waiter_ = nullptr;  // Borrows: it owns this operation.
    bool done_ = false;
    bool stop_requested_ = false;
};

/// Takes a connection from a listening socket. One that nobody takes from here is closed.
struct AcceptOp final : OneShotOp {
    /// \param listener valid, until this is started
    explicit AcceptOp(IoFd& listener) noexcept : OneShotOp(listener, IoCode::accept) {}
    AcceptOp(AcceptOp&&) noexcept = default;
    ~AcceptOp() { OwnedFd unclaimed(result_); }
    /// \throws Cancelled, std::system_error
    OwnedFd finish() {
        OneShotOp::finish();
        return OwnedFd(std::exchange(result_, -1));
    }
};

/// Connects a socket. \param address Borrows: until the operation has ended.
struct ConnectOp final : OneShotOp {
    /// \param fd a socket, valid until this is started \param size of the address, in bytes
    ConnectOp(IoFd& fd, const sockaddr* address, std::uint32_t size) noexcept
        : OneShotOp(fd, IoCode::connect, address, size) {}
};

/// Receives what is there, at least one byte; 0 is the end of the stream.
/// \param into Borrows: until the operation has ended.
struct RecvOp final : OneShotOp {
    /// \param fd valid, until this is started \param flags MSG_*, as for recv(2)
    RecvOp(IoFd& fd, std::span<std::byte> into, int flags = 0) noexcept
        : OneShotOp(fd, IoCode::recv, into.data(), into.size(), flags) {}
};

/// Sends some of `bytes`: the result may be less than asked.
/// \param bytes Borrows: until the operation has ended.
struct SendOp final : OneShotOp {
    /// \param fd valid, until this is started \param flags MSG_*; MSG_NOSIGNAL is always among them
    SendOp(IoFd& fd, std::span<const std::byte> bytes, int flags = 0) noexcept
        : OneShotOp(fd, IoCode::send, bytes.data(), bytes.size(), flags) {}
};

/// recvmsg(2). \param message Borrows, with all it points to: until the operation has ended.
struct RecvMsgOp final : OneShotOp {
    /// \param fd valid, until this is started \param flags MSG_*
    RecvMsgOp(IoFd& fd, msghdr& message, int flags = 0) noexcept
        : OneShotOp(fd, IoCode::recvmsg, &message, 1, flags) {}
};

/// sendmsg(2). \param message Borrows, with all it points to: until the operation has ended.
struct SendMsgOp final : OneShotOp {
    /// \param fd valid, until this is started \param flags MSG_*; MSG_NOSIGNAL is always among them
    SendMsgOp(IoFd& fd, const msghdr& message, int flags = 0) noexcept
        : OneShotOp(fd, IoCode::sendmsg, &message, 1, flags) {}
};

/// Waits until reading, or writing, would not block.
struct PollOp final : OneShotOp {
    /// What to wait for.
    enum class Direction { read, write };
    /// Takes nothing: to read or to write is another operation. \param fd valid, until this is
    /// started
    PollOp(IoFd& fd, Direction direction) noexcept
        : OneShotOp(fd, direction == Direction::read ? IoCode::poll_read : IoCode::poll_write) {}
};

/// Ends what is in flight, waits for it, closes. Runs to its end whatever is stopped around it.
class CloseOp {
  public:
    static constexpr bool kIgnoresStop = true;  ///< See `ignores_stop`.
    /// Takes the descriptor over.
    explicit CloseOp(IoFd&& fd) noexcept : fd_(std::move(fd)) {}

    /// Whether nothing was in flight, so that it is closed now.
    bool ready();
    /// Asks what is in flight to end; `c` is posted when it has, and the descriptor is closed.
    void start(Continuation& c);
    /// Never.
    bool stopped() const noexcept { return false; }
    /// There is no result.
    void finish() const noexcept {}

  private:
    IoFd fd_;
};

inline CloseOp IoFd::close() noexcept { return CloseOp(std::move(*this)); }

}  // namespace starling
