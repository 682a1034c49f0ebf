// when_all: one future for many.
//
// A tuple is a recursion: the first future, and a future of all the others. For a vector one
// continuation is enough: it waits for the first future that is not ready, then for the next. The
// whole takes as long as the slowest either way.
//
// Affinity: owner shard.
#pragma once

#include <algorithm>
#include <cstddef>
#include <starling/future.hh>
#include <tuple>
#include <vector>

namespace starling {

/// Ready when every one is. The futures come back ready, in order, each with its own result, so
/// that no value and no exception is lost. Nothing is allocated for those that are ready already.
/// O(n). \throws FutureError no_state, already_retrieved: one can never be ready
inline Future<std::tuple<>> when_all() { return make_ready_future<std::tuple<>>(std::tuple<>()); }
/// The same for at least one.
template <class T, class... Ts>
Future<std::tuple<Future<T>, Future<Ts>...>> when_all(Future<T> first, Future<Ts>... others) {
    return std::move(first).then_wrapped(
        [rest = when_all(std::move(others)...)](Future<T>&& ready) mutable {
            return std::move(rest).then([ready = std::move(ready)](auto&& all) mutable {
                return std::tuple_cat(std::tuple(std::move(ready)), std::move(all));
            });
        });
}

namespace detail {

/// Waits for one future after the other, gives them back, and frees itself.
template <class T>
struct WhenAllNode final : Continuation {
    explicit WhenAllNode(std::vector<Future<T>>&& all) : futures(std::move(all)) {}
    /// One more is ready (at first: none).
    void resume() noexcept override {
        for (; next < futures.size(); ++next) {
            if (!futures[next].ready()) return futures[next].start(*this);
        }
        promise.set_value(std::move(futures));
        delete this;
    }
    std::vector<Future<T>> futures;
    std::size_t next = 0;
    Promise<std::vector<Future<T>>> promise;
};

}  // namespace detail

/// The same for a run-time number of futures, with one allocation.
template <class T>
Future<std::vector<Future<T>>> when_all(std::vector<Future<T>> futures) {
    if (!std::ranges::all_of(futures, &Future<T>::valid)) {
        throw FutureError(FutureError::Code::no_state);
    }
    auto* node = new detail::WhenAllNode<T>(std::move(futures));
    auto result = node->promise.get_future();
    node->resume();
    return result;
}

}  // namespace starling
