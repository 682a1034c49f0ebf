// A second implementation of future.hh, to show that the layers above rely on its API alone.
//
// What differs: promise and future share a state on the heap instead of pointing at each other, so
// moving an end tells nobody; a node that flattens waits for the inner future and passes its result on
// instead of relinking. Ready futures allocate here.
#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <starling/continuation.hh>
#include <starling/future_error.hh>
#include <starling/outcome.hh>
#include <type_traits>
#include <utility>

namespace starling {

template <class T = void>
class Future;
template <class T = void>
class Promise;

namespace detail {

template <class T>
struct SharedState {
    Outcome<T> outcome;
    Continuation* waiter = nullptr;
    bool promised = true;  // Somebody may still bring a result.
    bool awaited = false;  // There is a future.
    bool taken = false;    // The result was here and is gone.
};

template <class T, class F>
class WaitingCall;

template <class R>
struct Flat {
    using type = R;
};
template <class T>
struct Flat<Future<T>> {
    using type = T;
};
template <class F, class T>
struct CallResult : std::invoke_result<F, T> {};
template <class F>
struct CallResult<F, void> : std::invoke_result<F> {};

inline thread_local int calls_nested = 0;

}  // namespace detail

template <class F, class T>
using ThenFuture = Future<typename detail::Flat<typename detail::CallResult<F, T>::type>::type>;

template <class T>
class [[nodiscard]] Future {
    using Code = FutureError::Code;

  public:
    using value_type = T;

    Future() = default;
    Future(Future&&) = default;
    Future& operator=(Future&& other) noexcept {
        if (this == &other) return *this;
        Future old(std::exchange(state_, nullptr));
        state_ = std::exchange(other.state_, nullptr);
        return *this;
    }
    ~Future() {
        if (state_ == nullptr) return;
        state_->awaited = false;
        state_->waiter = nullptr;
        if (failed()) report_ignored_exception(state_->outcome.error());
        state_->outcome.reset();
    }

    bool valid() const noexcept { return state_ != nullptr && (state_->promised || ready()); }
    bool ready() const noexcept { return state_ != nullptr && !state_->outcome.empty(); }
    bool failed() const noexcept { return state_ != nullptr && state_->outcome.has_error(); }

    T get() {
        if (!ready()) throw_empty();
        state_->taken = true;
        return state_->outcome.take();
    }
    std::exception_ptr get_exception() {
        std::exception_ptr error = state_->outcome.error();
        state_->taken = true;
        state_->outcome.reset();
        return error;
    }
    void start(Continuation& waiter) {
        if (!valid()) throw_empty();
        if (ready()) return post(waiter);
        state_->waiter = &waiter;
    }
    void forget_waiter() noexcept { state_->waiter = nullptr; }

    template <class F>
    auto then_wrapped(F f) && -> ThenFuture<F&, Future<T>>;
    template <class F>
    auto then(F f) && -> ThenFuture<F&, T>;
    template <class F>
    Future handle_exception(F f) &&;
    template <class F>
    Future finally(F f) &&;

  private:
    template <class>
    friend class Promise;
    template <class, class>
    friend class detail::WaitingCall;
    explicit Future(std::shared_ptr<detail::SharedState<T>> state) : state_(std::move(state)) {}

    [[noreturn]] void throw_empty() const {
        if (state_ == nullptr) throw FutureError(Code::no_state);
        throw FutureError(state_->taken ? Code::already_retrieved : Code::not_ready);
    }
    std::shared_ptr<detail::SharedState<T>> state_;
};

template <class T>
class Promise {
    using Code = FutureError::Code;

  public:
    Promise() : state_(std::make_shared<detail::SharedState<T>>()) {}
    Promise(Promise&& other) noexcept
        : state_(std::exchange(other.state_, nullptr)), retrieved_(other.retrieved_) {}
    Promise& operator=(Promise&& other) noexcept {
        if (this == &other) return *this;
        Promise old(std::move(*this));
        state_ = std::exchange(other.state_, nullptr);
        retrieved_ = other.retrieved_;
        return *this;
    }
    ~Promise() {
        if (state_ == nullptr) return;
        if (state_->promised && state_->awaited) set_exception(FutureError(Code::broken_promise));
        if (!retrieved_ && state_->outcome.has_error()) {
            report_ignored_exception(state_->outcome.error());
        }
    }

    Future<T> get_future() {
        if (state_ == nullptr) throw FutureError(Code::no_state);
        if (std::exchange(retrieved_, true)) throw FutureError(Code::already_retrieved);
        state_->awaited = true;
        return Future<T>(state_);
    }

    bool wanted() const noexcept {
        return state_ != nullptr && state_->promised && state_->awaited;
    }
    template <class U = T>
        requires(!std::is_void_v<T>)
    void set_value(U&& value) {
        satisfy([&](Outcome<T>& outcome) { outcome.set_value(std::forward<U>(value)); });
    }
    void set_value()
        requires std::is_void_v<T>
    {
        satisfy([](Outcome<T>& outcome) { outcome.set_value(); });
    }
    void set_exception(std::exception_ptr error) {
        satisfy([&](Outcome<T>& outcome) { outcome.set_error(std::move(error)); });
    }
    template <class E>
        requires std::derived_from<std::remove_cvref_t<E>, std::exception>
    void set_exception(E&& error) {
        set_exception(std::make_exception_ptr(std::forward<E>(error)));
    }

