// The io_uring floor: how fast one thread can answer on this kernel.
//
//   io_uring_submit_and_wait ──► completions ──► sends queued ──┐
//            ▲                                                  │
//            └────────────── one system call a turn ◄───────────┘
//
// Multishot accept, one multishot receive per connection into a shared ring of buffers, at most one
// send in flight per connection, everything submitted by the call that waits. HTTP answers every
// request found in a buffer by one coalesced send and recycles the buffer at once; echo sends from
// the buffer it received into and recycles it when the send has ended.
// Source: io_uring(7), io_uring_enter(2), liburing 2.3.
#include <liburing.h>
#include <sys/mman.h>

#include <array>
#include <memory>
#include <vector>

#include "floor.hh"

namespace {

using namespace starling_floor;

constexpr unsigned kSubmissions = 4096;
constexpr unsigned kCompletions = 16384;
// A power of two. They are used in turns, so more of them fall out of the cache: 512 cost 3 %
// (race, http-64); fewer run out, which ends receives.
constexpr unsigned kBuffers = 128;
constexpr unsigned kBufferSize = 4096;
constexpr int kGroup = 0;

enum class Op : std::uint64_t { accept, receive, send };

constexpr std::uint16_t kNone = 0xFFFF;

struct Chunk {  // Of one buffer: received bytes that wait to be echoed.
    std::uint32_t size = 0;
    std::uint16_t next = kNone;  // The same connection's next one.
};

// Freed when its receive has ended and no send is in flight.
struct Connection {
    int fd = -1;
    bool receiving = false;
    bool sending = false;
    bool queued = false;     // In Server::dirty_.
    bool broken = false;     // A send failed: the rest is not worth sending.
    std::uint32_t sent = 0;  // Of the send in flight, over all its parts.
    std::uint32_t sending_size = 0;
    std::uint64_t owed = 0;  // HTTP: answers not sent yet.
    RequestEnds ends;
    // Echo: the buffers that are not sent yet, the first one in flight.
    std::uint16_t first = kNone;
    std::uint16_t last = kNone;
};

class Server {
  public:
    explicit Server(const Options& options) : echo_(options.echo) {
        io_uring_params params{};
        params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                       IORING_SETUP_SUBMIT_ALL | IORING_SETUP_CQSIZE;
        params.cq_entries = kCompletions;
        const int error = io_uring_queue_init_params(kSubmissions, &ring_, &params);
        if (error < 0) fail("io_uring_setup", -error);
        io_uring_register_ring_fd(&ring_);
        register_buffers();
        listener_ = listen_on_loopback(options.port, 0);
        arm_accept();
    }

    void run() {
        while (stop_requested == 0) {
            ++syscalls_;
            io_uring_submit_and_wait(&ring_, 1);
            unsigned head = 0;
            unsigned seen = 0;
            io_uring_cqe* cqe = nullptr;
            io_uring_for_each_cqe(&ring_, head, cqe) {
                ++seen;
                handle(*cqe);
            }
            io_uring_cq_advance(&ring_, seen);
            // All answers to what came in this turn go out together.
            for (std::size_t i = 0; i < dirty_.size(); ++i) flush(*dirty_[i]);
            dirty_.clear();
            rearm_starved();
        }
        print_totals(answers_, syscalls_);
    }

