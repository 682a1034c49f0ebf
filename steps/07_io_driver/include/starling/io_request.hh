// IoRequest: what the kernel is asked to do; IoOp: an operation that waits for its completions.
//
// A request is data, the same for every driver: io_uring copies it into a submission entry, the
// readiness drivers make the system call when the descriptor is ready.
//
//     idle ──submit──► in flight ──completion with more──► in flight
//      ▲                   └───────last completion─────────► idle
//      └── it may be destroyed here, and only here
//
// Everything a request points to belongs to the kernel until the last completion.
//
// Affinity: owner shard.
#pragma once

#include <cstddef>
#include <cstdint>
#include <starling/io_fd.hh>

struct msghdr;

namespace starling {

enum class IoCode : std::uint8_t {
    accept,        // result: a descriptor
    accept_multi,  // the same, again and again
    connect,       // data: sockaddr, size: its length
    recv,          // data, size; result: bytes, 0 at the end of the stream
    recv_multi,    // the same into buffers of the driver's pool, again and again
    send,          // data, size; result: bytes, may be fewer
    recvmsg,       // data: msghdr
    sendmsg,       // data: msghdr
    poll_read,     // result ≥ 0: reading would not block
    poll_write,
    poll_multi,  // io_uring's own: the wake descriptor, again and again
    cancel,      // io_uring's own: `target` names what to cancel
};

struct IoRequest {
    IoCode code;
    int fd = -1;
    int flags = 0;            // MSG_*
    std::uint32_t size = 0;
    void* data = nullptr;     // Borrows: until the last completion.
    std::uint64_t target = 0;
};

/// A size for a request. The kernel takes at most 2 GiB at once anyway; the result says how much it took.
constexpr std::uint32_t request_size(std::size_t size) noexcept {
    constexpr std::size_t kSizeMax = 1U << 30;
    return static_cast<std::uint32_t>(size < kSizeMax ? size : kSizeMax);
}

/// Whether an operation with this code goes in the descriptor's write slot.
constexpr bool is_write(IoCode code) noexcept {
    return code == IoCode::connect || code == IoCode::send || code == IoCode::sendmsg ||
           code == IoCode::poll_write;
}

/// One event in the life of an operation.
struct IoCompletion {
    static constexpr std::uint32_t kNoBuffer = ~0U;

    int result = 0;                    // ≥ 0, or -errno.
    bool more = false;                 // Further completions follow: the operation is still in flight.
    std::uint32_t buffer = kNoBuffer;  // A pool buffer that now belongs to the operation.
};

/// The part of an operation that drivers see. \affinity owner shard
class IoOp {
  public:
    IoOp(const IoOp&) = delete;
    IoOp& operator=(const IoOp&) = delete;

    detail::FdState& fd() const noexcept { return *fd_; }
    const IoRequest& request() const noexcept { return request_; }
    /// Submitted, and the last completion has not come.
    bool in_flight() const noexcept { return in_flight_; }
    /// Asked to end early, and the last completion has not come.
    bool cancelling() const noexcept { return cancelling_; }

  protected:
    IoOp(IoFd& fd, const IoRequest& request) noexcept;
    /// An operation may be moved until it is started.
    IoOp(IoOp&& other) noexcept;
    ~IoOp();

    /// A completion, from the driver's `poll`. After the last one (`more` is false) the operation is no
    /// longer in flight: this may submit it again or destroy it.
    virtual void complete(const IoCompletion& completion) noexcept = 0;

    /// Occupies its slot of the descriptor and goes to the driver. \pre not in flight
    void submit();
    /// Asks the driver to end it early. The last completion still comes. Idempotent.
    void cancel();
    /// Whether the driver could do it on the spot; then `result` is set.
    bool try_now(int& result);

    IoRequest request_;

  private:
    friend class Driver;
    friend struct detail::FdState;
    detail::FdState* fd_;  // Borrows: alive while this is in flight.
    bool in_flight_ = false;
    bool cancelling_ = false;

  public:
    // The driver's, while in flight.
    IoOp* next = nullptr;   // In a list of the driver.
    std::uint64_t key = 0;  // Its slot and generation: `user_data`.
};

}  // namespace starling
