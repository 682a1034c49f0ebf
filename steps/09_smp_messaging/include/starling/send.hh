// send_to: has a function called on another shard, without waiting for it; and ForeignPtr, which
// uses it to have its object destroyed where it was made.
//
// A one-way message needs credit like any request, so a fast sender is slowed down to what the
// receiver can take; and it comes home like any message, to be freed where it was allocated.
//
// Affinity: owner shard, except that the function is called on the other one.
#pragma once

#include <memory>
#include <starling/submit.hh>

namespace starling {

template <class F>
class SendOperation;

namespace detail {

/// Frees itself when it is home again. \affinity the shard where it is
template <class F>
class OneWay final : public Message, public Pooled {
  public:
    explicit OneWay(F f) : f(std::move(f)) {}

    F f;
    SendOperation<F>* sender = nullptr;  // Borrows: it waits for this to leave the line.

  private:
    void resume() noexcept override {
        try {
            if constexpr (Awaited<std::invoke_result_t<F&>>::kAsync) {
                spawn(std::move(f), {.name = "send_to"}).detach();
            } else {
                f();
            }
        } catch (...) {
            report_ignored_exception(std::current_exception());
        }
        mailbox("send_to").reply(*this);
    }
    void departed() noexcept override {
        if (sender != nullptr) std::exchange(sender, nullptr)->departed();
    }
    void returned() noexcept override { delete this; }
};

}  // namespace detail

/// What `send_to` returns. \affinity owner shard
template <class F>
class [[nodiscard]] SendOperation : private StopNode {
    using Letter = detail::OneWay<F>;

  public:
    SendOperation(Mailbox& home, unsigned shard, F f)
        : StopNode(&on_stop), home_(&home), shard_(shard), draft_(new Letter(std::move(f))) {}

    bool ready() {
        if (home_->smp().closing()) return true;
        if (!home_->has_credit(shard_)) return false;
        home_->send(shard_, *draft_.release());
        return true;
    }
    void start(Continuation& c) {
        if (ready()) return post(c);
        waiter_ = &c;
        draft_->sender = this;
        in_line_ = draft_.release();
        home_->send(shard_, *in_line_);
        if (c.context() != nullptr) c.context()->link(*this);
    }
    bool stopped() const noexcept { return stopped_; }
    /// \return nothing if the message is on its way; the function if the runtime is shutting down
    std::optional<F> finish() {
        if (stopped_) throw Cancelled{};
        if (draft_ == nullptr) return std::nullopt;
        return std::move(draft_->f);
    }

  private:
    friend Letter;
    void departed() noexcept {
        in_line_ = nullptr;
        unlink();
        post(*waiter_);
    }
    static void on_stop(StopNode& node) noexcept {
        auto& self = static_cast<SendOperation&>(node);
        if (!self.home_->withdraw(*self.in_line_)) return;
        self.stopped_ = true;
        self.draft_.reset(std::exchange(self.in_line_, nullptr));
        post(*self.waiter_);
    }

    Mailbox* home_;  // Borrows: this shard's.
    unsigned shard_;
    bool stopped_ = false;
    std::unique_ptr<Letter> draft_;   // Until it is sent.
    Letter* in_line_ = nullptr;       // Borrows: until it has left the line.
    Continuation* waiter_ = nullptr;  // Borrows: it owns this operation.
};

/// Has `f` called on shard `shard`. Ready when the message is on its way, which may mean to wait
/// for credit. An exception of `f` goes to the ignored-exception hook over there. If `f` returns a
/// Task, it is spawned over there, detached, and `f` lives as long as it runs; otherwise `f` is
/// destroyed here. During a shutdown nothing is sent, and the await gives `f` back. `if (auto
/// refused = co_await send_to(1, f)) …` \pre shard < shard_count(). \throws std::logic_error
/// outside of a shard
template <class F>
SendOperation<std::decay_t<F>> send_to(unsigned shard, F&& f) {
    return {mailbox("send_to"), shard, std::forward<F>(f)};
}

/// Owns, through the smart pointer P, an object of the shard that made this. It may be moved to any
/// shard and looked at there (if the object bears that); it is destroyed at home, wherever this
/// dies. Move-only. \affinity any shard, one at a time
template <class P>
class ForeignPtr {
  public:
    using element_type = typename std::pointer_traits<P>::element_type;

    ForeignPtr() = default;
    /// \throws std::logic_error outside of a shard
    explicit ForeignPtr(P p) : p_(std::move(p)), home_(this_shard()) {}
    ForeignPtr(ForeignPtr&&) = default;
    ForeignPtr& operator=(ForeignPtr&& other) noexcept {
        reset();
        p_ = std::move(other.p_);
        home_ = other.home_;
        return *this;
    }
    ~ForeignPtr() { reset(); }

    element_type* get() const noexcept { return std::to_address(p_); }
    element_type* operator->() const noexcept { return get(); }
    element_type& operator*() const noexcept { return *p_; }
    explicit operator bool() const noexcept { return p_ != nullptr; }
    /// The shard that made this.
    unsigned home() const noexcept { return home_; }

    /// Lets go now. Never waits: if there is no credit, the message waits by itself. Outside of any
    /// shard the runtime is over, and the object is destroyed on the spot.
    void reset() noexcept {
        P p = std::move(p_);
        p_ = nullptr;
        Mailbox* here = try_service<Mailbox>();
        if (p == nullptr || here == nullptr || here->shard() == home_) return;
        auto destroy = [p = std::move(p)]() mutable { p = nullptr; };
        here->send(home_, *new detail::OneWay<decltype(destroy)>(std::move(destroy)));
    }

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
