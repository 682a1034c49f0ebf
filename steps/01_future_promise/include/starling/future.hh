// Future<T> and Promise<T>: the two ends of a value that arrives later.
//
//      Promise                     Future
//     ┌─────────┐  future_ ──────►┌──────────┐
//     │         │◄────── promise_ │ outcome_ │   waiter_ ──► Continuation
//     └─────────┘                 └──────────┘
//
// The state lives inside the pair, not on the heap: the ends point at each other, and whichever end
// moves tells its peer the new address. The pair is one-shot and costs no atomics.
//
// `then` on a ready future calls its function at once and allocates nothing; on a pending one it
// allocates one node that waits. A function that returns a future is flattened by relinking: the
// inner promise is pointed at the outer future, so a chain of any depth forwards nothing.
//
// Invariant: while both ends live and no result has come, each holds the other's address; as soon
// as one of that is over, neither does.
//
// Affinity: owner shard (both ends on the same thread). Source: Seastar's future/promise pair.
#pragma once

#include <concepts>
#include <functional>
#include <starling/continuation.hh>
#include <starling/future_error.hh>
#include <starling/outcome.hh>
#include <type_traits>
#include <utility>
#include <starling/todo.hh>

namespace starling {

template <class T = void>
class Future;
template <class T = void>
class Promise;

namespace detail {

template <class T, class F>
class ThenNode;

template <class R>
struct Flattened {
    using type = R;
};
template <class T>
struct Flattened<Future<T>> {
    using type = T;
};
template <class R>
inline constexpr bool is_future = !std::is_same_v<R, typename Flattened<R>::type>;

/// What `f(value)` returns; `f()` for void.
template <class F, class T>
struct ThenResult : std::invoke_result<F, T> {};
template <class F>
struct ThenResult<F, void> : std::invoke_result<F> {};

}  // namespace detail

/// The result type of `then(F)` on a Future<T>: futures are flattened.
template <class F, class T>
using ThenFuture =
    Future<typename detail::Flattened<typename detail::ThenResult<F, T>::type>::type>;

/// The end that receives. Move-only.
/// \tparam T an object type whose move does not throw, an lvalue reference, or void
/// \affinity owner shard
template <class T>
class [[nodiscard]] Future {
  public:
    using value_type = T;  ///< What this is a future of.

    /// A future without a promise; only assignment and destruction make sense.
    Future() = default;
    /// A future that is ready from the start. Allocates nothing. \pre `result` is not empty
    explicit Future(Outcome<T>&& result) noexcept : outcome_(std::move(result)) {}
    /// Takes the result, or the place at the promise's other end. `other` is invalid afterwards.
    /// O(1).
    Future(Future&& other) noexcept { adopt(other); }
    /// The same, after this future was dropped as its destructor drops it.
    Future& operator=(Future&& other) noexcept {
        if (this != &other) {
            release();
            adopt(other);
        }
        return *this;
    }
    /// An exception that nobody looked at goes to the ignored-exception hook.
    ~Future() { release(); }

    /// Whether this has a result or a promise that will bring one. O(1).
    bool valid() const noexcept { return promise_ != nullptr || !outcome_.empty(); }
    /// Whether the result is here. O(1).
    bool ready() const noexcept { return !outcome_.empty(); }
    /// Whether the result is here and is an exception. O(1).
    bool failed() const noexcept { return outcome_.has_error(); }

    /// Takes the result: returns the value or throws the exception.
    /// \throws FutureError not_ready, already_retrieved, or no_state
    T get() {
        if (outcome_.empty()) throw_empty();
        taken_ = true;
        return outcome_.take();
    }
    /// Takes the exception. \pre failed()
    std::exception_ptr get_exception() {
        std::exception_ptr error = outcome_.error();
        taken_ = true;
        outcome_.reset();
        return error;
    }

