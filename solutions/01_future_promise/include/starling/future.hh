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
// `then` on a ready future calls its function at once and allocates nothing, though only so deep
// (kInlineDepthMax); on a pending one it allocates one node that waits:
//
//     source ──► Node: f ──► promise ·····► the future that `then` returned
//
// A node that is resumed posts the next one, and the trampoline runs that later: no chain eats the
// stack. A function that returns a future is flattened by relinking: the inner promise is pointed
// at the outer future, so a chain of any depth forwards nothing.
//
// Invariant: while both ends live and no result has come, each holds the other's address; as soon
// as one of that is over, neither does.
//
// Affinity: owner shard (both ends on the same thread). Source: Seastar's future/promise pair.
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

/// A future that is ready from the start. Allocates nothing.
template <class T = void, class... Args>
Future<T> make_ready_future(Args&&... args) {
    Outcome<T> outcome;
    outcome.set_value(std::forward<Args>(args)...);
    return Future<T>(std::move(outcome));
}
/// A future that has failed from the start.
template <class T = void>
Future<T> make_exception_future(std::exception_ptr error) {
    Outcome<T> outcome;
    outcome.set_error(std::move(error));
    return Future<T>(std::move(outcome));
}
/// The same, from an exception object.
template <class T = void, std::derived_from<std::exception> E>
Future<T> make_exception_future(E error) {
    return make_exception_future<T>(std::make_exception_ptr(std::move(error)));
}

namespace detail {

/// How deep ready futures whose functions return ready futures may nest before one is posted.
inline constexpr int kInlineDepthMax = 64;
inline constinit thread_local int inline_depth = 0;

template <class R>
struct Flattened : std::type_identity<Future<R>> {};
template <class T>
struct Flattened<Future<T>> : std::type_identity<Future<T>> {};

/// The future of what `f(args...)` returns: itself if that is one already.
template <class F, class... Args>
using FutureOf = typename Flattened<std::invoke_result_t<F&, Args...>>::type;

/// Calls `f(args...)` and makes a future of whatever comes: a value, a future, or an exception.
template <class F, class... Args>
FutureOf<F, Args...> futurize(F& f, Args&&... args);

}  // namespace detail

/// The end that receives. Move-only.
/// \tparam T an object type whose move does not throw, an lvalue reference, or void
/// \affinity owner shard
template <class T>
class [[nodiscard]] Future {
    // What `f(value)` returns, and the future of that.
    template <class F>
    using Returned = typename std::conditional_t<std::is_void_v<T>, std::invoke_result<F&>,
                                                 std::invoke_result<F&, T>>::type;
    template <class F>
    using ThenFuture = typename detail::Flattened<Returned<F>>::type;

  public:
    using value_type = T;  ///< What this is a future of.

    /// A future without a promise; only assignment and destruction make sense.
    Future() = default;
    /// A future that is ready from the start. Allocates nothing. \pre `result` is a value
    /// or an error
    explicit Future(Outcome<T>&& result) noexcept : outcome_(std::move(result)) {}
    /// Takes the result, or the place at the promise's other end. `other` is invalid afterwards.
    /// O(1).
    Future(Future&& other) noexcept { adopt(other); }
    /// The same, after this future was dropped as its destructor drops it.
    Future& operator=(Future other) noexcept {
        std::destroy_at(this);
        std::construct_at(this, std::move(other));
        return *this;
    }
    /// An exception that nobody looked at goes to the ignored-exception hook.
    ~Future() {
        if (promise_ != nullptr || failed()) [[unlikely]]
            leave();
    }

    /// Whether this has a result or a promise that will bring one. O(1).
    bool valid() const noexcept { return promise_ != nullptr || ready(); }
    /// Whether the result is here. O(1).
    bool ready() const noexcept { return !outcome_.empty(); }
    /// Whether the result is here and is an exception. O(1).
    bool failed() const noexcept { return outcome_.has_error(); }

    /// Takes the result: returns the value or throws the exception.
    /// \throws FutureError not_ready, already_retrieved, or no_state
    T get() {
        if (!ready()) throw_empty();
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
        //| The result may be here before anybody waits, or arrive later. Either way `waiter` is
        //| posted exactly once.
        //= todo("1.1", "Future::start");
        if (ready()) return post(waiter);
        waiter_ = &waiter;
        // END 1.1
    }
    /// Forgets the waiter, who is not posted any more. No effect once it has been posted. O(1).
    void forget_waiter() noexcept { waiter_ = nullptr; }

