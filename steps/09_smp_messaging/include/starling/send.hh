// send_to: a request for whose answer nobody waits; and ForeignPtr, which uses one to have its
// object destroyed where it was made.
//
// Affinity: owner shard, except that the function is called on the other one.
#pragma once

#include <memory>
#include <starling/frame_pool.hh>
#include <starling/submit.hh>

namespace starling {
namespace detail {

/// A submit_to that waits for itself, and then frees itself. \affinity owner shard
template <class F>
class OneWay final : private Continuation, public Pooled {
    static_assert(std::is_void_v<std::invoke_result_t<F&>>, "nobody gets the result");

  public:
    OneWay(Mailbox& home, unsigned shard, F f) : submit_(home, shard, std::move(f)) {
        submit_.start(*this);
    }

  private:
    void resume() noexcept override {
        try {
            submit_.finish();
        } catch (...) {
            report_ignored_exception(std::current_exception());
        }
        delete this;
    }
    SubmitOperation<F> submit_;
};

}  // namespace detail

/// Has `f`, a plain function, called on shard `shard`, and does not wait for it: what takes longer
/// it spawns over there. `f` is destroyed here; an exception of it goes to the ignored-exception
/// hook.
/// \return nothing if it is on its way; `f` if there is no credit for it now, or if the runtime is
/// shutting down. `if (auto refused = send_to(1, f)) co_await submit_to(1, *refused);`
/// \pre shard < shard_count(). \throws std::logic_error outside of a shard
template <class F>
std::optional<F> send_to(unsigned shard, F f) {
    Mailbox& here = mailbox("send_to");
    if (here.smp().closing() || !here.has_credit(shard)) return f;
    new detail::OneWay<F>(here, shard, std::move(f));
    return std::nullopt;
}

/// Owns, through the smart pointer P, an object of the shard that made this. It may be moved to any
/// shard and looked at there (if the object bears that); it is destroyed at home, wherever this
/// dies. Move-only. \affinity any shard, one at a time
template <class P>
class ForeignPtr {
  public:
    /// Empty.
    ForeignPtr() = default;
    /// Takes an object of this shard over. \throws std::logic_error outside of a shard
    explicit ForeignPtr(P p) : p_(std::move(p)), home_(this_shard()) {}
    /// `other` is empty afterwards.
    ForeignPtr(ForeignPtr&&) = default;
    /// The same, after this one's object went home.
    ForeignPtr& operator=(ForeignPtr other) noexcept {
        std::swap(p_, other.p_);
        std::swap(home_, other.home_);
        return *this;
    }
    /// Lets go. Never waits: if there is no credit, the message waits by itself. When the runtime
    /// is over, and outside of any shard, the object is destroyed on the spot.
    ~ForeignPtr() {
        Mailbox* here = try_service<Mailbox>();
        if (p_ == nullptr || here == nullptr || here->shard() == home_) return;
        if (here->smp().quiescent()) return;
        auto destroy = [p = std::move(p_)]() mutable { p = nullptr; };
        new detail::OneWay<decltype(destroy)>(*here, home_, std::move(destroy));
    }

    /// \pre not empty
    auto operator->() const noexcept { return std::to_address(p_); }
    /// \pre not empty
    auto& operator*() const noexcept { return *p_; }
    /// Whether it owns something.
    explicit operator bool() const noexcept { return p_ != nullptr; }
    /// The shard that made this.
    unsigned home() const noexcept { return home_; }

  private:
    P p_{};
    unsigned home_ = 0;
};

/// A ForeignPtr to a new T of this shard.
template <class T, class... Args>
ForeignPtr<std::unique_ptr<T>> make_foreign(Args&&... args) {
    return ForeignPtr<std::unique_ptr<T>>(std::make_unique<T>(std::forward<Args>(args)...));
}

}  // namespace starling