    /// Posts `waiter` when the result arrives; at once if it is here. One waiter at a time. The
    /// waiter may run, and destroy this future, before `start` returns.
    /// \throws FutureError already_retrieved, or no_state
    void start(Continuation& waiter) {
        if (!valid()) throw_empty();
        assert(waiter_ == nullptr && "a future has one waiter");
        // BEGIN 1.1: deliver in both orders
        // The result may be here before anybody waits, or arrive later. Either way `waiter` is
        // posted exactly once.
        todo("1.1", "Future::start");
        // END 1.1
    }
    /// Forgets the waiter, who is not posted any more. No effect once it has been posted. O(1).
    void forget_waiter() noexcept { waiter_ = nullptr; }

    /// Calls `f(Future<T>)` with this future once it is ready, whatever the result. Everything
    /// below is built on it. At once and without allocating if the result is here.
    /// \return a future of what `f` returns, flattened; its exception if it throws
    /// \throws FutureError already_retrieved, or no_state; what moving `f` throws
    template <class F>
    auto then_wrapped(F f) && -> ThenFuture<F&, Future<T>>;

    /// Calls `f(value)` (`f()` for void) when the value arrives; an exception skips `f`.
    template <class F>
    auto then(F f) && -> ThenFuture<F&, T>;

    /// Calls `f(std::exception_ptr)` if the result is an exception; `f` returns the substitute, a T
    /// or a Future<T>.
    template <class F>
    Future handle_exception(F f) &&;

    /// Calls `f()` either way, waits for the future it may return, and passes the result on. If `f`
    /// fails, its exception replaces the result.
    template <class F>
    Future finally(F f) &&;

  private:
    template <class>
    friend class Promise;
    template <class, class>
    friend class detail::ThenNode;

    /// What get_future gives out.
    explicit Future(Promise<T>& promise) {
        // BEGIN 1.1: deliver in both orders
        // If the result came before anybody asked for the future, it waits in `promise.early_`:
        // take it. Otherwise link the two ends.
        todo("1.1", "Future::Future(Promise&)");
        // END 1.1
    }
    /// The promise's half is done: the result is here.
    void deliver() noexcept {
        // BEGIN 1.1: deliver in both orders
        // Let go of the promise (its `future_` is the caller's to clear; `promise_` may be null already),
        // and post the waiter if there is one. It may destroy this future.
        return todo_soft("1.1", "Future::deliver");
        // END 1.1
    }
    void adopt(Future& other) noexcept {
        static_assert(std::is_void_v<T> || std::is_nothrow_move_constructible_v<T>,
                      "a future moves its value, so T's move must not throw");
        // BEGIN 1.2: relink on move
        // Take all of `other`'s members, which is like a default-made future afterwards. A promise
        // that points at `other` has to point here.
        return todo_soft("1.2", "Future::adopt");
        // END 1.2
    }
    /// Nobody will look at this any more.
    void release() noexcept {
        if (promise_ != nullptr || failed()) [[unlikely]]
            leave();
    }
    [[gnu::noinline, gnu::cold]] void leave() noexcept {
        if (promise_ != nullptr) std::exchange(promise_, nullptr)->future_ = nullptr;
        waiter_ = nullptr;
        // BEGIN 1.4: endings that nobody wants
        // If an exception is still here, nobody has looked at it: report it, then empty the
        // outcome.
        return todo_soft("1.4", "Future::leave");
        // END 1.4
    }
    /// With a result here: an exception skips `f`, a value goes through it.
    template <class F>
    auto apply(F& f) -> ThenFuture<F&, T>;
    /// Makes `promise` end where this future ends: at once if the result is here, else by pointing
    /// the two far ends at each other.
    void forward_to(Promise<T>& promise) noexcept;

    [[noreturn, gnu::noinline, gnu::cold]] void throw_empty() const {
        // BEGIN 1.4: endings that nobody wants
        // There is no result to give. Throw the FutureError that says why: the promise has not
        // brought it yet; it was taken before (`taken_`); or there never was a promise.
        todo("1.4", "Future::throw_empty");
        // END 1.4
    }

