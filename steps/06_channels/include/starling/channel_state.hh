// ChannelState: what the two ends of a channel share, and the operations that wait in its lines.
//
//     senders_waiting_: op ► op ► op      [ ring ]      receivers_waiting_: op ► op ► op
//            each holds its value                           each gets its value handed over
//
// One of the two lines is always empty, and both are unless the ring is full or empty: so whoever
// finds room, or a value, has nobody to overtake.
//
// Affinity: owner shard.
#pragma once

#include <cstddef>
#include <optional>
#include <starling/frame_pool.hh>
#include <starling/ring.hh>
#include <starling/waiter.hh>
#include <utility>
#include <starling/todo.hh>

namespace starling {

template <class T>
class SendOperation;
template <class T>
class RecvOperation;

enum class SendStatus : unsigned char {
    sent,
    full,    // Only from try_send.
    closed,  // There is no receiver any more.
};

/// What became of a value: sent, or here it is again.
template <class T>
class [[nodiscard]] SendResult {
  public:
    SendResult() = default;
    SendResult(SendStatus status, T&& value) : value_(std::move(value)), status_(status) {}

    /// Whether it was sent.
    explicit operator bool() const noexcept { return status_ == SendStatus::sent; }
    SendStatus status() const noexcept { return status_; }
    /// The value that was not sent. \pre status() is not sent
    T& value() & noexcept { return *value_; }
    T&& value() && noexcept { return *std::move(value_); }

  private:
    std::optional<T> value_;
    SendStatus status_ = SendStatus::sent;
};

namespace detail {

/// What the two ends share. Freed when nobody refers to it any more. \affinity owner shard
template <class T>
class ChannelState : public Pooled {
  public:
    explicit ChannelState(std::size_t capacity) noexcept : ring_(capacity) {}

    // Who is there.

    void add_sender() noexcept { ++senders_; }
    void drop_sender() noexcept {
        if (--senders_ == 0 && !receivers_waiting_.empty()) end_receivers();
        drop_ref();
    }
    void drop_receiver() noexcept {
        close();
        has_receiver_ = false;
        while (!ring_.empty()) ring_.pop_front();
        drop_ref();
    }
    /// An end, or an operation that waits, keeps this alive.
    void add_ref() noexcept { ++refs_; }
    void drop_ref() noexcept {
        if (--refs_ == 0) delete this;
    }
    /// The receiver wants no more.
    void close() noexcept {
        open_ = false;
        if (!senders_waiting_.empty()) refuse_senders();
        if (!receivers_waiting_.empty()) end_receivers();
    }

    /// Whether the receiver still wants something.
    bool open() const noexcept { return open_; }
    /// Whether nothing will be sent any more.
    bool closing() const noexcept { return senders_ == 0 || !open_; }
    bool ended() const noexcept { return closing() && ring_.empty(); }
    std::size_t size() const noexcept { return ring_.size(); }
    std::size_t capacity() const noexcept { return ring_.limit(); }

    // Values.

    /// Passes `value` on, unless the ring is full. \pre open()
    bool try_push(T& value) {
        if (!receivers_waiting_.empty()) {
            hand_over(std::move(value));
            return true;
        }
        if (ring_.full()) return false;
        ring_.push_back(std::move(value));
        return true;
    }
    /// Takes the oldest value into `out`, unless there is none.
    bool try_pop(std::optional<T>& out) {
        if (ring_.empty()) return false;
        out.emplace(ring_.pop_front());
        if (!senders_waiting_.empty()) admit_senders();
        return true;
    }
    /// Takes the oldest value into `out`; leaves it empty at the end. \return whether it is settled
    bool try_receive(std::optional<T>& out) {
        if (!closing()) [[likely]]
            return try_pop(out);
        // BEGIN 6.3: close
        // Nothing will be sent any more. What has been sent is still received.
        todo("6.3", "ChannelState::try_receive");
        // END 6.3
    }
    /// A value that was handed to a receiver who does not take it.
    void give_back(T&& value) noexcept {
        if (!has_receiver_) return;
        // BEGIN 6.4: an operation that is stopped
        // It is older than anything in the ring, and another receiver may be waiting.
        return todo_soft("6.4", "ChannelState::give_back");
        // END 6.4
    }

    // Lines.

    void wait_to_send(SendOperation<T>& op, Continuation& c) {
        // BEGIN 6.2: waiters, first come first served
        // The ring is full: join the line (`op.wait_in`).
        todo("6.2", "ChannelState::wait_to_send");
        // END 6.2
    }
    void wait_to_receive(RecvOperation<T>& op, Continuation& c) {
        // BEGIN 6.2: waiters, first come first served
        // The ring is empty: join the line.
        todo("6.2", "ChannelState::wait_to_receive");
        // END 6.2
    }

