// A load generator that is cheaper than what it measures: one thread, one io_uring, one system call
// for all that became ready.
//
//   per connection:  send a batch ──► receive its answers ──► all there? the next batch
//
// Closed loop: a slow server is asked less often. A latency runs from the system call that submits
// the batch to the turn in which the answer is seen, so with many connections it includes waiting
// in line behind the others, here and in the server; compare servers under equal connections only.
#pragma once

#include <liburing.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "exchange.hh"
#include "histogram.hh"
#include "options.hh"

namespace starling_load {

struct Result {
    Histogram latency_ns;
    std::uint64_t answers = 0;  // In the counted time only, as everything here.
    std::uint64_t errors = 0;   // Connections lost, answers that were wrong.
    double seconds = 0;
    std::uint64_t own_cpu_ns = 0;
    std::uint64_t server_cpu_ns = 0;
    std::uint64_t syscalls = 0;
};

class Generator {
  public:
    Generator(const Options& options, const Exchange& exchange);
    ~Generator();
    Generator(const Generator&) = delete;
    Generator& operator=(const Generator&) = delete;

    Result run();

  private:
    struct Connection {
        int fd = -1;
        std::size_t position = 0;     // Within the answer that is arriving.
        std::size_t outstanding = 0;  // Answers that are still owed.
        std::uint64_t sent_at_ns = 0;
        bool lost = false;  // Ended, or answered wrongly: no more batches.
    };

    void register_buffers();
    void recycle(std::uint16_t id);
    io_uring_sqe* next_sqe(std::uint64_t user_data);
    void arm_receive(std::size_t index);
    void start_batch(std::size_t index);
    void turn();
    void on_receive(std::size_t index, const io_uring_cqe& cqe, std::uint64_t now_ns);
    void lose(Connection& connection);

    const Options& options_;    // Borrows: for its whole life.
    const Exchange& exchange_;  // Borrows: for its whole life.
    io_uring ring_{};
    io_uring_buf_ring* buffer_ring_ = nullptr;
    std::unique_ptr<char[]> buffers_;
    unsigned buffer_count_ = 0;  // A power of two.
    unsigned buffer_size_ = 0;
    std::vector<Connection> connections_;
    std::vector<std::size_t> started_;  // Batches queued in this turn.
    std::vector<std::size_t> starved_;  // Receives that ended for want of a buffer.
    std::size_t alive_ = 0;
    Result result_;
};

}  // namespace starling_load
