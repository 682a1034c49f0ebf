// RingDriver: the proactor over a pair of rings. io_uring's driver, and the scripted one.
//
//     submit ─► push ─ full? ─► backlog ─┐        reap ─► key ─► SlotTable ─► op.complete
//                 ▲──────────────────────┘ at the next poll         └─ not there: late, ignored
//
//     op.key   in the backlog?   means                                who moves it on
//     0        no                idle                                 submit
//     0        yes               waits for room                       flush → pushed, or cancelled
//     ≠ 0      no                the kernel has it, or soon will      reap of the last completion → 0
//
// A turn of the loop costs one system call: what tasks submitted since the last `poll` goes down with
// the same `enter` that fetches completions.
//
// Affinity: owner shard. Source: io_uring(7), "Efficient IO with io_uring" (Axboe).
#pragma once

#include <cstdint>
#include <memory>
#include <starling/driver.hh>
#include <starling/io_op_queue.hh>
#include <starling/ring_port.hh>
#include <starling/slot_table.hh>
#include <starling/wake_fd.hh>
#include <vector>

namespace starling {

/// \affinity owner shard
class RingDriver final : public Driver {
  public:
    /// \param port the kernel: io_uring, or a script
    explicit RingDriver(std::unique_ptr<RingPort> port, const DriverOptions& options = {});
    ~RingDriver() override;

    const char* name() const noexcept override { return port_->name(); }
    void attach(detail::FdState& fd) override;
    void detach(detail::FdState&) noexcept override {}
    void submit(IoOp& op) override;
    void cancel(IoOp& op) override;

    void poll() noexcept override;
    void park(TimePoint deadline) noexcept override;
    bool before_sleep() noexcept override {
        return backlog_.empty() && cancels_.empty() && !cancelled_;
    }
    std::shared_ptr<Unparker> unparker() noexcept override { return wake_; }

  private:
    static constexpr std::uint64_t kWakeKey = 1;  // Generation 0: no slot's key.

    void enter(bool wait, TimePoint deadline) noexcept;
    bool push(IoOp& op);
    bool push_cancel(std::uint64_t key) noexcept;
    void flush() noexcept;
    bool starves(IoOp& op) noexcept;
    void feed_starved() noexcept;
    std::size_t reap() noexcept;
    void handle(const RingEvent& event) noexcept;
    void arm_wake() noexcept;
    void on_wake(bool more) noexcept;
    void provide() noexcept;

    const std::unique_ptr<RingPort> port_;
    const std::shared_ptr<WakeFd> wake_;
    [[maybe_unused]] SlotTable<IoOp> slots_;  // Unused until 7.2.
    IoOpQueue backlog_;                   // Waits for room in the submission queue.
    IoOpQueue starved_;                   // recv_multi that waits for a buffer.
    std::vector<std::uint64_t> cancels_;  // Keys whose cancel waits for room.
    std::uint32_t provided_ = 0;          // Buffers in the kernel's hands…
    std::uint32_t provided_target_;       // …and how many it should have: more when it ran out.
    bool wake_armed_ = false;
    bool cancelled_ = false;  // Something was cancelled since the last poll.
};

}  // namespace starling
