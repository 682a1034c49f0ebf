// io_uring through liburing: the ring, its setup ladder, and the probe that asks whether the kernel
// has what a driver needs. Containers often refuse io_uring, old kernels lack parts of it.
#include <starling/driver.hh>

#if __has_include(<liburing.h>)

#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cerrno>

namespace starling {
namespace {

/// By RingRung. There is none for `first`: `make_driver` takes one rung after the other.
constexpr unsigned kRungs[] = {
    IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
        IORING_SETUP_SUBMIT_ALL,
    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL,
    0,
};

constexpr unsigned poll_mask(unsigned events) noexcept {
    return std::endian::native == std::endian::big ? events << 16 : events;
}

/// What the submissions of one code have in common.
struct Form {
    io_uring_op op;
    unsigned flags = 0;  // SOCK_*, MSG_* or what to poll for: the kernel has one field for all.
    std::uint16_t multishot = 0;
    std::uint8_t sqe_flags = 0;
};

/// By IoCode.
constexpr Form kForms[] = {
    {IORING_OP_ACCEPT, SOCK_CLOEXEC},
    {IORING_OP_ACCEPT, SOCK_CLOEXEC, IORING_ACCEPT_MULTISHOT},
    {IORING_OP_CONNECT},
    {IORING_OP_RECV},
    {IORING_OP_RECV, 0, IORING_RECV_MULTISHOT, IOSQE_BUFFER_SELECT},
    {IORING_OP_SEND, MSG_NOSIGNAL},
    {IORING_OP_RECVMSG},
    {IORING_OP_SENDMSG, MSG_NOSIGNAL},
    {IORING_OP_POLL_ADD, poll_mask(POLLIN)},
    {IORING_OP_POLL_ADD, poll_mask(POLLOUT)},
    {IORING_OP_POLL_ADD, poll_mask(POLLIN)},
    {IORING_OP_ASYNC_CANCEL},
};

class UringKernel final : public Kernel {
  public:
    /// \throws std::system_error
    UringKernel(unsigned entries, unsigned flags) {
        entries = std::bit_ceil(std::clamp(entries, 1U, 32768U));
        io_uring_params params{};
        params.flags = flags | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
        params.cq_entries = std::max(kCompletionsMin, 4 * entries);
        const int result = io_uring_queue_init_params(entries, &ring_, &params);
        if (result < 0) throw_io_error("io_uring is not available here: io_uring_setup", result);
        io_uring_register_ring_fd(&ring_);  // Saves a lookup per system call, where it works.
    }
    ~UringKernel() override { io_uring_queue_exit(&ring_); }
    /// What a driver needs beyond the ring itself. Not in the constructor: if this throws, the
    /// destructor has a ring to end. \throws std::system_error
    void set_up();

    bool push(const IoRequest& request, std::uint64_t key) noexcept override;
    bool wants_enter() const noexcept override {
        const unsigned flags = IO_URING_READ_ONCE(*ring_.sq.kflags);
        return io_uring_sq_ready(&ring_) > 0 ||
               (flags & (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
    }
    void enter(const timespec* timeout) noexcept override;
    void reap(std::vector<IoCompletion>& into) noexcept override;
    void provide(std::uint32_t index, std::span<std::byte> memory) noexcept override {
        io_uring_buf_ring_add(buffers_, memory.data(), static_cast<unsigned>(memory.size()),
                              static_cast<unsigned short>(index),
                              io_uring_buf_ring_mask(kProvidedMax), 0);
        io_uring_buf_ring_advance(buffers_, 1);
    }

  private:
    // Streams complete unasked, however few submissions there are. What does not fit the kernel
    // keeps in a list, which costs it memory and an `enter` of its own.
    static constexpr unsigned kCompletionsMin = 4096;
    static constexpr std::size_t kPageMax = 1 << 16;

    io_uring ring_{};
    alignas(kPageMax) io_uring_buf memory_[kProvidedMax];  // The buffer ring's: begins a page.
    io_uring_buf_ring* const buffers_ = reinterpret_cast<io_uring_buf_ring*>(memory_);
};

void UringKernel::set_up() {
    // Multishot receive came with Linux 6.0, and so did SEND_ZC, which the probe can tell.
    io_uring_probe* const probe = io_uring_get_probe_ring(&ring_);
    const bool fresh = probe != nullptr && io_uring_opcode_supported(probe, IORING_OP_SEND_ZC);
    io_uring_free_probe(probe);
    if (!fresh) throw_io_error("io_uring: multishot receive, since Linux 6.0", -EOPNOTSUPP);

    io_uring_buf_reg registration{};  // Group 0.
    registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory_);
    registration.ring_entries = kProvidedMax;
    const int result = io_uring_register_buf_ring(&ring_, &registration, 0);
    if (result < 0) throw_io_error("io_uring: io_uring_register_buf_ring", result);
    io_uring_buf_ring_init(buffers_);
}

bool UringKernel::push(const IoRequest& r, std::uint64_t key) noexcept {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) return false;
    const Form& form = kForms[static_cast<std::size_t>(r.code)];
    io_uring_prep_rw(form.op, sqe, r.fd, r.data, r.size, 0);
    sqe->msg_flags = form.flags | static_cast<unsigned>(r.flags);
    sqe->ioprio = form.multishot;
    sqe->flags = form.sqe_flags;
    sqe->user_data = key;
    if (r.code == IoCode::connect) sqe->off = std::exchange(sqe->len, 0);  // It looks there.
    if (r.code == IoCode::poll_multi) sqe->len = IORING_POLL_ADD_MULTI;
    if (r.code == IoCode::cancel) sqe->addr = r.target;
    return true;
}

void UringKernel::enter(const timespec* timeout) noexcept {
    if (timeout != nullptr && timeout->tv_sec == 0 && timeout->tv_nsec == 0) {
        io_uring_submit_and_get_events(&ring_);
        return;
    }
    __kernel_timespec limit{};
    if (timeout != nullptr) limit = {.tv_sec = timeout->tv_sec, .tv_nsec = timeout->tv_nsec};
    io_uring_cqe* unused = nullptr;
    io_uring_submit_and_wait_timeout(&ring_, &unused, 1, timeout == nullptr ? nullptr : &limit,
                                     nullptr);
}

void UringKernel::reap(std::vector<IoCompletion>& into) noexcept {
    unsigned head;
    unsigned count = 0;
    io_uring_cqe* cqe;
    io_uring_for_each_cqe(&ring_, head, cqe) {
        ++count;
        const bool buffer = (cqe->flags & IORING_CQE_F_BUFFER) != 0;
        into.push_back(
            {.result = cqe->res,
             .more = (cqe->flags & IORING_CQE_F_MORE) != 0,
             .buffer = buffer ? cqe->flags >> IORING_CQE_BUFFER_SHIFT : IoCompletion::kNoBuffer,
             .key = cqe->user_data});
    }
    io_uring_cq_advance(&ring_, count);
}

}  // namespace

std::unique_ptr<Kernel> detail::make_uring_kernel(const DriverOptions& options, RingRung rung) {
    auto kernel =
        std::make_unique<UringKernel>(options.entries, kRungs[static_cast<int>(rung) - 1]);
    kernel->set_up();
    return kernel;
}

}  // namespace starling

#endif
