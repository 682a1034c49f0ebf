// IoFd: a file descriptor that a driver knows. What a socket owns.
//
//     TcpStream ── IoFd ──► FdState { fd, read slot, write slot, key } ◄── driver
//                                        │          └─ the send, connect … in flight, if any
//                                        └─ the recv, accept … or stream in flight, if any
//
// The kernel and the driver never get a bare number: the number 7 is soon another connection's. One
// operation at a time may read and one may write.
//
// Closing: the number is given back only when nothing in flight can still use it. Destroying an IoFd
// starts that and does not wait; awaiting `close()` does.
//
// Affinity: IoFd owner shard; OwnedFd any thread.
#pragma once

#include <cstdint>
#include <starling/continuation.hh>
#include <starling/frame_pool.hh>
#include <utility>

namespace starling {

class CloseOp;
class Driver;
class IoOp;

/// A bare descriptor and the duty to close it: what accept returns, what an IoFd is made of.
/// \affinity any thread
class OwnedFd {
  public:
    OwnedFd() = default;
    explicit OwnedFd(int fd) noexcept : fd_(fd) {}
    OwnedFd(OwnedFd&& other) noexcept : fd_(other.release()) {}
    OwnedFd& operator=(OwnedFd other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~OwnedFd();

    int get() const noexcept { return fd_; }
    bool valid() const noexcept { return fd_ >= 0; }
    int release() noexcept { return std::exchange(fd_, -1); }

  private:
    int fd_ = -1;  // Owns.
};

namespace detail {

/// What the driver keeps of a descriptor. It outlives its IoFd until the last completion.
/// \affinity owner shard
struct FdState : Pooled {
    FdState(Driver& driver_, int fd_) noexcept : driver(&driver_), fd(fd_) {}
    FdState(const FdState&) = delete;

    /// Asks what is in flight to end; closes and frees as soon as it has.
    void begin_close() noexcept;
    /// Closes and frees, if it is to be closed and nothing is in flight. \return whether it has
    bool end_close() noexcept;

    Driver* driver;
    std::uint64_t key = 0;     // The readiness drivers' name for it, with its generation.
    IoOp* reader = nullptr;    // Borrows: until its last completion.
    IoOp* writer = nullptr;    // Borrows: until its last completion.
    Continuation* closer = nullptr;  // Borrows: who waits for the close.
    int fd;                    // Owns.
    bool readable = true;      // For readiness drivers: false after "would block", until an event.
    bool writable = true;
    bool hung_up = false;      // The peer has ended its stream: a short read may have more behind it.
    bool connecting = false;   // For readiness drivers: connect was called and is under way.
    bool closing = false;
};

}  // namespace detail

/// \affinity owner shard
class IoFd {
  public:
    IoFd() = default;
    /// Takes `fd` over and sets it to the blocking mode that the driver needs.
    /// \throws std::system_error if the driver cannot watch it
    IoFd(Driver& driver, OwnedFd fd);
    IoFd(IoFd&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
    IoFd& operator=(IoFd other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    /// Closes without waiting: what is in flight is cancelled first.
    ~IoFd() {
        if (state_ != nullptr) state_->begin_close();
    }

    bool valid() const noexcept { return state_ != nullptr; }
    /// The number, for getsockopt and the like; -1 if not valid. It stays this IoFd's.
    int get() const noexcept { return state_ == nullptr ? -1 : state_->fd; }
    /// \pre valid()
    Driver& driver() const noexcept { return *state_->driver; }
    /// \pre valid()
    detail::FdState& state() const noexcept { return *state_; }

    /// shutdown(2): ends one direction or both, at once. An error is returned as -errno.
    int shutdown(int how) noexcept;

    /// `co_await fd.close()` (see io_op.hh): cancels what is in flight, waits for its last completion,
    /// closes. Not valid afterwards.
    CloseOp close() noexcept;

  private:
    friend class CloseOp;
    detail::FdState* state_ = nullptr;  // Owns, until the close.
};

}  // namespace starling
