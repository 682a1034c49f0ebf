// RingPort: what a RingDriver needs of a kernel: two queues and a door between them.
//
//     push ──► [ submission queue ] ──enter──► kernel ──► [ completion queue ] ──reap──►
//                 bounded: may be full                      never loses one, but may overflow:
//                                                           then `wants_enter`
//
// One implementation is io_uring, through liburing; the other is a script in tests/support that does
// what a test tells it, so that every corner can be visited on any machine.
//
// Affinity: owner shard.
#pragma once

#include <cstdint>
#include <span>
#include <starling/clock.hh>
#include <starling/io_request.hh>

namespace starling {

/// What the kernel says about one request.
struct RingEvent {
    std::uint64_t key = 0;  // The one pushed with the request.
    IoCompletion completion;
};

/// \affinity owner shard
class RingPort {
  public:
    virtual ~RingPort() = default;
    virtual const char* name() const noexcept = 0;

    /// Puts a request in the submission queue. False if that is full: an `enter` makes room.
    virtual bool push(const IoRequest& request, std::uint64_t key) noexcept = 0;

    /// How many requests have been pushed and not been taken by the kernel.
    virtual std::uint32_t queued() const noexcept = 0;

    /// Hands the kernel what is queued and lets it work. One system call.
    /// \param wait whether to sleep until a completion or `deadline`
    /// \return 0 or -errno. -EBUSY, -EAGAIN: reap, then try again; -EINTR, -ETIME: an ordinary end
    virtual int enter(bool wait, TimePoint deadline) noexcept = 0;

    /// Whether completions are held back in the kernel until the next `enter`.
    virtual bool wants_enter() const noexcept = 0;

    /// Takes completions out, oldest first, as many as are there and fit. No system call.
    virtual std::size_t reap(std::span<RingEvent> into) noexcept = 0;

    /// Gives a pool buffer to the kernel, which returns it with a completion of a recv_multi.
    virtual void provide(std::uint32_t index, std::span<std::byte> memory) noexcept = 0;
    /// How many provided buffers the kernel can hold.
    virtual std::uint32_t provided_max() const noexcept = 0;
};

}  // namespace starling
