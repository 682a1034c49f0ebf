// IoFd, a descriptor that a driver knows; IoOp, an operation on one; and the one-shot operations:
// accept, connect, recv, send, recvmsg, sendmsg, poll, close.
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
//     TcpStream ── IoFd ──► FdState { fd, what reads, what writes }     at most one of each
//
// Operations never hold a bare number: the number 7 is soon another connection's. It is given back
// only when nothing in flight can still use it. Destroying an IoFd starts that and does not wait;
// awaiting `close()` does.
//
// Affinity: owner shard.
#pragma once

#include <sys/socket.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <memory>
#include <span>
#include <starling/frame_pool.hh>
#include <starling/intrusive_list.hh>
#include <starling/kernel.hh>
#include <starling/operation.hh>

namespace starling {

class CloseOp;
class Driver;
class IoOp;

namespace detail {

/// A descriptor and what is in flight on it. It outlives its IoFd until the last completion.
/// \affinity owner shard
struct FdState : Pooled {
    /// Where an operation with this code has its place.
    IoOp*& slot(IoCode code) noexcept { return ops[is_write(code) ? 1 : 0]; }
    /// Whether something reads, or writes.
    bool busy() const noexcept { return ops[0] != nullptr || ops[1] != nullptr; }
    /// Closes and frees, if it is to be closed and nothing is in flight.
    void end_close() noexcept;

    Driver& driver;
    OwnedFd fd;
    IoOp* ops[2] = {};               // Borrows: until its last completion. One reads, one writes.
    Continuation* closer = nullptr;  // Borrows: who waits for the close.
    bool closing = false;
};

}  // namespace detail

/// A descriptor that a driver knows. Move-only. \affinity owner shard
class IoFd {
  public:
    /// Holds none.
    IoFd() = default;
    /// Takes `fd` over and sets it to the blocking mode that the driver needs.
    /// \throws std::system_error if the driver cannot watch it
    IoFd(Driver& driver, OwnedFd fd);

    /// Whether there is a descriptor.
    bool valid() const noexcept { return state_ != nullptr; }
    /// The number, for getsockopt and the like; -1 if not valid. It stays this IoFd's.
    int get() const noexcept { return valid() ? state_->fd.get() : -1; }
    /// Who knows it. \pre valid()
    Driver& driver() const noexcept { return state_->driver; }
    /// For operations. \pre valid()
    detail::FdState& state() const noexcept {
        assert(valid() && "an operation on a descriptor that was closed");
        return *state_;
    }

    /// shutdown(2): ends one direction or both, at once. An error is returned as -errno.
    int shutdown(int how) noexcept { return ::shutdown(get(), how) == 0 ? 0 : -errno; }

    /// `co_await fd.close()`: cancels what is in flight, waits for its last
    /// completion, closes. Not valid afterwards.
    CloseOp close() noexcept;

  private:
    friend class CloseOp;
    /// Asks what is in flight to end; closes and frees as soon as it has.
    struct Close {
        void operator()(detail::FdState* state) const noexcept;
    };
    std::unique_ptr<detail::FdState, Close> state_;
};

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
         int flags = 0) noexcept
        : request_{.code = code,
                   .fd = fd.get(),
                   .flags = flags,
                   .size = static_cast<std::uint32_t>(std::min<std::size_t>(size, 1U << 30)),
                   .data = const_cast<void*>(data)},
          fd_(&fd.state()) {}
    IoOp(IoOp&&) noexcept = default;
    ~IoOp() { assert(!in_flight_ && "an operation was destroyed while the kernel knew it"); }

    /// A completion, from the driver's `poll`. After the last one (`more` is false) the operation
    /// is no longer in flight: this may submit it again or destroy it.
    virtual void complete(const IoCompletion& completion) noexcept = 0;

    /// Occupies its slot of the descriptor and goes to the driver. \pre not in flight
    void submit();
    /// Asks the driver to end it early. The last completion still comes. Idempotent.
    void cancel();
    /// Has the kernel do it on the spot. -EAGAIN: it was not done.
    int try_now() noexcept;

  private:
    friend class Driver;
    friend class IoFd;
    IoRequest request_;
    detail::FdState* fd_;  // Borrows: alive while this is in flight.
    bool in_flight_ = false;
    bool cancelling_ = false;
};

/// What the one-shot operations share. \affinity owner shard
class OneShotOp : public IoOp, public StoppableWait<OneShotOp> {
  public:
    /// Whether it has ended, or could be done on the spot.
    bool ready() noexcept {
        if (result_ == kPending) result_ = try_now();
        return result_ != kPending;
    }
    /// Submits it; `c` is posted after the last completion.
    void start(Continuation& c) {
        submit();
        wait(c);
    }
    /// Whether it ended because it was stopped: see the table above.
    bool stopped() const noexcept;
    /// How many bytes; 0 where it is not about bytes. \throws Cancelled, std::system_error
    std::size_t finish();

  protected:
    /// \param fd valid, until this is started
    /// \param request code, data, size and flags, as IoOp takes them
    template <class... Request>
    explicit OneShotOp(IoFd& fd, Request... request) noexcept : IoOp(fd, request...) {}
    static constexpr int kPending = -EAGAIN;  ///< It has not ended: as `try_now` says it.
    int result_ = kPending;                   ///< ≥ 0 or -errno.

  private:
    void complete(const IoCompletion& completion) noexcept override;
    friend StoppableWait<OneShotOp>;
    bool withdraw() noexcept;

    bool stop_requested_ = false;
};

/// Takes a connection from a listening socket. One that nobody takes from here is closed.
struct AcceptOp final : OneShotOp {
    /// \param listener valid, until this is started
    explicit AcceptOp(IoFd& listener) noexcept : OneShotOp(listener, IoCode::accept) {}
    /// `other` has no connection any more, if it had one.
    AcceptOp(AcceptOp&& other) noexcept : OneShotOp(std::move(other)) { other.result_ = kPending; }
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

    /// Whether there is nothing to close.
    bool ready() const noexcept { return !fd_.valid(); }
    /// Asks what is in flight to end; `c` is posted when it has, and the descriptor is closed.
    void start(Continuation& c) noexcept {
        fd_.state().closer = &c;
        fd_ = IoFd();  // What was in it goes, which begins the close.
    }
    /// Never.
    bool stopped() const noexcept { return false; }
    /// There is no result.
    void finish() const noexcept {}

  private:
    IoFd fd_;
};

inline CloseOp IoFd::close() noexcept { return CloseOp(std::move(*this)); }

}  // namespace starling