    Outcome<T> outcome_;
    bool taken_ = false;              // Whether a result was here and has been given away.
    Promise<T>* promise_ = nullptr;   // Borrows: while linked, each end keeps the other's address.
    Continuation* waiter_ = nullptr;  // Borrows: until posted or forgotten.
};

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
    Promise& operator=(Promise&& other) noexcept {
        if (this != &other) {
            Promise old(std::move(*this));  // Breaks last: whoever hears of it may destroy this.
            adopt(other);
        }
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
        if (std::exchange(retrieved_, true)) {
            FutureError::raise(FutureError::Code::already_retrieved);
        }
        return Future<T>(*this);
    }

    /// Brings the value. Nothing happens if the future is gone. Whoever waits may run, and destroy
    /// this promise, before `set_value` returns.
    /// \throws FutureError already_satisfied, or no_state; what T's constructor throws: the promise
    ///         is as before then
    template <class U = T>
        requires(!std::is_void_v<T>)
    void set_value(U&& value) {
        satisfy([&](Outcome<T>& outcome) { outcome.set_value(std::forward<U>(value)); });
    }
    /// The same, for void: there is nothing to bring but the fact.
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
    template <class E>
        requires std::derived_from<std::remove_cvref_t<E>, std::exception>
    void set_exception(E&& error) {
        set_exception(std::make_exception_ptr(std::forward<E>(error)));
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
        // Take all of `other`'s members; its state is `moved_from` afterwards. A future that
        // points at `other` has to point here.
        return todo_soft("1.2", "Promise::adopt");
        // END 1.2
    }
    /// `fill` puts the result into an outcome.
    template <class Fill>
    void satisfy(Fill fill) {
        if (state_ != State::fresh) {
            FutureError::raise(state_ == State::satisfied ? FutureError::Code::already_satisfied
                                                          : FutureError::Code::no_state);
        }
        // BEGIN 1.1: deliver in both orders
        // Fill the future's outcome and have it deliver, or keep the result in `early_` until
        // somebody asks for the future. If the future has come and gone, nobody wants a value any
        // more; an exception stays in `early_`, and ~Promise reports it. `fill` may throw: the promise
        // is as before then. Whoever waits may destroy this promise.
        todo("1.1", "Promise::satisfy");
        // END 1.1
    }
    /// This promise goes, and its future still waits.
    [[gnu::noinline, gnu::cold]] void break_promise() noexcept {
        Future<T>& future = *std::exchange(future_, nullptr);
        future.promise_ = nullptr;
        // BEGIN 1.4: endings that nobody wants
        // Whoever waits at `future` (the two ends are unlinked already) must not wait forever: its
        // result is the FutureError `broken_promise`.
        return todo_soft("1.4", "Promise::break_promise");
        // END 1.4
    }

    Outcome<T> early_;             // A result that came before anybody asked for the future.
    Future<T>* future_ = nullptr;  // Borrows: while linked.
    State state_ = State::fresh;
    bool retrieved_ = false;
};

/// A future that is ready from the start. Allocates nothing.
template <class T = void, class... Args>
Future<T> make_ready_future(Args&&... args) {
    Outcome<T> outcome;
    outcome.set_value(std::forward<Args>(args)...);
    return Future<T>(std::move(outcome));
}
/// A future that has failed from the start.
template <class T>
Future<T> make_exception_future(std::exception_ptr error) {
    Outcome<T> outcome;
    outcome.set_error(std::move(error));
    return Future<T>(std::move(outcome));
}
/// The same, from an exception object.
template <class T, class E>
    requires std::derived_from<E, std::exception>
Future<T> make_exception_future(E error) {
    return make_exception_future<T>(std::make_exception_ptr(std::move(error)));
}

}  // namespace starling

#include <starling/then.hh>  // IWYU pragma: export
