// ChannelState: what the two ends of a channel share, and the operations that wait in its lines.
//
//     senders_line: op ► op ► op      [ ring ]      receivers_line: op ► op ► op
//           each holds its value                         each gets its value
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

namespace starling {

/// Whether a value was sent, or why not.
enum class SendStatus : unsigned char {
    sent,    ///< It is the channel's, or a receiver's, by now.
    full,    ///< Only from try_send.
    closed,  ///< There is no receiver any more, or it wants no more.
};

/// What became of a value: sent, or here it is again.
template <class T>
class [[nodiscard]] SendResult {
  public:
    /// \param status whether it was sent \param value if not, here it is
    SendResult(SendStatus status = SendStatus::sent, std::optional<T> value = {})
        : value_(std::move(value)), status_(status) {}

    /// Whether it was sent.
    explicit operator bool() const noexcept { return status_ == SendStatus::sent; }
    /// Why it was not sent; `sent` if it was.
    SendStatus status() const noexcept { return status_; }
    /// The value that was not sent. \pre status() is not sent
    T& value() & noexcept { return *value_; }
    /// The same, to look at it.
    const T& value() const& noexcept { return *value_; }
    /// The same, to move it out.
    T&& value() && noexcept { return *std::move(value_); }

  private:
    std::optional<T> value_;
    SendStatus status_;
};

template <class T>
class SendOperation;
template <class T>
class RecvOperation;

namespace detail {

/// What the two ends share. Freed when nobody refers to it any more. \affinity owner shard
template <class T>
struct ChannelState : Pooled {
    explicit ChannelState(std::size_t capacity) noexcept : ring(capacity) {}

    void drop_sender() noexcept {
        if (--senders == 0) end();
        drop_ref();
    }
    void drop_receiver() noexcept {
        close();
        has_receiver = false;
        while (!ring.empty()) ring.pop_front();
        drop_ref();
    }
    void drop_ref() noexcept {
        if (--refs == 0) delete this;
    }
    /// The receiver wants no more.
    void close() noexcept {
        open = false;
        end();
    }

    // Values. Inlined, which the compiler finds too much (BM_Channel_SendRecv: 6 ns, not 8).

    /// Passes `value` on, unless the ring is full. \pre open
    [[gnu::always_inline]] bool try_push(T& value) {
        if (ring.full()) return false;
        ring.push_back(std::move(value));
        RecvOperation<T>::serve(receivers_line);
        return true;
    }
    /// Takes the oldest value into `out`, unless there is none.
    bool try_pop(std::optional<T>& out) {
        if (ring.empty()) return false;
        out.emplace(ring.pop_front());
        SendOperation<T>::serve(senders_line);
        return true;
    }
    /// Takes the oldest value into `out`; leaves it empty at the end. \return whether it is settled
    [[gnu::always_inline]] bool try_receive(std::optional<T>& out) {
        if (!ended) [[likely]]
            return try_pop(out);
        // BEGIN 6.3: close
        //| Nothing will be sent any more. What has been sent is still received.
        //= todo("6.3", "ChannelState::try_receive");
        try_pop(out);
        return true;
        // END 6.3
    }
    /// A value that was handed to a receiver who does not take it.
    void give_back(T&& value) noexcept {
        if (!has_receiver) return;  // A sender that is left would keep it.
        // BEGIN 6.4: an operation that is stopped
        //| It is older than anything in the ring, and another receiver may be waiting.
        //= return todo_soft("6.4", "ChannelState::give_back");
        ring.push_front(std::move(value));
        RecvOperation<T>::serve(receivers_line);
        // END 6.4
    }
    /// Nothing will come, or nothing is wanted any more.
    void end() noexcept {
        ended = true;
        if (senders_line.empty() && receivers_line.empty()) return;
        // BEGIN 6.3: close
        //| Whoever waits goes on: a sender with its own value, a receiver without one. `try_now`
        //| knows that already. None may run before both lines have been served.
        //= return todo_soft("6.3", "ChannelState::end");
        TrampolineScope nobody_runs;
        SendOperation<T>::serve(senders_line);
        RecvOperation<T>::serve(receivers_line);
        // END 6.3
    }

