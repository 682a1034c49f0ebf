// send_to: a request for whose answer nobody waits; and ForeignPtr, which uses one to have its
// object destroyed where it was made.
//
// Affinity: owner shard, except that the function is called on the other one.
#pragma once

#include <memory>
#include <optional>
#include <starling/frame_pool.hh>
#include <starling/submit.hh>

namespace starling {
namespace detail {

/// A message that frees itself when it is home. \affinity the shard where it is
template <class F>
class OneWay final : public Message, public Pooled {
  public:
    explicit OneWay(F f) : f_(std::move(f)) {}

  private:
    void resume() noexcept override {
        try {
            f_();
        } catch (...) {
            report_ignored_exception(std::current_exception());
        }
        mailbox("send_to").reply(*this);
    }
    bool returned() noexcept override { return delete this, true; }
    F f_;
};

}  // namespace detail

/// Has `f`, a plain function, called on shard `shard`, and does not wait for it: what takes longer
/// it spawns over there. `f` is destroyed here; an exception of it goes to the ignored-exception
/// hook.
/// \return nothing if it is on its way; `f` if there is no credit for it now, or if the runtime is
/// shutting down. `if (auto refused = send_to(1, f)) co_await submit_to(1, *refused);`
/// \pre shard < shard_count(). \throws std::logic_error outside of a shard
template <class F>
    requires std::is_void_v<std::invoke_result_t<F&>>
[[nodiscard]] std::optional<F> send_to(unsigned shard, F f) {
    Mailbox& here = mailbox("send_to");
    if (here.smp().closing() || !here.has_credit(shard)) return f;
    here.send(shard, *new detail::OneWay<F>(std::move(f)));
    return std::nullopt;
}

/// How a ForeignPtr lets go of its object. \affinity any shard
struct DestroyAtHome {
    unsigned home = 0;  ///< The shard that made the object.

    /// Destroys `object` on its shard. Never waits: if there is no credit, the message waits by
    /// itself. When the runtime is over, and outside of any shard, it is destroyed on the spot.
    template <class T>
    void operator()(T* object) const noexcept {
        Mailbox* here = try_service<Mailbox>();
        if (here == nullptr || here->shard() == home || here->smp().quiescent()) {
            delete object;
        } else {
            auto destroy = [object] { delete object; };
            here->send(home, *new detail::OneWay<decltype(destroy)>(destroy));
        }
    }
};

/// Owns an object of the shard that made it. It may be moved to any shard and looked at there (if
/// the object bears that); the object is destroyed at home, wherever this dies.
/// \affinity any shard, one at a time
template <class T>
using ForeignPtr = std::unique_ptr<T, DestroyAtHome>;

/// A ForeignPtr to a new T of this shard. \throws std::logic_error outside of a shard
template <class T, class... Args>
ForeignPtr<T> make_foreign(Args&&... args) {
    const unsigned home = this_shard();
    return ForeignPtr<T>(new T(std::forward<Args>(args)...), DestroyAtHome{home});
}

}  // namespace starling
