// channel<T>: tasks of one shard pass values along, and the fast ones wait for the slow ones.
//
//     Sender ─┐                                       ┌─► a waiting receiver gets it directly
//     Sender ─┼─► send ─► [ ring, up to `capacity` ] ─┴─► Receiver
//     Sender ─┘    └─ full: waits in line
//
// Invariants: a receiver waits only while the ring is empty, a sender only while it is full. So a
// newcomer that finds room has nobody to overtake, and lines are served in order.
//
// What ends how: when the last Sender goes, the receiver still gets what is buffered, then
// std::nullopt. When the Receiver goes or closes, every sender gets its value back. A value is in
// exactly one place at a time: a send that is stopped has not happened; a value that was handed to
// a receiver which nobody asks for it any more goes back to the front.
//
// Affinity: owner shard. For other threads see layer 09. Source: Go's channels, Tokio's mpsc.
#pragma once

#include <cassert>
#include <cstddef>
#include <memory>
#include <optional>
#include <starling/channel_state.hh>
#include <utility>

namespace starling {

/// An end that sends. Copies are senders of their own; the channel ends when the last one goes.
/// \affinity owner shard
template <class T>
class Sender {
  public:
    Sender() = default;
    /// For `channel`: one more sender of `state`.
    explicit Sender(detail::ChannelState<T>& state) noexcept : state_(&state) {
        ++state.senders;
        ++state.refs;
    }
    /// A further sender of the same channel; holds none if `other` holds none.
    Sender(const Sender& other) noexcept {
        if (other.state_ != nullptr) *this = Sender(*other.state_);
    }
    Sender(Sender&& other) noexcept = default;
    /// The channel that this was for loses a sender, perhaps its last.
    Sender& operator=(Sender other) noexcept {
        state_.swap(other.state_);
        return *this;
    }

    /// Waits until there is room and nobody is before it in the line. \pre not moved from
    /// `if (auto r = co_await tx.send(x); !r) …  // closed, and x is r.value() again`
    /// \throws Cancelled if the task is stopped. O(1).
    SendOperation<T> send(T value) const noexcept { return {*state_, std::move(value)}; }
    /// Sends if that is possible without waiting. O(1).
    SendResult<T> try_send(T value) const {
        if (closed()) return {SendStatus::closed, std::move(value)};
        if (!state_->try_push(value)) return {SendStatus::full, std::move(value)};
        return {};
    }
    /// Whether there is no receiver any more.
    bool closed() const noexcept { return !state_->open; }

  private:
    struct Drop {
        void operator()(detail::ChannelState<T>* state) const noexcept { state->drop_sender(); }
    };
    std::unique_ptr<detail::ChannelState<T>, Drop> state_;  // Owns: its share.
};

/// The end that receives. Move-only. Goes with everything that is still in the channel.
/// \affinity owner shard
template <class T>
class Receiver {
  public:
    Receiver() = default;
    /// For `channel`, which makes one only.
    explicit Receiver(detail::ChannelState<T>& state) noexcept : state_(&state) { ++state.refs; }

    /// Waits for a value; std::nullopt when none can come any more. Several tasks may wait; they
    /// are served in order. `while (auto x = co_await rx.recv()) …` \throws Cancelled if the task
    /// is stopped. O(1).
    RecvOperation<T> recv() noexcept { return RecvOperation<T>(*state_); }
    /// Takes a value if there is one. O(1).
    std::optional<T> try_recv() {
        std::optional<T> value;
        state_->try_pop(value);
        return value;
    }
    /// Wants no more: senders get their values back. What is buffered can still be received.
    void close() noexcept { state_->close(); }
    /// Whether nothing is left and nothing can come.
    bool ended() const noexcept { return state_->ended && size() == 0; }
    /// How many values are buffered.
    std::size_t size() const noexcept { return state_->ring.size(); }

  private:
    struct Drop {
        void operator()(detail::ChannelState<T>* state) const noexcept { state->drop_receiver(); }
    };
    std::unique_ptr<detail::ChannelState<T>, Drop> state_;  // Owns: its share.
};

/// What `channel` gives out.
template <class T>
struct Channel {
    Sender<T> sender;      ///< The first one; copy it to have more.
    Receiver<T> receiver;  ///< The only one; several tasks may wait at it.
};

/// A channel that holds up to `capacity` values. `auto [tx, rx] = channel<int>(16);`
/// \pre capacity is at least 1. One allocation, and the ring's.
template <class T>
Channel<T> channel(std::size_t capacity) {
    assert(capacity > 0 && "a channel needs room for a value");
    auto* state = new detail::ChannelState<T>(capacity);
    return {Sender<T>(*state), Receiver<T>(*state)};
}
/// A channel whose buffer is your memory: for senders that cannot wait.
template <class T>
Channel<T> unbounded_channel() {
    return channel<T>(Ring<T>::kUnlimited);
}

}  // namespace starling