    /// Calls `f(Future<T>)` with this future once it is ready, whatever the result. Everything
    /// below is built on it. At once and without allocating if the result is here.
    /// \return a future of what `f` returns, flattened; its exception if it throws
    /// \throws FutureError already_retrieved, or no_state; what moving `f` throws
    template <class F>
    detail::FutureOf<F, Future> then_wrapped(F f) && {
        if (!valid()) throw_empty();
        if (ready() && detail::inline_depth < detail::kInlineDepthMax) {
            ++detail::inline_depth;
            auto result = detail::futurize(f, std::move(*this));
            --detail::inline_depth;
            return result;
        }
        auto* node = new Node<F>(std::move(*this), std::move(f));
        auto result = node->promise.get_future();
        node->source.start(*node);
        return result;
    }

    /// Calls `f(value)` (`f()` for void) when the value arrives; an exception skips `f`.
    template <class F>
    ThenFuture<F> then(F f) && {
        // Plain values cannot nest.
        if constexpr (!std::is_same_v<Returned<F>, ThenFuture<F>>) {
            if (ready()) return apply(f);
        }
        return std::move(*this).then_wrapped(
            [f = std::move(f)](Future&& self) mutable { return self.apply(f); });
    }

    /// Calls `f(std::exception_ptr)` if the result is an exception; `f` returns the substitute:
    /// what a T can be made from, or a Future<T>.
    template <class F>
    Future handle_exception(F f) && {
        return std::move(*this).then_wrapped([f = std::move(f)](Future&& self) mutable -> Future {
            if (!self.failed()) return std::move(self);
            using R = std::invoke_result_t<F&, std::exception_ptr>;
            using Substitute = std::conditional_t<std::is_same_v<R, Future>, Future, T>;
            const auto substitute = [&f](std::exception_ptr error) -> Substitute {
                return std::invoke(f, std::move(error));
            };
            return detail::futurize(substitute, self.get_exception());
        });
    }

    /// Calls `f()` either way, waits for the future it may return, and passes the result on. If `f`
    /// fails, its exception replaces the result.
    template <class F>
    Future finally(F f) && {
        return std::move(*this).then_wrapped([f = std::move(f)](Future&& self) mutable {
            return detail::futurize(f).then(
                [self = std::move(self)](auto&&...) mutable { return std::move(self); });
        });
    }

  private:
    template <class>
    friend class Future;
    friend class Promise<T>;

    /// A function attached to a pending future: waits, calls, delivers, frees itself.
    template <class F>
    struct Node final : Continuation {
        Node(Future&& source, F&& f) : source(std::move(source)), f(std::move(f)) {}
        /// The result is here.
        void resume() noexcept override {
            const int depth = std::exchange(detail::inline_depth, 0);  // A loop's frame is below.
            detail::futurize(f, std::move(source)).forward_to(promise);
            detail::inline_depth = depth;
            delete this;
        }
        Future source;
        F f;
        Promise<typename detail::FutureOf<F, Future>::value_type> promise;
    };

