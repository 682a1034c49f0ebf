// io_uring through liburing: the ring, its setup ladder, and the test that a ring works before it is
// trusted. Containers often refuse io_uring, old kernels lack parts of it.
#include <starling/driver_backends.hh>

#if __has_include(<liburing.h>)

#include <liburing.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <starling/ring_driver.hh>
#include <system_error>

namespace starling {
namespace {

struct Rung {
    const char* name;
    unsigned flags;
};

Rung describe(RingRung rung) noexcept {
    switch (rung) {
        case RingRung::cooperative:
            return {"io_uring (cooperative task running)",
                    IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL};
        case RingRung::plain:
            return {"io_uring (plain)", 0};
        default:
            return {"io_uring", IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                    IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL};
    }
}

class UringPort final : public RingPort {
  public:
    UringPort(const DriverOptions& options, Rung rung);
    ~UringPort() override;

    /// What goes wrong when streams are tried; null if nothing does.
    const char* self_test() noexcept;

    const char* name() const noexcept override { return name_; }
    bool push(const IoRequest& request, std::uint64_t key) noexcept override;
    std::uint32_t queued() const noexcept override { return io_uring_sq_ready(&ring_); }
    int enter(bool wait, TimePoint deadline) noexcept override;
    bool wants_enter() const noexcept override {
        return (IO_URING_READ_ONCE(*ring_.sq.kflags) &
                (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
    }
    std::size_t reap(std::span<RingEvent> into) noexcept override;
    void provide(std::uint32_t index, std::span<std::byte> memory) noexcept override;
    std::uint32_t provided_max() const noexcept override { return buffers_max_; }

  private:
    static constexpr unsigned kCompletionsMin = 4096;
    static constexpr std::uint32_t kProvidedMax = 1024;
    static constexpr unsigned short kGroup = 0;

    const char* const name_;
    io_uring ring_;
    const std::uint32_t buffers_max_;
    io_uring_buf_ring* buffers_ = nullptr;  // Owns: a mapping.
};

[[noreturn]] void fail(int result, const char* what) {
    throw std::system_error(-result, std::generic_category(), what);
}

UringPort::UringPort(const DriverOptions& options, Rung rung)
    : name_(rung.name),
      buffers_max_(std::min(kProvidedMax, std::bit_floor(std::max(options.buffers, 1U)))) {
    io_uring_params params{};
    params.flags = rung.flags | IORING_SETUP_CLAMP | IORING_SETUP_CQSIZE;
    const unsigned entries = std::bit_ceil(std::clamp(options.entries, 1U, 32768U));
    params.cq_entries = std::max(kCompletionsMin, 4 * entries);
    int result = io_uring_queue_init_params(entries, &ring_, &params);
    if (result < 0) fail(result, "io_uring_setup");

    const std::size_t size = buffers_max_ * sizeof(io_uring_buf);
    void* memory =
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory != MAP_FAILED) {
        buffers_ = static_cast<io_uring_buf_ring*>(memory);
        io_uring_buf_reg registration{};
        registration.ring_addr = reinterpret_cast<std::uintptr_t>(memory);
        registration.ring_entries = buffers_max_;
        registration.bgid = kGroup;
        result = io_uring_register_buf_ring(&ring_, &registration, 0);
    } else {
        result = -errno;
    }
    if (result < 0) {
        io_uring_queue_exit(&ring_);
        if (buffers_ != nullptr) ::munmap(memory, size);
        fail(result, "io_uring_register_buf_ring");
    }
    io_uring_buf_ring_init(buffers_);
    io_uring_register_ring_fd(&ring_);  // Saves a lookup per system call, where it works.
}

UringPort::~UringPort() {
    io_uring_queue_exit(&ring_);
    ::munmap(buffers_, buffers_max_ * sizeof(io_uring_buf));
}

const char* UringPort::self_test() noexcept {
    int fds[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) return nullptr;
    OwnedFd ours(fds[0]);
    std::byte memory[8];
    RingEvent event;
    {
        OwnedFd theirs(fds[1]);
        provide(0, memory);
        push({.code = IoCode::recv_multi, .fd = ours.get()}, 1);
        if (::send(theirs.get(), "x", 1, MSG_NOSIGNAL) != 1) return nullptr;
        enter(true, Clock::steady().now() + std::chrono::seconds(1));
        if (reap({&event, 1}) != 1) return "io_uring: a receive does not complete";
        if (event.completion.result < 0) return "io_uring: no multishot receive";
        if (!event.completion.more || event.completion.buffer != 0) {
            return "io_uring: no multishot receive into provided buffers";
        }
    }
    enter(true, Clock::steady().now() + std::chrono::seconds(1));
    return reap({&event, 1}) == 1 && !event.completion.more ? nullptr
                                                            : "io_uring: a stream does not end";
}

bool UringPort::push(const IoRequest& r, std::uint64_t key) noexcept {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) return false;
    switch (r.code) {
        case IoCode::accept:
            io_uring_prep_accept(sqe, r.fd, nullptr, nullptr, SOCK_CLOEXEC);
            break;
        case IoCode::accept_multi:
            io_uring_prep_multishot_accept(sqe, r.fd, nullptr, nullptr, SOCK_CLOEXEC);
            break;
        case IoCode::connect:
            io_uring_prep_connect(sqe, r.fd, static_cast<const sockaddr*>(r.data), r.size);
            break;
        case IoCode::recv:
            io_uring_prep_recv(sqe, r.fd, r.data, r.size, r.flags);
            break;
        case IoCode::recv_multi:
            io_uring_prep_recv_multishot(sqe, r.fd, nullptr, 0, 0);
            sqe->flags |= IOSQE_BUFFER_SELECT;
            sqe->buf_group = kGroup;
            break;
        case IoCode::send:
            io_uring_prep_send(sqe, r.fd, r.data, r.size, r.flags | MSG_NOSIGNAL);
            break;
        case IoCode::recvmsg:
            io_uring_prep_recvmsg(sqe, r.fd, static_cast<msghdr*>(r.data),
                                  static_cast<unsigned>(r.flags));
            break;
        case IoCode::sendmsg:
            io_uring_prep_sendmsg(sqe, r.fd, static_cast<const msghdr*>(r.data),
                                  static_cast<unsigned>(r.flags) | MSG_NOSIGNAL);
            break;
        case IoCode::poll_read:
            io_uring_prep_poll_add(sqe, r.fd, POLLIN);
            break;
        case IoCode::poll_write:
            io_uring_prep_poll_add(sqe, r.fd, POLLOUT);
            break;
        case IoCode::poll_multi:
            io_uring_prep_poll_multishot(sqe, r.fd, POLLIN);
            break;
        case IoCode::cancel:
            io_uring_prep_cancel64(sqe, r.target, 0);
            break;
    }
    io_uring_sqe_set_data64(sqe, key);
    return true;
}

int UringPort::enter(bool wait, TimePoint deadline) noexcept {
    if (!wait || deadline == TimePoint::min()) return std::min(0, io_uring_submit_and_get_events(&ring_));
    if (deadline == TimePoint::max()) return std::min(0, io_uring_submit_and_wait(&ring_, 1));
    const auto left = detail::time_left(deadline);
    __kernel_timespec timeout{};
    timeout.tv_sec = left / std::chrono::seconds(1);
    timeout.tv_nsec = left % std::chrono::seconds(1) / std::chrono::nanoseconds(1);
    io_uring_cqe* unused = nullptr;
    return std::min(0, io_uring_submit_and_wait_timeout(&ring_, &unused, 1, &timeout, nullptr));
}

std::size_t UringPort::reap(std::span<RingEvent> into) noexcept {
    unsigned head;
    unsigned count = 0;
    io_uring_cqe* cqe;
    io_uring_for_each_cqe(&ring_, head, cqe) {
        if (count == into.size()) break;
        into[count++] = {.key = cqe->user_data,
                         .completion = {.result = cqe->res,
                                        .more = (cqe->flags & IORING_CQE_F_MORE) != 0,
                                        .buffer = (cqe->flags & IORING_CQE_F_BUFFER) != 0
                                                      ? cqe->flags >> IORING_CQE_BUFFER_SHIFT
                                                      : IoCompletion::kNoBuffer}};
    }
    io_uring_cq_advance(&ring_, count);
    return count;
}

void UringPort::provide(std::uint32_t index, std::span<std::byte> memory) noexcept {
    io_uring_buf_ring_add(buffers_, memory.data(), static_cast<unsigned>(memory.size()),
                          static_cast<unsigned short>(index),
                          io_uring_buf_ring_mask(buffers_max_), 0);
    io_uring_buf_ring_advance(buffers_, 1);
}

}  // namespace

std::unique_ptr<Driver> detail::make_uring_driver(const DriverOptions& options, RingRung rung,
                                                  std::string& why_not) {
    try {
        auto port = std::make_unique<UringPort>(options, describe(rung));
        if (const char* why = port->self_test()) {
            why_not = why;
            return nullptr;
        }
        return std::make_unique<RingDriver>(std::move(port), options);
    } catch (const std::system_error& error) {
        why_not = std::string("io_uring is not available here (") + error.what() + ")";
        return nullptr;
    }
}

}  // namespace starling

#else

std::unique_ptr<starling::Driver> starling::detail::make_uring_driver(const DriverOptions&, RingRung,
                                                                      std::string& why_not) {
    why_not = "io_uring: built without liburing";
    return nullptr;
}

#endif
