// ReadinessKernel: completions from a kernel that only says when a descriptor is ready: epoll,
// kqueue.
//
//     push ─► side: make the system call ─┬─ done ──────────► completion
//              ▲                           └─ would block ──► waits in its side
//              └──── enter(): "fd 7 became readable" ◄────────────────┘
//
// Watching is edge-triggered: a descriptor is registered once, in both directions, and the kernel
// speaks up when one *becomes* ready. So a "would block" is remembered until the next edge, and no
// system call is made that is known to be in vain. Readiness is a hint: an event for a number that
// means another descriptor by now costs one call in vain, and nothing else.
//
// Affinity: owner shard. Source: epoll(7), "edge-triggered and level-triggered".
#pragma once

#include <sys/types.h>

#include <starling/kernel.hh>
#include <utility>

namespace starling {

/// Makes the system calls when they are due. \affinity owner shard
class ReadinessKernel : public Kernel {
  public:
    bool waits() const noexcept override { return false; }
    void attach(int fd) override;
    int try_now(const IoRequest& request) noexcept override;
    bool push(const IoRequest& request, std::uint64_t key) noexcept override;
    /// One look at the kernel for each `reap`. Also if completions are there already, from calls
    /// made on the spot: whoever waits for an event would starve behind them.
    bool wants_enter() const noexcept override { return !entered_; }
    void enter(const timespec* timeout) noexcept override;
    void reap(std::vector<IoCompletion>& into) noexcept override {
        into.swap(done_);
        entered_ = false;
    }
    void provide(std::uint32_t index, std::span<std::byte> memory) noexcept override {
        buffers_.emplace_back(index, memory);
    }

  protected:
    /// Begins to watch `fd`, in both directions. \throws std::system_error
    virtual void watch(int fd) = 0;
    /// One system call: sleeps until an event or `timeout`, and reports every event with
    /// `on_ready`.
    virtual void wait(const timespec* timeout) noexcept = 0;
    /// `fd` became readable, writable, or its peer has ended its stream.
    void on_ready(int fd, bool readable, bool writable, bool hung_up) noexcept;

  private:
    /// One direction of a descriptor.
    struct Side {
        bool ready = true;      // False after "would block", until an event.
        std::uint64_t key = 0;  // Of the request that waits here; 0: none does.
        IoRequest request{};
    };
    struct Watched {
        Side sides[2];            // One reads, one writes.
        bool hung_up = false;     // A short read may have more behind it.
        bool connecting = false;  // connect(2) was called and is under way.
    };

    Side& side(const IoRequest& r) noexcept { return fds_[r.fd].sides[is_write(r.code) ? 1 : 0]; }
    void advance(Side& side) noexcept;
    void complete(Side& side, IoCompletion completion) noexcept;
    IoCompletion attempt(Side& side, const IoRequest& r) noexcept;
    ssize_t call(const IoRequest& r) noexcept;
    ssize_t receive(const IoRequest& r, std::uint32_t& buffer) noexcept;

    std::vector<Watched> fds_;        // By number.
    std::vector<int> greedy_;         // Had a stream that may go on only in the next `enter`.
    std::vector<IoCompletion> done_;  // Not reaped yet.
    bool entered_ = false;            // Since the last `reap`.
    std::vector<std::pair<std::uint32_t, std::span<std::byte>>> buffers_;  // Provided.
};

}  // namespace starling
