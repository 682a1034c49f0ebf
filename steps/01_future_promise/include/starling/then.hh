// Chains of futures: `then_wrapped`, and `then`, `handle_exception` and `finally` on top of it.
// Included by future.hh, which documents them.
//
//     source_ ──► ThenNode: f_ ──► promise_ ·····► the future that `then` returned
//
// Two ways a chain could eat the stack, and what stops them: a node that is resumed posts the next
// one, and the trampoline runs it later; a ready future calls its function at once, but only so
// deep (InlineScope), and posts a node beyond that.
//
// Affinity: owner shard.
#pragma once

#include <memory>
#include <starling/future.hh>
#include <starling/todo.hh>

namespace starling {
namespace detail {

/// How deep ready futures whose functions return ready futures may nest before one is posted.
inline constexpr int kInlineDepthMax = 64;
inline constinit thread_local int inline_depth = 0;

/// Sets the depth for as long as it lives.
class InlineScope {
  public:
    explicit InlineScope(int depth) noexcept : previous_(std::exchange(inline_depth, depth)) {}
    ~InlineScope() { inline_depth = previous_; }
    InlineScope(const InlineScope&) = delete;
    InlineScope& operator=(const InlineScope&) = delete;

  private:
    const int previous_;
};

template <class F, class... Args>
using Futurized = Future<typename Flattened<std::invoke_result_t<F&, Args...>>::type>;

/// Calls `f(args...)` and makes a future of whatever comes: a value, a future, or an exception.
template <class F, class... Args>
Futurized<F, Args...> futurize(F& f, Args&&... args) {
    // BEGIN 1.3: then maps and flattens
    // Call `f` (std::invoke) and return a future of what it returns: itself if that is a future
    // already (`is_future`), a ready future otherwise; mind `void`. If `f` throws, the exception
    // goes into the future and no further.
    todo("1.3", "futurize");
    // END 1.3
}

/// A function attached to a pending future: waits, calls, delivers, frees itself.
template <class T, class F>
class ThenNode final : public Continuation {
  public:
    using Result = ThenFuture<F&, Future<T>>;

    /// Waits for `source`. The node owns itself from here on.
    static Result attach(Future<T>&& source, F&& f) {
        auto* node = new ThenNode(std::move(source), std::move(f));
        Result result = node->promise_.get_future();
        node->source_.start(*node);
        return result;
    }

    /// The result is here.
    void resume() noexcept override {
        const InlineScope shallow(0);  // A loop's frame is below this one.
        const std::unique_ptr<ThenNode> self(this);
        futurize(f_, std::move(source_)).forward_to(promise_);
    }

  private:
    ThenNode(Future<T>&& source, F&& f) : source_(std::move(source)), f_(std::move(f)) {}

    Future<T> source_;
    F f_;
    Promise<typename Result::value_type> promise_;
};

}  // namespace detail

/// \cond

template <class T>
void Future<T>::forward_to(Promise<T>& promise) noexcept {
    // BEGIN 1.3: then maps and flattens
    // Three cases. The result is here: `promise` is satisfied with it, whichever it is. This
    // future never had a promise: FutureError `no_state`. It is pending: point its promise and
    // `promise`'s future at each other (that future may be gone), and take the two in between out
    // of the chain: this future has no promise then, and `promise` no future and the state
    // `moved_from`.
    return todo_soft("1.3", "Future::forward_to");
    // END 1.3
}

template <class T>
template <class F>
auto Future<T>::apply(F& f) -> ThenFuture<F&, T> {
    // BEGIN 1.3: then maps and flattens
    // The result is here. If it is an exception, return a failed future that carries it on; else
    // `futurize` a call of `f` with the value (without one if T is void).
    todo("1.3", "Future::apply");
    // END 1.3
}

template <class T>
template <class F>
auto Future<T>::then_wrapped(F f) && -> ThenFuture<F&, Future<T>> {
    if (!valid()) throw_empty();
    if (ready() && detail::inline_depth < detail::kInlineDepthMax) {
        const detail::InlineScope deeper(detail::inline_depth + 1);
        return detail::futurize(f, std::move(*this));
    }
    return detail::ThenNode<T, F>::attach(std::move(*this), std::move(f));
}

template <class T>
template <class F>
auto Future<T>::then(F f) && -> ThenFuture<F&, T> {
    if constexpr (!detail::is_future<typename detail::ThenResult<F&, T>::type>) {
        if (ready()) return apply(f);  // Plain values cannot nest.
    }
    return std::move(*this).then_wrapped(
        [f = std::move(f)](Future&& self) mutable { return self.apply(f); });
}

template <class T>
template <class F>
Future<T> Future<T>::handle_exception(F f) && {
    return std::move(*this).then_wrapped([f = std::move(f)](Future&& self) mutable -> Future {
        if (!self.failed()) return std::move(self);
        return detail::futurize(f, self.get_exception());
    });
}

template <class T>
template <class F>
Future<T> Future<T>::finally(F f) && {
    return std::move(*this).then_wrapped([f = std::move(f)](Future&& self) mutable -> Future {
        return detail::futurize(f).then_wrapped(
            [self = std::move(self)](auto&& done) mutable -> Future {
                if (done.failed()) return make_exception_future<T>(done.get_exception());
                return std::move(self);
            });
    });
}

/// \endcond

}  // namespace starling
