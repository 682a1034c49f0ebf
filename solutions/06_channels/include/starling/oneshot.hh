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
#include <starling/channel.hh>
#include <starling/operation.hh>

namespace starling {

template <class T>
class OneshotReceiver;

/// Move-only. Without a `send` its end is the receiver's std::nullopt. \affinity owner shard
template <class T>
class OneshotSender {
  public:
    OneshotSender() = default;
    explicit OneshotSender(OneshotReceiver<T>& receiver) noexcept { link(&receiver); }
    OneshotSender(OneshotSender&& other) noexcept { link(std::exchange(other.receiver_, nullptr)); }
    OneshotSender& operator=(OneshotSender&& other) noexcept {
        if (this == &other) return *this;
        hang_up();
        link(std::exchange(other.receiver_, nullptr));
        return *this;
    }
    ~OneshotSender() { hang_up(); }

    /// Gives the value, or gives it back if nobody waits for it: the receiver has gone, or has got
    /// one.
    SendResult<T> send(T value) {
        if (receiver_ == nullptr) return {SendStatus::closed, std::move(value)};
        receiver_->value_.emplace(std::move(value));
        hang_up();
        return {};
    }
    bool closed() const noexcept { return receiver_ == nullptr; }

  private:
    friend class OneshotReceiver<T>;
    void link(OneshotReceiver<T>* receiver) noexcept {
        receiver_ = receiver;
        if (receiver_ != nullptr) receiver_->sender_ = this;
    }
    void hang_up() noexcept {
        if (receiver_ != nullptr) std::exchange(receiver_, nullptr)->settle();
    }
    OneshotReceiver<T>* receiver_ =
        nullptr;  // Borrows: while linked, each knows where the other is.
};

/// An operation: `std::optional<T> x = co_await receiver;`. It can be moved while nobody awaits it.
/// \affinity owner shard
template <class T>
class OneshotReceiver : private StopNode {
  public:
    OneshotReceiver() noexcept : StopNode(&on_stop) {}
    OneshotReceiver(OneshotReceiver&& other) noexcept
        : StopNode(std::move(other)), value_(std::move(other.value_)) {
        other.value_.reset();
        if (other.sender_ != nullptr) std::exchange(other.sender_, nullptr)->link(this);
    }
    OneshotReceiver& operator=(OneshotReceiver&&) = delete;
    ~OneshotReceiver() {
        if (sender_ != nullptr) sender_->receiver_ = nullptr;
    }

    /// Whether the value is here, or cannot come any more.
    bool ready() const noexcept { return sender_ == nullptr; }
    void start(Continuation& c) noexcept {
        if (ready()) return post(c);
        waiter_ = &c;
        if (c.context() != nullptr) c.context()->link(*this);
    }
    /// A value that comes after the stop, before the waiter runs, still counts.
    bool stopped() const noexcept { return stopped_ && !ready(); }
    /// The value; std::nullopt if the sender went without a `send`, or the value has been taken.
    std::optional<T> finish() {
        const bool was_stopped = stopped();
        stopped_ = false;
        if (was_stopped) throw Cancelled{};
        return std::exchange(value_, std::nullopt);
    }

  private:
    friend class OneshotSender<T>;
    void settle() noexcept {
        sender_ = nullptr;
        unlink();
        if (waiter_ != nullptr) post(*std::exchange(waiter_, nullptr));
    }
    static void on_stop(StopNode& node) noexcept {
        auto& self = static_cast<OneshotReceiver&>(node);
        self.stopped_ = true;
        post(*std::exchange(self.waiter_, nullptr));
    }

    OneshotSender<T>* sender_ = nullptr;  // Borrows: while linked.
    Continuation* waiter_ = nullptr;      // Borrows: it awaits this.
    std::optional<T> value_;
    bool stopped_ = false;
};

template <class T>
struct Oneshot {
    OneshotReceiver<T> receiver;
    OneshotSender<T> sender{receiver};
};

/// `auto [rx, tx] = oneshot<int>();` Allocates nothing.
template <class T>
Oneshot<T> oneshot() {
    return {};
}

}  // namespace starling
