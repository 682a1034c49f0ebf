#include "generator.hh"

#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstring>

namespace starling_load {
namespace {

constexpr int kGroup = 0;
constexpr std::uint64_t kSendBit = 1;  // user_data: the connection's index, shifted, and this.
constexpr double kNsPerSecond = 1e9;

std::uint64_t nanoseconds(clockid_t clock) {
    timespec time{};
    if (clock_gettime(clock, &time) != 0) return 0;
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 +
           static_cast<std::uint64_t>(time.tv_nsec);
}

std::uint64_t now_ns() { return nanoseconds(CLOCK_MONOTONIC); }

// CPU time of whole processes, exact to the nanosecond (what /proc shows is rounded to ticks).
std::uint64_t cpu_ns_of(const std::vector<pid_t>& pids) {
    std::uint64_t sum = 0;
    for (const pid_t pid : pids) {
        clockid_t clock = 0;
        if (clock_getcpuclockid(pid, &clock) == 0) sum += nanoseconds(clock);
    }
    return sum;
}

// Interrupts the wait now and then, so that a server that hangs ends the run too.
void tick_every_100_ms() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(SIGALRM, &action, nullptr);
    itimerval interval{};
    interval.it_interval.tv_usec = 100'000;
    interval.it_value.tv_usec = 100'000;
    setitimer(ITIMER_REAL, &interval, nullptr);
}

void check(int result, const char* operation) {
    if (result < 0) {
        fail(std::string(operation) + ": " + std::strerror(-result) +
             "; the generator needs io_uring (kernel 6.1 or newer, not blocked by the container)");
    }
}

}  // namespace

Generator::Generator(const Options& options, const Exchange& exchange)
    : options_(options), exchange_(exchange) {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    io_uring_params params{};
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                   IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
    params.cq_entries = 32768;
    check(io_uring_queue_init_params(8192, &ring_, &params), "io_uring_setup");
    io_uring_register_ring_fd(&ring_);
    register_buffers();

    connections_.resize(options.connections);
    for (std::size_t i = 0; i < connections_.size(); ++i) {
        connections_[i].fd = connect_to(options);
        arm_receive(i);
    }
    alive_ = connections_.size();
}

Generator::~Generator() {
    for (const Connection& connection : connections_) {
        if (connection.fd >= 0) close(connection.fd);
    }
    io_uring_queue_exit(&ring_);
}

void Generator::register_buffers() {
    const std::size_t batch = exchange_.answer_size() * options_.pipeline;
    buffer_size_ = batch <= 4096 ? 4096 : batch <= 16384 ? 16384 : 65536;
    const std::size_t wanted = options_.connections < 2048 ? options_.connections : 2048;
    buffer_count_ = static_cast<unsigned>(std::bit_ceil(wanted < 64 ? 64 : wanted));
    void* memory = mmap(nullptr, buffer_count_ * sizeof(io_uring_buf), PROT_READ | PROT_WRITE,
                        MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (memory == MAP_FAILED) fail("no memory for the buffer ring");
    buffer_ring_ = static_cast<io_uring_buf_ring*>(memory);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(memory);
    registration.ring_entries = buffer_count_;
    registration.bgid = kGroup;
    check(io_uring_register_buf_ring(&ring_, &registration, 0), "io_uring_register_buf_ring");
    io_uring_buf_ring_init(buffer_ring_);
    buffers_ = std::make_unique<char[]>(std::size_t{buffer_count_} * buffer_size_);
    for (unsigned i = 0; i < buffer_count_; ++i) recycle(static_cast<std::uint16_t>(i));
}

void Generator::recycle(std::uint16_t id) {
    io_uring_buf_ring_add(buffer_ring_, buffers_.get() + std::size_t{id} * buffer_size_,
                          buffer_size_, id, io_uring_buf_ring_mask(buffer_count_), 0);
    io_uring_buf_ring_advance(buffer_ring_, 1);
}

io_uring_sqe* Generator::next_sqe(std::uint64_t user_data) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    while (sqe == nullptr) {
        ++result_.syscalls;
        io_uring_submit(&ring_);
        sqe = io_uring_get_sqe(&ring_);
    }
    sqe->user_data = user_data;
    return sqe;
}