  private:
    template <class, class>
    friend class detail::WaitingCall;

    template <class Fill>
    void satisfy(Fill fill) {
        if (state_ == nullptr) throw FutureError(Code::no_state);
        if (!state_->promised) throw FutureError(Code::already_satisfied);
        fill(state_->outcome);
        state_->promised = false;
        if (retrieved_ && !state_->awaited) {  // The future is gone.
            if (state_->outcome.has_error()) report_ignored_exception(state_->outcome.error());
            return state_->outcome.reset();
        }
        if (state_->waiter != nullptr) post(*std::exchange(state_->waiter, nullptr));
    }

    std::shared_ptr<detail::SharedState<T>> state_;
    bool retrieved_ = false;
};

template <class T = void, class... Args>
Future<T> make_ready_future(Args&&... args) {
    Promise<T> promise;
    promise.set_value(std::forward<Args>(args)...);
    return promise.get_future();
}
template <class T>
Future<T> make_exception_future(std::exception_ptr error) {
    Promise<T> promise;
    promise.set_exception(std::move(error));
    return promise.get_future();
}
template <class T, class E>
    requires std::derived_from<E, std::exception>
Future<T> make_exception_future(E error) {
    return make_exception_future<T>(std::make_exception_ptr(std::move(error)));
}

namespace detail {

/// Calls `f`; whatever comes becomes a future.
template <class F, class... Args>
auto call(F& f, Args&&... args) {
    using Result = std::invoke_result_t<F&, Args...>;
    using U = typename Flat<Result>::type;
    try {
        if constexpr (std::is_same_v<Result, Future<U>>) {
            return std::invoke(f, std::forward<Args>(args)...);
        } else if constexpr (std::is_void_v<Result>) {
            std::invoke(f, std::forward<Args>(args)...);
            return make_ready_future<void>();
        } else {
            return make_ready_future<U>(std::invoke(f, std::forward<Args>(args)...));
        }
    } catch (...) {
        return make_exception_future<U>(std::current_exception());
    }
}

/// Waits for `source_`, calls, waits for what came, and passes that on.
template <class T, class F>
class WaitingCall final : public Continuation {
  public:
    using Result = ThenFuture<F&, Future<T>>;

    static Result attach(Future<T>&& source, F&& f) {
        auto* self = new WaitingCall(std::move(source), std::move(f));
        Result result = self->promise_.get_future();
        self->source_.start(*self);
        return result;
    }
    void resume() noexcept override {
        if (f_ != nullptr) {
            const int nested = std::exchange(calls_nested, 0);
            inner_ = call(*f_, std::move(source_));
            calls_nested = nested;
            f_ = nullptr;
            if (inner_.valid() && !inner_.ready()) return inner_.start(*this);
        }
        std::unique_ptr<WaitingCall> self(this);
        if (!inner_.ready()) {
            promise_.set_exception(FutureError(FutureError::Code::no_state));
        } else {
            promise_.satisfy([&](auto& outcome) { outcome = std::move(inner_.state_->outcome); });
        }
    }

  private:
    WaitingCall(Future<T>&& source, F&& f)
        : source_(std::move(source)), f_(std::make_unique<F>(std::move(f))) {}
    Future<T> source_;
    std::unique_ptr<F> f_;
    Result inner_;
    Promise<typename Result::value_type> promise_;
};

}  // namespace detail

template <class T>
template <class F>
auto Future<T>::then_wrapped(F f) && -> ThenFuture<F&, Future<T>> {
    if (!valid()) throw_empty();
    if (!ready() || detail::calls_nested > 16) {
        return detail::WaitingCall<T, F>::attach(std::move(*this), std::move(f));
    }
    ++detail::calls_nested;
    auto result = detail::call(f, std::move(*this));
    --detail::calls_nested;
    return result;
}

template <class T>
template <class F>
auto Future<T>::then(F f) && -> ThenFuture<F&, T> {
    using Result = ThenFuture<F&, T>;
    return std::move(*this).then_wrapped([f = std::move(f)](Future&& self) mutable -> Result {
        if (self.failed()) {
            return make_exception_future<typename Result::value_type>(self.get_exception());
        }
        if constexpr (std::is_void_v<T>) {
            self.get();
            return detail::call(f);
        } else {
            return detail::call(f, self.get());
        }
    });
}

template <class T>
template <class F>
Future<T> Future<T>::handle_exception(F f) && {
    return std::move(*this).then_wrapped([f = std::move(f)](Future&& self) mutable -> Future {
        return self.failed() ? detail::call(f, self.get_exception()) : std::move(self);
    });
}

template <class T>
template <class F>
Future<T> Future<T>::finally(F f) && {
    return std::move(*this).then_wrapped([f = std::move(f)](Future&& self) mutable -> Future {
        return detail::call(f).then_wrapped([self = std::move(self)](auto&& done) mutable -> Future {
            if (done.failed()) return make_exception_future<T>(done.get_exception());
            return std::move(self);
        });
    });
}

}  // namespace starling
