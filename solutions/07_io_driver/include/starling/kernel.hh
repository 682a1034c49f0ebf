// Kernel: what a Driver needs of an operating system: requests go in, completions come out.
//
//     push ──► [ submission queue ] ──enter──► kernel ──► [ completion queue ] ──reap──►
//                 bounded: may be full                      never loses one, but may hold some
//                                                           back: then `wants_enter`
//
// io_uring has this shape by itself. epoll and kqueue only say when a descriptor is ready: there
// `enter` makes the system calls (readiness_kernel.hh). A script in tests/support does what a test
// tells it, so that every corner can be visited on any machine.
//
// A request is data, the same for every kernel. What it points to belongs to the kernel until its
// last completion, the one without `more`.
//
// Affinity: owner shard.
#pragma once

#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

namespace starling {

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
    ~OwnedFd() {
        if (valid()) ::close(fd_);
    }

    /// The number; negative if there is none.
    int get() const noexcept { return fd_; }
    /// Whether there is one.
    bool valid() const noexcept { return fd_ >= 0; }
    /// Gives the duty away.
    int release() noexcept { return std::exchange(fd_, -1); }

  private:
    int fd_ = -1;  // Owns.
};

/// \throws std::system_error with `result`, a -errno, and the operation's name
[[noreturn]] inline void throw_io_error(const char* what, int result) {
    throw std::system_error(-result, std::system_category(), what);
}

/// What can be asked for. *multi* completes again and again, until it is cancelled or fails.
enum class IoCode : std::uint8_t {
    accept,        ///< result: a descriptor
    accept_multi,  ///< the same, again and again
    connect,       ///< data: sockaddr, size: its length
    recv,          ///< data, size in bytes; result: bytes, 0 at the end of the stream
    recv_multi,    ///< the same into provided buffers, again and again
    send,          ///< data, size in bytes; result: bytes, may be fewer
    recvmsg,       ///< data: msghdr, size: 1, as io_uring counts them; result: bytes
    sendmsg,       ///< the same
    poll_read,     ///< result ≥ 0: reading would not block
    poll_write,    ///< result ≥ 0: writing would not block
    poll_multi,    ///< poll_read, whenever it becomes true
    cancel,        ///< `target`: the key of what shall end early; that answers with -ECANCELED
};

/// Whether it waits in a descriptor's write direction.
constexpr bool is_write(IoCode code) noexcept {
    return code == IoCode::connect || code == IoCode::send || code == IoCode::sendmsg ||
           code == IoCode::poll_write;
}

/// What the kernel is asked to do.
struct IoRequest {
    IoCode code;               ///< Also says what the other members mean.
    int fd = -1;               ///< Known to the kernel by `attach`.
    int flags = 0;             ///< MSG_*
    std::uint32_t size = 0;    ///< Of `data`, where the code has it.
    void* data = nullptr;      ///< Borrows: until the last completion.
    std::uint64_t target = 0;  ///< A cancel's: the key of a request on `fd`.
};

/// What the kernel answers.
struct IoCompletion {
    static constexpr std::uint32_t kNoBuffer = ~0U;  ///< None came with it.

    int result = 0;                    ///< ≥ 0, or -errno.
    bool more = false;                 ///< Further completions follow.
    std::uint32_t buffer = kNoBuffer;  ///< A provided buffer with the bytes; the driver's again.
    std::uint64_t key = 0;             ///< The one pushed with the request.
};

/// What it has cost so far. \affinity owner shard
struct IoStats {
    std::uint64_t enters = 0;       ///< io_uring_enter, epoll_wait, kevent.
    std::uint64_t calls = 0;        ///< Other system calls: recv, send, epoll_ctl, …
    std::uint64_t submissions = 0;  ///< Requests taken, cancels included.
    std::uint64_t completions = 0;  ///< Given back.

    /// System calls of both kinds.
    std::uint64_t syscalls() const noexcept { return enters + calls; }
};

/// Takes requests, gives back completions. \affinity owner shard
class Kernel {
  public:
    virtual ~Kernel() = default;
    /// Whether it waits by itself: then descriptors are put in blocking mode.
    virtual bool waits() const noexcept { return true; }

    /// Gets to know a descriptor, before any request for it. \throws std::system_error
    virtual void attach([[maybe_unused]] int fd) {}
    /// Does it on the spot if that needs no waiting and costs no more than queueing it.
    /// \return what a completion would say; -EAGAIN: it was not done
    virtual int try_now([[maybe_unused]] const IoRequest& request) noexcept { return -EAGAIN; }
    /// Puts a request in the submission queue. False if that is full: an `enter` makes room.
    virtual bool push(const IoRequest& request, std::uint64_t key) noexcept = 0;
    /// Whether requests are queued, or completions held back, until the next `enter`.
    virtual bool wants_enter() const noexcept = 0;
    /// Hands over what is queued and lets the kernel work. May return early, for any reason, with
    /// some or all requests still queued; the next one goes on.
    /// \param timeout how long to sleep for a completion; zero: not at all; null: as long as it
    /// takes
    virtual void enter(const timespec* timeout) noexcept = 0;
    /// Takes completions out, oldest first. No system call. \pre `into` is empty
    virtual void reap(std::vector<IoCompletion>& into) noexcept = 0;

    /// Lends a buffer, which comes back with a completion of a recv_multi. At most kProvidedMax at
    /// once. \param index below kBuffersMax
    virtual void provide(std::uint32_t index, std::span<std::byte> memory) noexcept = 0;
    static constexpr std::uint32_t kProvidedMax = 1024;     ///< See `provide`. A power of two.
    static constexpr std::uint32_t kBuffersMax = 1U << 16;  ///< See `provide`.

    IoStats stats;  ///< The kernel counts its own calls, the driver the rest.
};

}  // namespace starling
