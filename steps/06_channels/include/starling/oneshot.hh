// oneshot<T>: one value from one task to another, once.
//
//     OneshotSender { Promise } ◄──► OneshotReceiver { Future }     linked: whichever moves tells
//                                                                   the other
//
// The pair of layer 01, except that a sender that goes is no error, and that a value which nobody
// waits for any more comes back. A receiver whose await was stopped can be awaited again.
//
// Affinity: owner shard.
#pragma once

#include <optional>
#include <starling/channel_state.hh>
#include <starling/future.hh>
#include <starling/operation.hh>
#include <utility>

namespace starling {

/// Move-only. Without a `send` its end is the receiver's std::nullopt. \affinity owner shard
template <class T>
class OneshotSender {
  public:
    /// Closed.
    OneshotSender() = default;
    /// `other` is closed afterwards.
    OneshotSender(OneshotSender&& other) noexcept = default;
    /// The same; whoever waited for this one's value gets std::nullopt.
    OneshotSender& operator=(OneshotSender other) noexcept {
        std::swap(promise_, other.promise_);
        return *this;
    }
    ~OneshotSender() {
        if (!closed()) promise_.set_value(std::nullopt);
    }

    /// Gives the value, or gives it back if nobody waits for it: the receiver has gone, or has got
    /// one.
    SendResult<T> send(T value) {
        if (closed()) return {SendStatus::closed, std::move(value)};
        promise_.set_value(std::optional<T>(std::move(value)));
        return {};
    }
    /// Whether nobody waits for a value any more.
    bool closed() const noexcept { return !promise_.wanted(); }

  private:
    template <class>
    friend class OneshotReceiver;
    Promise<std::optional<T>> promise_;
};

/// An operation: `std::optional<T> x = co_await receiver;` gives the value, std::nullopt if the
/// sender went without a `send`. Once; after that FutureError already_retrieved. It can be moved
/// while nobody awaits it. \affinity owner shard
template <class T>
class OneshotReceiver : public FutureOperation<std::optional<T>> {
  public:
    /// For `oneshot`. \pre `sender` is new
    explicit OneshotReceiver(OneshotSender<T>& sender)
        : FutureOperation<std::optional<T>>(sender.promise_) {}
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