    /// What get_future gives out.
    explicit Future(Promise<T>& promise) {
        // BEGIN 1.1: deliver in both orders
        //| If the result came before anybody asked for the future, it waits in `promise.early_`:
        //| take it. Otherwise link the two ends.
        //= todo("1.1", "Future::Future(Promise&)");
        if (promise.state_ == Promise<T>::State::satisfied) {
            outcome_ = std::move(promise.early_);
        } else {
            promise_ = &promise;
            promise.future_ = this;
        }
        // END 1.1
    }
    /// The promise's half is done: the result is here.
    void deliver() noexcept {
        // BEGIN 1.1: deliver in both orders
        //| Let go of the promise (its `future_` is the caller's to clear; `promise_` may be null
        //| already), and post the waiter if there is one. It may destroy this future.
        //= return todo_soft("1.1", "Future::deliver");
        promise_ = nullptr;
        if (waiter_ != nullptr) post(*std::exchange(waiter_, nullptr));
        // END 1.1
    }
    void adopt(Future& other) noexcept {
        static_assert(std::is_void_v<T> || std::is_nothrow_move_constructible_v<T>,
                      "a future moves its value, so T's move must not throw");
        // BEGIN 1.2: relink on move
        //| Take all of `other`'s members, which is like a default-made future afterwards. A promise
        //| that points at `other` has to point here.
        //= return todo_soft("1.2", "Future::adopt");
        outcome_ = std::move(other.outcome_);
        taken_ = std::exchange(other.taken_, false);
        waiter_ = std::exchange(other.waiter_, nullptr);
        promise_ = std::exchange(other.promise_, nullptr);
        if (promise_ != nullptr) promise_->future_ = this;
        // END 1.2
    }
    /// Nobody will look at this any more.
    [[gnu::noinline, gnu::cold]] void leave() noexcept {
        if (promise_ != nullptr) promise_->future_ = nullptr;
        // BEGIN 1.4: endings that nobody wants
        //| If an exception is still here, nobody has looked at it: report it.
        //= return todo_soft("1.4", "Future::leave");
        if (failed()) report_ignored_exception(outcome_.error());
        // END 1.4
    }
    /// With a result here: an exception skips `f`, a value goes through it.
    template <class F>
    ThenFuture<F> apply(F& f) {
        // BEGIN 1.3: then maps and flattens
        //| The result is here. If it is an exception, return a failed future that carries it on;
        //| else `futurize` a call of `f` with the value (without one if T is void).
        //= todo("1.3", "Future::apply");
        if (failed()) [[unlikely]] {
            return make_exception_future<typename ThenFuture<F>::value_type>(get_exception());
        }
        if constexpr (std::is_void_v<T>) {
            get();
            return detail::futurize(f);
        } else {
            return detail::futurize(f, get());
        }
        // END 1.3
    }
    /// Makes `promise` end where this future ends: at once if the result is here, else by pointing
    /// the two far ends at each other.
    void forward_to(Promise<T>& promise) noexcept {
        // BEGIN 1.3: then maps and flattens
        //| Three cases. The result is here: `promise` is satisfied with it, whichever it is
        //| (`satisfy` takes the outcome whole). This future never had a promise: FutureError
        //| `no_state`. It is pending: point its promise and `promise`'s future at each other. That
        //| future may be gone; if not, whoever waits there waits on. And take the two in between
        //| out of the chain: this future has no promise then, and `promise` no future and the state
        //| `moved_from`.
        //= return todo_soft("1.3", "Future::forward_to");
        if (ready()) {
            promise.satisfy([&](Outcome<T>& outcome) { outcome = std::move(outcome_); });
        } else if (promise_ == nullptr) {
            promise.set_exception(FutureError(FutureError::Code::no_state));
        } else {
            Promise<T>* inner = std::exchange(promise_, nullptr);
            Future* outer = std::exchange(promise.future_, nullptr);
            promise.state_ = Promise<T>::State::moved_from;
            inner->future_ = outer;
            if (outer != nullptr) outer->promise_ = inner;
        }
        // END 1.3
    }

    [[noreturn, gnu::noinline, gnu::cold]] void throw_empty() const {
        // BEGIN 1.4: endings that nobody wants
        //| There is no result to give. Throw the FutureError that says why: the promise has not
        //| brought it yet; it was taken before (`taken_`); or there never was a promise.
        //= todo("1.4", "Future::throw_empty");
        throw FutureError(promise_ != nullptr ? FutureError::Code::not_ready
                          : taken_            ? FutureError::Code::already_retrieved
                                              : FutureError::Code::no_state);
        // END 1.4
    }

    Outcome<T> outcome_;
    bool taken_ = false;              // Whether a result was here and has been given away.
    Promise<T>* promise_ = nullptr;   // Borrows: while linked, each end keeps the other's address.
    Continuation* waiter_ = nullptr;  // Borrows: until posted or forgotten.
};

/// \cond
template <class F, class... Args>
detail::FutureOf<F, Args...> detail::futurize(F& f, Args&&... args) {
    // BEGIN 1.3: then maps and flattens
    //| Call `f` (std::invoke) and return a future of what it returns: itself if that is a future
    //| already, a ready future otherwise; mind `void`. If `f` throws, the exception goes into the
    //| future and no further.
    //= todo("1.3", "futurize");
    using Returned = std::invoke_result_t<F&, Args...>;
    using U = typename detail::FutureOf<F, Args...>::value_type;
    try {
        if constexpr (std::is_same_v<Returned, Future<U>>) {
            return std::invoke(f, std::forward<Args>(args)...);
        } else if constexpr (std::is_void_v<Returned>) {
            std::invoke(f, std::forward<Args>(args)...);
            return make_ready_future<void>();
        } else {
            return make_ready_future<U>(std::invoke(f, std::forward<Args>(args)...));
        }
    } catch (...) {
        return make_exception_future<U>(std::current_exception());
    }
    // END 1.3
}
/// \endcond

}  // namespace starling

// Here, because the functions of either end need the other one's class complete.
#include <starling/promise.hh>  // IWYU pragma: export