void Generator::arm_receive(std::size_t index) {
    io_uring_sqe* sqe = next_sqe(index << 1);
    io_uring_prep_recv_multishot(sqe, connections_[index].fd, nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = kGroup;
}

void Generator::start_batch(std::size_t index) {
    connections_[index].outstanding = options_.pipeline;
    started_.push_back(index);
    io_uring_sqe* sqe = next_sqe(index << 1 | kSendBit);
    // The kernel sends all of it and reports only failures.
    io_uring_prep_send(sqe, connections_[index].fd, exchange_.batch().data(),
                       exchange_.batch().size(), MSG_NOSIGNAL | MSG_WAITALL);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

void Generator::turn() {
    const std::uint64_t submitted_ns = now_ns();
    for (const std::size_t index : started_) connections_[index].sent_at_ns = submitted_ns;
    started_.clear();
    ++result_.syscalls;
    io_uring_submit_and_wait(&ring_, 1);

    const std::uint64_t now = now_ns();
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring_, head, cqe) {
        ++seen;
        const auto index = static_cast<std::size_t>(cqe->user_data >> 1);
        if ((cqe->user_data & kSendBit) == 0) {
            on_receive(index, *cqe, now);
        } else if (cqe->res < 0) {
            lose(connections_[index]);
        }
    }
    io_uring_cq_advance(&ring_, seen);
    for (const std::size_t index : starved_) arm_receive(index);
    starved_.clear();
}

void Generator::on_receive(std::size_t index, const io_uring_cqe& cqe, std::uint64_t now) {
    Connection& connection = connections_[index];
    if (cqe.res <= 0) {
        if (cqe.res == -ENOBUFS && !connection.lost) return starved_.push_back(index);
        return lose(connection);
    }
    const auto id = static_cast<std::uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
    const char* data = buffers_.get() + std::size_t{id} * buffer_size_;
    const std::size_t answers =
        exchange_.consume(data, static_cast<std::size_t>(cqe.res), connection.position);
    recycle(id);
    if (connection.lost) return;
    if (answers > connection.outstanding) return lose(connection);  // kWrong is a large number.
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) starved_.push_back(index);
    if (answers == 0) return;
    result_.latency_ns.record(now - connection.sent_at_ns, answers);
    result_.answers += answers;
    connection.outstanding -= answers;
    if (connection.outstanding == 0) start_batch(index);
}

void Generator::lose(Connection& connection) {
    if (connection.lost) return;
    connection.lost = true;
    ++result_.errors;
    shutdown(connection.fd, SHUT_RDWR);
    if (--alive_ == 0) fail("every connection was lost, or answered wrongly");
}

Result Generator::run() {
    tick_every_100_ms();
    for (std::size_t i = 0; i < connections_.size(); ++i) start_batch(i);
    const std::uint64_t warm_ns =
        now_ns() + static_cast<std::uint64_t>(options_.warmup_s * kNsPerSecond);
    while (now_ns() < warm_ns) turn();

    const std::uint64_t errors = result_.errors;
    result_ = Result();
    result_.errors = errors;
    const std::uint64_t begin_ns = now_ns();
    const std::uint64_t own_before = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    const std::uint64_t server_before = cpu_ns_of(options_.pids);
    const auto length_ns = static_cast<std::uint64_t>(options_.seconds * kNsPerSecond);
    std::uint64_t end_ns = begin_ns;
    while (end_ns - begin_ns < length_ns &&
           (options_.requests == 0 || result_.answers < options_.requests)) {
        turn();
        end_ns = now_ns();
    }
    result_.server_cpu_ns = cpu_ns_of(options_.pids) - server_before;
    result_.own_cpu_ns = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - own_before;
    result_.seconds = static_cast<double>(end_ns - begin_ns) / kNsPerSecond;
    return result_;
}

}  // namespace starling_load