  private:
    /// To the receiver that has waited longest. \pre there is one
    void hand_over(T&& value) {
        // BEGIN 6.2: waiters, first come first served
        // Give it the value (`value_`), then `grant()` it: in this order, because it may run at once.
        todo("6.2", "ChannelState::hand_over");
        // END 6.2
    }
    /// There may be room.
    void admit_senders() {
        // BEGIN 6.2: waiters, first come first served
        // As long as there is room, move the value of the sender that has waited longest into the
        // ring, note that it was sent, and grant it. Nobody may run before the loop is over.
        todo("6.2", "ChannelState::admit_senders");
        // END 6.2
    }
    /// The last sender has gone.
    void end_receivers() noexcept {
        // BEGIN 6.3: close
        // Whoever waits for a value gets none.
        return todo_soft("6.3", "ChannelState::end_receivers");
        // END 6.3
    }
    /// The receiver has closed.
    void refuse_senders() noexcept {
        // BEGIN 6.3: close
        // Whoever waits to send keeps the value and learns why.
        return todo_soft("6.3", "ChannelState::refuse_senders");
        // END 6.3
    }

    Ring<T> ring_;
    WaitLine<SendOperation<T>> senders_waiting_;
    WaitLine<RecvOperation<T>> receivers_waiting_;
    std::size_t senders_ = 0;
    std::size_t refs_ = 0;
    bool open_ = true;
    bool has_receiver_ = true;
};

}  // namespace detail

/// Sends one value. Stopped while it waits, it has not been sent: `take_back` gives it out again.
/// \affinity owner shard
template <class T>
class SendOperation : public Waiter {
  public:
    SendOperation(detail::ChannelState<T>& state, T&& value) noexcept
        : state_(state), value_(std::move(value)) {}
    SendOperation(SendOperation&&) noexcept = default;
    ~SendOperation() {
        if (started()) [[unlikely]] leave();
    }

    bool ready() {
        if (!state_.open()) {
            status_ = SendStatus::closed;
            return true;
        }
        if (!state_.try_push(value_)) return false;
        status_ = SendStatus::sent;
        return true;
    }
    void start(Continuation& c) {
        if (ready()) return post(c);
        state_.add_ref();
        state_.wait_to_send(*this, c);
    }
    SendResult<T> finish() {
        if (stopped()) throw Cancelled{};
        return status_ == SendStatus::sent ? SendResult<T>()
                                           : SendResult<T>(status_, std::move(value_));
    }
    /// The value of a send that was stopped, or never awaited.
    T&& take_back() noexcept { return std::move(value_); }

    /// The context was stopped while this waits. Never called once it was granted.
    void end_early() noexcept {
        // BEGIN 6.4: an operation that is stopped
        // A send that is stopped has not happened.
        return todo_soft("6.4", "SendOperation::end_early");
        // END 6.4
    }

  private:
    friend class detail::ChannelState<T>;
    [[gnu::noinline]] void leave() noexcept {
        abandon();
        state_.drop_ref();
    }

    detail::ChannelState<T>& state_;  // Borrows: until start; then it keeps the state alive.
    T value_;
    SendStatus status_ = SendStatus::full;
};

/// Receives one value, or std::nullopt at the end.
/// \affinity owner shard
template <class T>
class RecvOperation : public Waiter {
  public:
    explicit RecvOperation(detail::ChannelState<T>& state) noexcept : state_(state) {}
    RecvOperation(RecvOperation&& other) noexcept
        : Waiter(std::move(other)),
          state_(other.state_),
          value_(std::exchange(other.value_, std::nullopt)) {}
    ~RecvOperation() {
        if (value_.has_value() || started()) [[unlikely]] leave();
    }

    bool ready() { return value_.has_value() || state_.try_receive(value_); }
    void start(Continuation& c) {
        if (ready()) return post(c);
        state_.add_ref();
        state_.wait_to_receive(*this, c);
    }
    std::optional<T> finish() {
        if (stopped()) throw Cancelled{};
        // Value and flag one by one: std::exchange reads them with one load, which has to wait for
        // both stores to leave the store buffer (BM_Channel_SendRecv: 13 ns instead of 9).
        std::optional<T> result;
        if (value_.has_value()) result.emplace(std::move(*value_));
        value_.reset();
        return result;
    }

    /// The context was stopped while this waits. Never called once it was granted.
    void end_early() noexcept {
        // BEGIN 6.4: an operation that is stopped
        // Whoever waits for a value and is stopped gets none.
        return todo_soft("6.4", "RecvOperation::end_early");
        // END 6.4
    }

  private:
    friend class detail::ChannelState<T>;
    [[gnu::noinline]] void leave() noexcept {
        if (value_.has_value()) give_back();
        if (!started()) return;
        abandon();
        state_.drop_ref();
    }
    /// This goes, and nobody has taken the value.
    void give_back() noexcept {
        // BEGIN 6.4: an operation that is stopped
        // The value must not go with it.
        return todo_soft("6.4", "RecvOperation::give_back");
        // END 6.4
    }

    detail::ChannelState<T>& state_;  // Borrows: until start; then it keeps the state alive.
    std::optional<T> value_;
};

}  // namespace starling