  private:
    void register_buffers() {
        const std::size_t ring_bytes = kBuffers * sizeof(io_uring_buf);
        void* memory =
            mmap(nullptr, ring_bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
        if (memory == MAP_FAILED) fail("mmap", errno);
        buffer_ring_ = static_cast<io_uring_buf_ring*>(memory);
        io_uring_buf_reg registration{};
        registration.ring_addr = reinterpret_cast<std::uint64_t>(memory);
        registration.ring_entries = kBuffers;
        registration.bgid = kGroup;
        const int error = io_uring_register_buf_ring(&ring_, &registration, 0);
        if (error < 0) fail("io_uring_register_buf_ring", -error);
        io_uring_buf_ring_init(buffer_ring_);
        buffers_ = std::make_unique<char[]>(std::size_t{kBuffers} * kBufferSize);
        for (unsigned i = 0; i < kBuffers; ++i) recycle(static_cast<std::uint16_t>(i));
    }

    char* buffer(std::uint16_t id) { return buffers_.get() + std::size_t{id} * kBufferSize; }

    void recycle(std::uint16_t id) {
        io_uring_buf_ring_add(buffer_ring_, buffer(id), kBufferSize, id,
                              io_uring_buf_ring_mask(kBuffers), 0);
        io_uring_buf_ring_advance(buffer_ring_, 1);
        ++recycled_;
    }

    io_uring_sqe* next_sqe(Op op, Connection* connection) {
        io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
        while (sqe == nullptr) {
            ++syscalls_;
            io_uring_submit(&ring_);
            sqe = io_uring_get_sqe(&ring_);
        }
        sqe->user_data = reinterpret_cast<std::uint64_t>(connection) |
                         static_cast<std::uint64_t>(op);  // The prep calls leave it alone.
        return sqe;
    }

    void arm_accept() {
        io_uring_sqe* sqe = next_sqe(Op::accept, nullptr);
        io_uring_prep_multishot_accept(sqe, listener_, nullptr, nullptr, SOCK_CLOEXEC);
    }

    void arm_receive(Connection& connection) {
        io_uring_sqe* sqe = next_sqe(Op::receive, &connection);
        io_uring_prep_recv_multishot(sqe, connection.fd, nullptr, 0, 0);
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = kGroup;
        connection.receiving = true;
    }

    void handle(const io_uring_cqe& cqe) {
        constexpr std::uint64_t kOpMask = 3;
        auto* connection = reinterpret_cast<Connection*>(cqe.user_data & ~kOpMask);
        switch (static_cast<Op>(cqe.user_data & kOpMask)) {
            case Op::accept:
                return on_accept(cqe);
            case Op::receive:
                return on_receive(*connection, cqe);
            case Op::send:
                return on_send(*connection, cqe.res);
        }
    }

    void on_accept(const io_uring_cqe& cqe) {
        if (cqe.res >= 0) {
            auto* connection = new Connection;
            connection->fd = cqe.res;
            arm_receive(*connection);
        }
        if ((cqe.flags & IORING_CQE_F_MORE) == 0) arm_accept();
    }

    void on_receive(Connection& connection, const io_uring_cqe& cqe) {
        connection.receiving = (cqe.flags & IORING_CQE_F_MORE) != 0;
        if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
            const auto id = static_cast<std::uint16_t>(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
            take(connection, id, cqe.res > 0 ? static_cast<std::uint32_t>(cqe.res) : 0);
        }
        if (connection.receiving) return;
        if (cqe.res == -ENOBUFS || cqe.res > 0) {
            starved_.push_back(&connection);
            connection.receiving = true;  // Not ended, only paused.
        } else {
            mark_dirty(connection);  // The end of the stream, or an error.
        }
    }

    void take(Connection& connection, std::uint16_t id, std::uint32_t size) {
        if (echo_ && size > 0) {
            chunks_[id] = {size, kNone};
            (connection.first == kNone ? connection.first : chunks_[connection.last].next) = id;
            connection.last = id;
        } else {
            connection.owed += connection.ends.count(buffer(id), size);
            recycle(id);
        }
        mark_dirty(connection);
    }

    void mark_dirty(Connection& connection) {
        if (connection.queued) return;
        connection.queued = true;
        dirty_.push_back(&connection);
    }

    void flush(Connection& connection) {
        connection.queued = false;
        if (connection.sending) return;
        if (connection.broken) discard(connection);
        if (connection.first != kNone) {
            send(connection, chunks_[connection.first].size);
        } else if (connection.owed > 0) {
            const auto count = connection.owed < kCoalesced ? connection.owed : kCoalesced;
            connection.owed -= count;
            answers_ += count;
            send(connection, static_cast<std::uint32_t>(count * kResponse.size()));
        } else if (!connection.receiving) {
            close(connection.fd);
            delete &connection;
        }
    }

    void send(Connection& connection, std::uint32_t size) {
        connection.sending = true;
        connection.sending_size = size;
        connection.sent = 0;
        send_rest(connection);
    }

    void send_rest(Connection& connection) {
        const char* from = echo_ ? buffer(connection.first) : responses_.data();
        io_uring_sqe* sqe = next_sqe(Op::send, &connection);
        io_uring_prep_send(sqe, connection.fd, from + connection.sent,
                           connection.sending_size - connection.sent, MSG_NOSIGNAL);
    }

    void on_send(Connection& connection, int result) {
        if (result > 0) {
            connection.sent += static_cast<std::uint32_t>(result);
            if (connection.sent < connection.sending_size) return send_rest(connection);
        } else {
            connection.broken = true;
            shutdown(connection.fd, SHUT_RDWR);  // Ends the receive.
        }
        connection.sending = false;
        if (echo_) {
            recycle_first(connection);
            ++answers_;
        }
        if (connection.owed > 0 || connection.first != kNone || !connection.receiving) {
            mark_dirty(connection);
        }
    }

    void discard(Connection& connection) {
        connection.owed = 0;
        while (connection.first != kNone) recycle_first(connection);
    }

    void recycle_first(Connection& connection) {
        const std::uint16_t id = connection.first;
        connection.first = chunks_[id].next;
        recycle(id);
    }

    // Receives that ended for want of a buffer go on once one has come back.
    void rearm_starved() {
        if (recycled_ == 0 || starved_.empty()) return;
        recycled_ = 0;
        for (Connection* connection : starved_) arm_receive(*connection);
        starved_.clear();
    }

    const bool echo_;
    io_uring ring_{};
    int listener_ = -1;
    io_uring_buf_ring* buffer_ring_ = nullptr;
    std::unique_ptr<char[]> buffers_;
    std::array<Chunk, kBuffers> chunks_{};
    const std::string responses_ = repeated_response();
    std::vector<Connection*> dirty_;    // Borrows: until the end of the turn.
    std::vector<Connection*> starved_;  // Borrows: until re-armed; they cannot end before.
    std::uint64_t recycled_ = 0;
    std::uint64_t answers_ = 0;
    std::uint64_t syscalls_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
    const Options options = parse_options(argc, argv);
    stop_on_signals();
    Server(options).run();
}
