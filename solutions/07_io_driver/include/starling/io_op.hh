// The one-shot operations: accept, connect, recv, send, recvmsg, sendmsg, poll, close.
//
//     std::size_t n = co_await RecvOp(fd, buffer);      // 0: the peer has ended its stream
//
// Stopping one submits a cancel and then *waits*: the kernel owns the buffer until the last
// completion. Whatever that completion says counts: if the kernel was faster, the operation has
// succeeded and returns its value.
//
//     stop requested?  result     stopped()  finish()
//     no               ≥ 0        false      the value
//     no               -errno     false      throws std::system_error that names the operation
//     yes              ≥ 0        false      the value: a success beats a stop
//     yes              -ECANCELED true       throws Cancelled
//     yes              -errno     false      throws std::system_error
//
// `result()` gives the same as an int, for those who decide by themselves.
//
// Affinity: owner shard.
#pragma once

#include <span>
#include <starling/io_request.hh>
#include <starling/operation.hh>

struct sockaddr;

namespace starling {

/// \throws std::system_error with `result`, a -errno, and the operation's name
[[noreturn]] void throw_io_error(const char* what, int result);

/// What the one-shot operations share. \affinity owner shard
class OneShotOp : public IoOp, private StopNode {
  public:
    bool ready() { return done_ || (done_ = try_now(result_)); }
    void start(Continuation& c);
    bool stopped() const noexcept;
    bool done() const noexcept { return done_; }
    /// ≥ 0, or -errno. \pre done()
    int result() const noexcept { return result_; }

    /// Ends it early, as a stop of its context does. Idempotent. \pre started
    void stop() noexcept { on_stop(*this); }

  protected:
    OneShotOp(IoFd& fd, const IoRequest& request) noexcept : IoOp(fd, request), StopNode(&on_stop) {}
    OneShotOp(OneShotOp&&) noexcept = default;
    /// The value. \throws Cancelled, std::system_error
    int finish_as(const char* what);

  private:
    void complete(const IoCompletion& completion) noexcept override;
    static void on_stop(StopNode& node) noexcept;

    Continuation* waiter_ = nullptr;  // Borrows: it owns this operation.
    int result_ = 0;
    bool done_ = false;
    bool stop_requested_ = false;
};

/// Takes a connection from a listening socket. A value that nobody takes closes itself.
class AcceptOp final : public OneShotOp {
  public:
    explicit AcceptOp(IoFd& listener) noexcept : OneShotOp(listener, {.code = IoCode::accept}) {}
    AcceptOp(AcceptOp&&) noexcept = default;
    ~AcceptOp() { OwnedFd unclaimed(done() && !taken_ ? result() : -1); }

    OwnedFd finish() {
        const int fd = finish_as("accept");
        taken_ = true;
        return OwnedFd(fd);
    }

  private:
    bool taken_ = false;
};

/// \param address Borrows: until the operation has ended.
class ConnectOp final : public OneShotOp {
  public:
    ConnectOp(IoFd& fd, const sockaddr* address, std::uint32_t size) noexcept
        : OneShotOp(fd, {.code = IoCode::connect, .size = size, .data = const_cast<sockaddr*>(address)}) {}
    void finish() { finish_as("connect"); }
};

/// Receives what is there, at least one byte; 0 is the end of the stream.
/// \param into Borrows: until the operation has ended.
class RecvOp final : public OneShotOp {
  public:
    RecvOp(IoFd& fd, std::span<std::byte> into, int flags = 0) noexcept
        : OneShotOp(fd, {.code = IoCode::recv,
                         .flags = flags,
                         .size = request_size(into.size()),
                         .data = into.data()}) {}
    std::size_t finish() { return static_cast<std::size_t>(finish_as("recv")); }
};

/// Sends some of `bytes`: the result may be less than asked.
/// \param bytes Borrows: until the operation has ended.
class SendOp final : public OneShotOp {
  public:
    SendOp(IoFd& fd, std::span<const std::byte> bytes, int flags = 0) noexcept
        : OneShotOp(fd, {.code = IoCode::send,
                         .flags = flags,
                         .size = request_size(bytes.size()),
                         .data = const_cast<std::byte*>(bytes.data())}) {}
    std::size_t finish() { return static_cast<std::size_t>(finish_as("send")); }
};

/// recvmsg(2). \param message Borrows, with all it points to: until the operation has ended.
class RecvMsgOp final : public OneShotOp {
  public:
    RecvMsgOp(IoFd& fd, msghdr& message, int flags = 0) noexcept
        : OneShotOp(fd, {.code = IoCode::recvmsg, .flags = flags, .data = &message}) {}
    std::size_t finish() { return static_cast<std::size_t>(finish_as("recvmsg")); }
};

/// sendmsg(2). \param message Borrows, with all it points to: until the operation has ended.
class SendMsgOp final : public OneShotOp {
  public:
    SendMsgOp(IoFd& fd, const msghdr& message, int flags = 0) noexcept
        : OneShotOp(fd, {.code = IoCode::sendmsg,
                         .flags = flags,
                         .data = const_cast<msghdr*>(&message)}) {}
    std::size_t finish() { return static_cast<std::size_t>(finish_as("sendmsg")); }
};

/// Waits until reading, or writing, would not block.
class PollOp final : public OneShotOp {
  public:
    enum class Direction { read, write };
    PollOp(IoFd& fd, Direction direction) noexcept
        : OneShotOp(fd, {.code = direction == Direction::read ? IoCode::poll_read
                                                              : IoCode::poll_write}) {}
    void finish() { finish_as("poll"); }
};

/// Ends what is in flight, waits for it, closes. Runs to its end whatever is stopped around it.
class CloseOp {
  public:
    static constexpr bool kIgnoresStop = true;
    explicit CloseOp(IoFd&& fd) noexcept : fd_(std::move(fd)) {}
    CloseOp(CloseOp&&) noexcept = default;

    bool ready();
    void start(Continuation& c);
    bool stopped() const noexcept { return false; }
    void finish() const noexcept {}

  private:
    IoFd fd_;
};

inline CloseOp IoFd::close() noexcept { return CloseOp(std::move(*this)); }

}  // namespace starling