    Ring<T> ring;
    typename Waiter<SendOperation<T>>::Line senders_line;
    typename Waiter<RecvOperation<T>>::Line receivers_line;
    std::size_t senders = 0;
    std::size_t refs = 0;      // The ends, and the receives that were started.
    bool open = true;          // The receiver still wants something.
    bool ended = false;        // Nothing will be sent any more.
    bool has_receiver = true;  // It may have closed.
};

}  // namespace detail

/// Sends one value. Stopped while it waits, it has not been sent: `take_back` gives it out again.
/// \affinity owner shard
template <class T>
class [[nodiscard]] SendOperation : public Waiter<SendOperation<T>> {
  public:
    /// For `Sender::send`. \pre an end of the channel is there when it is awaited
    SendOperation(detail::ChannelState<T>& state, T&& value) noexcept
        : state_(state), value_(std::move(value)) {}

    bool ready() {
        this->renew();
        return try_now();
    }
    SendResult<T> finish() {
        Waiter<SendOperation>::finish();
        if (!value_.has_value()) [[likely]]
            return {};
        return {SendStatus::closed, take_back()};
    }
    /// The value of a send that was stopped, or never awaited.
    T&& take_back() noexcept { return *std::move(value_); }

    /// As Waiter asks: sent, or there is no receiver any more and the value stays here.
    bool try_now() {
        if (!state_.open) return true;
        if (!state_.try_push(*value_)) return false;
        value_.reset();
        return true;
    }
    /// That of the senders.
    auto& line() noexcept { return state_.senders_line; }

  private:
    detail::ChannelState<T>& state_;  // Borrows: while it waits, there is a receiver.
    std::optional<T> value_;          // Until it is sent.
};

/// Receives one value, or std::nullopt at the end.
/// \affinity owner shard
template <class T>
class [[nodiscard]] RecvOperation : public Waiter<RecvOperation<T>> {
  public:
    /// For `Receiver::recv`. \pre the receiver is there until it is awaited or destroyed
    explicit RecvOperation(detail::ChannelState<T>& state) noexcept : state_(state) {}
    /// Takes along what `other` has received already. \pre `other` has not been started
    RecvOperation(RecvOperation&& other) noexcept
        : state_(other.state_), value_(std::exchange(other.value_, std::nullopt)) {}
    ~RecvOperation() {
        if (value_.has_value()) [[unlikely]]
            give_back();
        if (this->started()) [[unlikely]]
            state_.drop_ref();
    }

    bool ready() {
        this->renew();
        return value_.has_value() || state_.try_receive(value_);
    }
    /// From here on this keeps the state alive: both ends may go before the awaiting task runs.
    void start(Continuation& c) {
        if (!this->started()) ++state_.refs;
        Waiter<RecvOperation>::start(c);
    }
    std::optional<T> finish() {
        Waiter<RecvOperation>::finish();
        // Value and flag one by one: std::exchange reads them with one load, which has to wait for
        // both stores to leave the store buffer (BM_Channel_SendRecv: 13 ns instead of 9).
        std::optional<T> result;
        if (value_.has_value()) result.emplace(std::move(*value_));
        value_.reset();
        return result;
    }

    /// As Waiter asks: got a value, or none will come any more.
    bool try_now() {
        // BEGIN 6.2: waiters, first come first served
        //| It is settled as soon as `try_receive` says so.
        //= todo("6.2", "RecvOperation::try_now");
        return state_.try_receive(value_);
        // END 6.2
    }
    /// That of the receivers.
    auto& line() noexcept { return state_.receivers_line; }

  private:
    /// This goes, and nobody has taken the value.
    void give_back() noexcept {
        // BEGIN 6.4: an operation that is stopped
        //| The value must not go with it.
        //= return todo_soft("6.4", "RecvOperation::give_back");
        state_.give_back(*std::move(value_));
        // END 6.4
    }

    detail::ChannelState<T>& state_;  // Borrows; once started, keeps it alive.
    std::optional<T> value_;          // Until it is taken.
};

}  // namespace starling
