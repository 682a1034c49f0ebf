// oneshot<T>: one value from one task to another, once.
//
//     OneshotSender ◄──► OneshotReceiver { value }      linked: whichever moves tells the other
//
// Like Promise and Future of layer 01, nothing is allocated. Unlike them, a receiver whose await
// was stopped can be awaited again, and a value that nobody waits for comes back to the sender.
//
// Affinity: owner shard.
#pragma once

#include <optional>
#include <starling/channel_state.hh>
#include <utility>

namespace starling {

template <class T>
class OneshotReceiver;

/// Move-only. Without a `send` its end is the receiver's std::nullopt. \affinity owner shard
template <class T>
class OneshotSender {
  public:
    /// Closed.
    OneshotSender() = default;
    /// `other` is closed afterwards.
    OneshotSender(OneshotSender&& other) noexcept { link(std::exchange(other.receiver_, nullptr)); }
    /// The same; whoever waited for this one's value gets std::nullopt.
    OneshotSender& operator=(OneshotSender other) noexcept {
        OneshotReceiver<T>* mine = receiver_;
        link(other.receiver_);
        other.link(mine);
        return *this;
    }
    ~OneshotSender() { hang_up(); }

    /// Gives the value, or gives it back if nobody waits for it: the receiver has gone, or has got
    /// one.
    SendResult<T> send(T value) {
        if (closed()) return {SendStatus::closed, std::move(value)};
        receiver_->value_.emplace(std::move(value));
        hang_up();
        return {};
    }
    /// Whether nobody waits for a value any more.
    bool closed() const noexcept { return receiver_ == nullptr; }

  private:
    friend class OneshotReceiver<T>;
    void link(OneshotReceiver<T>* receiver) noexcept {
        receiver_ = receiver;
        if (receiver != nullptr) receiver->sender_ = this;
    }
    void hang_up() noexcept {
        if (receiver_ == nullptr) return;
        receiver_->sender_ = nullptr;
        Waiter<OneshotReceiver<T>>::serve(std::exchange(receiver_, nullptr)->line_);
    }
    OneshotReceiver<T>* receiver_ = nullptr;  // Borrows: while linked.
};

/// An operation: `std::optional<T> x = co_await receiver;`. It can be moved while nobody awaits it.
/// \affinity owner shard
template <class T>
class OneshotReceiver : public Waiter<OneshotReceiver<T>> {
    using Base = Waiter<OneshotReceiver>;

  public:
    /// For `oneshot`. \pre `sender` is new
    explicit OneshotReceiver(OneshotSender<T>& sender) noexcept { sender.link(this); }
    /// The sender serves this one now; `other` gets nothing any more. \pre nobody awaits `other`
    OneshotReceiver(OneshotReceiver&& other) noexcept
        : value_(std::exchange(other.value_, std::nullopt)) {
        if (other.sender_ != nullptr) std::exchange(other.sender_, nullptr)->link(this);
    }
    ~OneshotReceiver() {
        this->give_up();
        if (sender_ != nullptr) sender_->receiver_ = nullptr;
    }

    /// Whether the value is here, or cannot come any more.
    bool ready() const noexcept { return sender_ == nullptr; }
    /// A value that comes after the stop, before the waiter runs, still counts.
    bool stopped() const noexcept { return Base::stopped() && !ready(); }
    /// The value; std::nullopt if the sender went without a `send`, or the value has been taken.
    std::optional<T> finish() {
        if (stopped()) throw Cancelled{};
        return std::exchange(value_, std::nullopt);
    }

    /// As Waiter asks: the same as `ready`.
    bool try_now() const noexcept { return ready(); }
    /// Its own: nobody else waits for this value.
    typename Base::Line& line() noexcept { return line_; }

  private:
    friend class OneshotSender<T>;
    typename Base::Line line_;            // This, while it waits.
    OneshotSender<T>* sender_ = nullptr;  // Borrows: while linked.
    std::optional<T> value_;
};

/// What `oneshot` gives out: two ends that know each other.
template <class T>
struct Oneshot {
    OneshotSender<T> sender;              ///< Its one `send` gives the value.
    OneshotReceiver<T> receiver{sender};  ///< Await it for the value.
};

/// `auto [tx, rx] = oneshot<int>();` Allocates nothing.
template <class T>
Oneshot<T> oneshot() {
    return {};
}

}  // namespace starling
