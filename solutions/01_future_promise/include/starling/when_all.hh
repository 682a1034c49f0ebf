// when_all: one future for many.
//
// One continuation is enough for any number of futures: it waits for the first that is not ready,
// then for the next. The whole takes as long as the slowest either way. If all are ready already,
// nothing is allocated.
//
// Affinity: owner shard.
#pragma once

#include <cstddef>
#include <memory>
#include <starling/future.hh>
#include <tuple>
#include <vector>

namespace starling {
namespace detail {

/// Waits for all of `Futures`, then gives them back. `for_first_pending(futures, g)` calls `g`
/// with the first future that is not ready, if any, and returns whether there was one.
template <class Futures, class ForFirstPending>
class WhenAllNode final : public Continuation {
  public:
    static Future<Futures> attach(Futures&& futures, ForFirstPending for_first_pending) {
        if (!for_first_pending(futures, [](auto&) {})) {
            return make_ready_future<Futures>(std::move(futures));
        }
        auto* node = new WhenAllNode(std::move(futures), for_first_pending);
        Future<Futures> result = node->promise_.get_future();
        node->resume();
        return result;
    }

    /// One more is ready (at first: none).
    void resume() noexcept override {
        if (for_first_pending_(futures_, [this](auto& future) { future.start(*this); })) return;
        std::unique_ptr<WhenAllNode> self(this);
        promise_.set_value(std::move(futures_));
    }

  private:
    WhenAllNode(Futures&& futures, ForFirstPending for_first_pending)
        : futures_(std::move(futures)), for_first_pending_(for_first_pending) {}

    Futures futures_;
    ForFirstPending for_first_pending_;
    Promise<Futures> promise_;
};

/// Whether a result will come: a future without a promise counts as ready.
template <class T>
bool pending(const Future<T>& future) noexcept {
    return future.valid() && !future.ready();
}

}  // namespace detail

/// Ready when every one is. The futures come back ready, in order, each with its own result, so
/// that no value and no exception is lost. At most one allocation. Time: O(n).
template <class... Ts>
Future<std::tuple<Future<Ts>...>> when_all(Future<Ts>... futures) {
    using Futures = std::tuple<Future<Ts>...>;
    auto for_first_pending = [](Futures& all, auto&& f) {
        const auto visit = [&](auto& future) {
            const bool found = detail::pending(future);
            if (found) f(future);
            return found;
        };
        return std::apply([&](auto&... each) { return (visit(each) || ...); }, all);
    };
    return detail::WhenAllNode<Futures, decltype(for_first_pending)>::attach(
        Futures(std::move(futures)...), for_first_pending);
}

/// The same for a run-time number of futures.
template <class T>
Future<std::vector<Future<T>>> when_all(std::vector<Future<T>> futures) {
    using Futures = std::vector<Future<T>>;
    auto for_first_pending = [next = std::size_t{0}](Futures& all, auto&& f) mutable {
        while (next < all.size() && !detail::pending(all[next])) ++next;
        if (next == all.size()) return false;
        f(all[next]);
        return true;
    };
    return detail::WhenAllNode<Futures, decltype(for_first_pending)>::attach(std::move(futures),
                                                                             for_first_pending);
}

}  // namespace starling
