// ReadinessDriver: the proactor over a kernel that only says when a descriptor is ready: epoll, kqueue.
//
//     submit ─► work list ─► poll(): make the system call ─┬─ done ──────────► complete
//                  ▲                                       └─ would block ──► waits in its slot
//                  └───────── the kernel: "fd 7 became readable" ◄────────────────┘
//
// Watching is edge-triggered: a descriptor is registered once, in both directions, and the kernel
// speaks up when one *becomes* ready. So a "would block" is remembered until the next edge, and no
// system call is made that is known to be in vain.
//
// Affinity: owner shard. Source: epoll(7), "edge-triggered and level-triggered".
#pragma once

#include <cstdint>
#include <starling/driver.hh>
#include <starling/io_op_queue.hh>
#include <starling/slot_table.hh>

namespace starling {

/// \affinity owner shard
class ReadinessDriver : public Driver {
  public:
    void attach(detail::FdState& fd) override;
    void detach(detail::FdState& fd) noexcept override;
    bool try_now(const IoOp& op, int& result) override;
    void submit(IoOp& op) override;
    void cancel(IoOp& op) override;

    void poll() noexcept override;
    void park(TimePoint deadline) noexcept override;
    bool before_sleep() noexcept override { return work_.empty() && !cancelled_; }

  protected:
    using Driver::Driver;
    static constexpr std::uint64_t kWakeKey = 1;  // Generation 0: no descriptor's key.

    /// Begins to watch `fd`, whose events carry `key`. \throws std::system_error
    virtual void watch(int fd, std::uint64_t key) = 0;
    /// One system call: sleeps until an event or `deadline`, and reports every event with `on_ready`.
    virtual void wait(TimePoint deadline) noexcept = 0;
    void on_ready(std::uint64_t key, bool readable, bool writable, bool hung_up) noexcept;
    /// Ends every operation; for the destructor of what implements `wait`.
    void finish() noexcept;

  private:
    void enqueue(IoOp& op) noexcept;
    void advance(IoOp& op) noexcept;
    void advance_one(IoOp& op) noexcept;
    void advance_accepts(IoOp& op) noexcept;
    void advance_receives(IoOp& op) noexcept;
    int perform(const IoOp& op) noexcept;

    SlotTable<detail::FdState> fds_;
    IoOpQueue work_;     // To be looked at in the next poll; `IoOp::key` is 1 for those.
    IoOpQueue starved_;  // recv_multi that waits for a buffer.
    bool waited_ = false;     // `park` has just asked the kernel.
    bool cancelled_ = false;  // Something was cancelled since the last poll.
};

}  // namespace starling
