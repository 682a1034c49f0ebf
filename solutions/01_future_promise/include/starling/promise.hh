// Promise<T>: the end of a pair that sends. See future.hh, which includes this.
//
// Affinity: owner shard.
#pragma once

#include <starling/future.hh>

namespace starling {

/// The end that sends. Move-only. \affinity owner shard
template <class T>
class Promise {
  public:
    /// A promise whose future nobody has asked for.
    Promise() = default;
    /// `other` is only good for assignment and destruction afterwards. O(1).
    Promise(Promise&& other) noexcept { adopt(other); }
    /// The same; the promise that this was before is broken at the end. Whoever hears of that may
    /// destroy this one.
    Promise& operator=(Promise other) noexcept {
        const Promise old(std::move(*this));  // Breaks last.
        adopt(other);
        return *this;
    }
    /// Without a result by now, the future gets FutureError broken_promise.
    ~Promise() {
        if (future_ != nullptr) [[unlikely]]
            break_promise();
        if (early_.has_error()) [[unlikely]]
            report_ignored_exception(early_.error());
    }

    /// The other end. \throws FutureError already_retrieved, or no_state
    Future<T> get_future() {
        if (state_ == State::moved_from) FutureError::raise(FutureError::Code::no_state);
        if (std::exchange(retrieved_, true))
            FutureError::raise(FutureError::Code::already_retrieved);
        return Future<T>(*this);
    }

    /// Whether there is a future that still has no result. O(1).
    bool wanted() const noexcept { return future_ != nullptr; }

    /// Brings the value. Nothing happens if the future is gone. Whoever waits may run, and destroy
    /// this promise, before `set_value` returns.
    /// \throws FutureError already_satisfied, or no_state; what T's constructor throws: the promise
    ///         is as before then
    template <class U = T>
    void set_value(U&& value) {
        satisfy([&](Outcome<T>& outcome) { outcome.set_value(std::forward<U>(value)); });
    }
    /// The same for void, where there is nothing to bring but the fact.
    void set_value()
        requires std::is_void_v<T>
    {
        satisfy([](Outcome<T>& outcome) { outcome.set_value(); });
    }
    /// Brings an exception; it is reported as ignored if the future is gone.
    /// \throws FutureError already_satisfied, or no_state
    void set_exception(std::exception_ptr error) {
        satisfy([&](Outcome<T>& outcome) { outcome.set_error(std::move(error)); });
    }
    /// The same, from an exception object.
    template <std::derived_from<std::exception> E>
    void set_exception(E error) {
        set_exception(std::make_exception_ptr(std::move(error)));
    }

  private:
    template <class>
    friend class Future;

    //  state_      meaning                                     who moves it on
    //  fresh       no result yet                               set_value, set_exception: satisfied
    //  satisfied   the result is in early_ or with the future  nobody
    //  moved_from  another promise answers in its place        assignment from a promise
    enum class State : unsigned char { fresh, satisfied, moved_from };

    void adopt(Promise& other) noexcept {
        // BEGIN 1.2: relink on move
        //| Take all of `other`'s members; its state is `moved_from` afterwards. A future that
        //| points at `other` has to point here.
        //= return todo_soft("1.2", "Promise::adopt");
        early_ = std::move(other.early_);
        state_ = std::exchange(other.state_, State::moved_from);
        retrieved_ = other.retrieved_;
        future_ = std::exchange(other.future_, nullptr);
        if (future_ != nullptr) future_->promise_ = this;
        // END 1.2
    }
    /// `fill` puts the result into an outcome.
    template <class Fill>
    void satisfy(Fill fill) {
        if (state_ == State::satisfied) FutureError::raise(FutureError::Code::already_satisfied);
        if (state_ == State::moved_from) FutureError::raise(FutureError::Code::no_state);
        // BEGIN 1.1: deliver in both orders
        //| Fill the future's outcome and have it deliver, or keep the result in `early_` until
        //| somebody asks for the future. If the future has come and gone, nobody wants a value any
        //| more; an exception stays in `early_`, and ~Promise reports it. `fill` may throw: the
        //| promise is as before then. Whoever waits may destroy this promise.
        //= todo("1.1", "Promise::satisfy");
        if (future_ != nullptr) {
            fill(future_->outcome_);
            state_ = State::satisfied;
            std::exchange(future_, nullptr)->deliver();
        } else {
            fill(early_);
            state_ = State::satisfied;
            if (retrieved_ && early_.has_value()) early_.reset();
        }
        // END 1.1
    }
    /// This promise goes, and its future still waits.
    [[gnu::noinline, gnu::cold]] void break_promise() noexcept {
        Future<T>& future = *std::exchange(future_, nullptr);
        future.promise_ = nullptr;
        // BEGIN 1.4: endings that nobody wants
        //| Whoever waits at `future` (the two ends are unlinked already) must not wait forever: its
        //| result is the FutureError `broken_promise`.
        //= return todo_soft("1.4", "Promise::break_promise");
        const FutureError error(FutureError::Code::broken_promise);
        future.outcome_.set_error(std::make_exception_ptr(error));
        future.deliver();
        // END 1.4
    }

    Outcome<T> early_;             // A result that came before anybody asked for the future.
    Future<T>* future_ = nullptr;  // Borrows: while linked.
    State state_ = State::fresh;
    bool retrieved_ = false;
};

}  // namespace starling
