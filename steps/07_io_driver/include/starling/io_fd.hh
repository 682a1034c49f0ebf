// IoFd: a file descriptor that a driver knows. What a socket owns.
//
//     TcpStream ── IoFd ──► FdState { fd, reader, writer }
//                                        │       └─ the send, connect … in flight, if any
//                                        └─ the recv, accept … or stream in flight, if any
//
// Operations never hold a bare number: the number 7 is soon another connection's. One operation at
// a time may read and one may write.
//
// Closing: the number is given back only when nothing in flight can still use it. Destroying an
// IoFd starts that and does not wait; awaiting `close()` does.
//
// Affinity: IoFd owner shard; OwnedFd any thread.
#pragma once

#include <memory>
#include <starling/continuation.hh>
#include <starling/frame_pool.hh>
#include <starling/kernel.hh>
#include <utility>

namespace starling {

class CloseOp;
class Driver;
class IoOp;

/// A bare descriptor and the duty to close it: what accept returns, what an IoFd is made of.
/// \affinity any thread
class OwnedFd {
  public:
    /// Holds none.
    OwnedFd() = default;
    /// Takes `fd` over, unless it is negative.
    explicit OwnedFd(int fd) noexcept : fd_(fd) {}
    /// `other` holds none afterwards.
    OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
    /// What this held before is closed.
    OwnedFd& operator=(OwnedFd other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~OwnedFd();

    /// The number; negative if there is none.
    int get() const noexcept { return fd_; }
    /// Whether there is one.
    bool valid() const noexcept { return fd_ >= 0; }
    /// Gives the duty away.
    int release() noexcept { return std::exchange(fd_, -1); }

  private:
    int fd_ = -1;  // Owns.
};

namespace detail {

/// A descriptor and what is in flight on it. It outlives its IoFd until the last completion.
/// \affinity owner shard
struct FdState : Pooled {
    FdState(Driver& driver_, OwnedFd fd_) noexcept : driver(driver_), fd(std::move(fd_)) {}

    /// Where an operation with this code has its place.
    IoOp*& slot(IoCode code) noexcept { return is_write(code) ? writer : reader; }
    /// Asks what is in flight to end; closes and frees as soon as it has.
    void begin_close() noexcept;
    /// Closes and frees, if it is to be closed and nothing is in flight.
    void end_close() noexcept;

    Driver& driver;
    OwnedFd fd;
    IoOp* reader = nullptr;          // Borrows: until its last completion.
    IoOp* writer = nullptr;          // Borrows: until its last completion.
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
    detail::FdState& state() const noexcept { return *state_; }

    /// shutdown(2): ends one direction or both, at once. An error is returned as -errno.
    int shutdown(int how) noexcept;

    /// `co_await fd.close()` (see io_op.hh): cancels what is in flight, waits for its last
    /// completion, closes. Not valid afterwards.
    CloseOp close() noexcept;

  private:
    friend class CloseOp;
    struct Close {
        void operator()(detail::FdState* state) const noexcept { state->begin_close(); }
    };
    std::unique_ptr<detail::FdState, Close> state_;
};

}  // namespace starling
