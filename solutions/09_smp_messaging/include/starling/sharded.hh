// invoke_on_all: one function on every shard at once; Sharded<T>: one T on every shard.
//
//     Sharded<Counter> counters;
//     co_await counters.start(0);                       shard 0   shard 1   shard 2
//     counters.local().add(1);                          [T]       [T]       [T]
//     co_await counters.map_reduce(…);                   └─────────┴─────────┘
//     co_await counters.stop();
//
// Nothing is shared, so nothing is locked: whoever wants another shard's T sends a function there.
//
// Affinity: start, stop and the members that await: the shard that made it; local: any shard.
#pragma once

#include <algorithm>
#include <deque>
#include <starling/submit.hh>

namespace starling {

namespace detail {

/// One SubmitOperation per shard; ready when the last has ended. \affinity owner shard
template <class F>
class InvokeOnAll {
    using T = OperationResult<SubmitOperation<F>>;

  public:
    InvokeOnAll(Mailbox& home, const F& f) {
        for (unsigned shard = 0; shard < home.smp().shards(); ++shard) {
            branches_.emplace_back(SubmitOperation<F>(home, shard, f));
        }
    }

    bool ready() const noexcept { return false; }
    void start(Continuation& c) {
        waiter_ = &c;
        running_ = branches_.size();
        for (Branch& branch : branches_) {
            branch.all = this;
            branch.set_context(c.context());
            branch.submit.start(branch);
        }
    }
    bool stopped() const noexcept {
        return std::ranges::any_of(branches_, [](const Branch& b) { return b.submit.stopped(); });
    }
    /// \throws the first shard's exception, by number
    auto finish() {
        if constexpr (std::is_void_v<T>) {
            for (Branch& branch : branches_) branch.submit.finish();
        } else {
            std::vector<T> results;
            for (Branch& branch : branches_) results.push_back(branch.submit.finish());
            return results;
        }
    }

  private:
    struct Branch final : Continuation {
        explicit Branch(SubmitOperation<F>&& operation) : submit(std::move(operation)) {}
        void resume() noexcept override {
            if (--all->running_ == 0) all->waiter_->resume();
        }
        SubmitOperation<F> submit;
        InvokeOnAll* all = nullptr;  // Borrows: it contains this.
    };
    std::deque<Branch> branches_;  // They stay where they are.
    std::size_t running_ = 0;
    Continuation* waiter_ = nullptr;  // Borrows: it owns this operation.
};

}  // namespace detail

/// Calls a copy of `f` on every shard, this one included, all at once, and waits for all of them.
/// Gives a vector of the results, by shard (nothing for void), or throws the first exception by
/// shard. \throws std::logic_error outside of a shard
template <class F>
detail::InvokeOnAll<F> invoke_on_all(F f) {
    return {mailbox("invoke_on_all"), f};
}

/// One T per shard, made, used and destroyed there: from `start` on.
/// \affinity as marked in the banner
template <class T>
class Sharded {
  public:
    /// \pre stopped, or never started
    ~Sharded() {
        assert(instances_.empty() && "a Sharded was not stopped before it was destroyed");
    }

    /// Makes a T(args...) on every shard; each gets the arguments by reference to one copy, which
    /// it only reads. If one throws, those already made are stopped, and then it throws.
    template <class... Args>
    Task<> start(Args... args) {
        assert(instances_.empty() && "a Sharded is started once");
        instances_.resize(shard_count());
        std::exception_ptr error;
        try {
            co_await starling::invoke_on_all(
                [&] { mine() = std::make_unique<T>(std::as_const(args)...); });
        } catch (...) {
            error = std::current_exception();
        }
        if (error == nullptr) co_return;
        co_await stop();
        std::rethrow_exception(error);
    }

    /// Calls `T::stop()`, if there is one, on every shard, and awaits what that gives; when all
    /// have ended, destroys them: until then they may ask each other. Nothing if none was started.
    /// Runs to its end even if its caller is stopped. \throws the first exception of a `T::stop()`,
    /// by shard
    Task<> stop() {
        if (instances_.empty()) co_return;
        std::exception_ptr error;
        try {
            co_await shield(starling::invoke_on_all([this] { return stop_mine(); }));
        } catch (...) {
            error = std::current_exception();
        }
        co_await shield(starling::invoke_on_all([this] { mine().reset(); }));
        instances_.clear();
        if (error != nullptr) std::rethrow_exception(error);
    }

    /// This shard's T. \pre started. Any shard.
    T& local() noexcept {
        assert(mine() != nullptr);
        return *mine();
    }

    /// `f(T&)` on one shard.
    template <class F>
    auto invoke_on(unsigned shard, F f) {
        return submit_to(shard, [this, f = std::move(f)]() mutable { return f(local()); });
    }
    /// A copy of `f(T&)` on every shard.
    template <class F>
    auto invoke_on_all(F f) {
        return starling::invoke_on_all([this, f = std::move(f)]() mutable { return f(local()); });
    }
    /// `reduce(… reduce(reduce(initial, map(T&) of shard 0), map(T&) of shard 1) …)`, called here.
    template <class Map, class R, class Reduce>
    Task<R> map_reduce(Map map, R initial, Reduce reduce) {
        auto mapped = co_await this->invoke_on_all(std::move(map));
        // A vector<bool> has no element to refer to: hence &&.
        for (auto&& value : mapped) initial = reduce(std::move(initial), std::move(value));
        co_return initial;
    }

  private:
    std::unique_ptr<T>& mine() noexcept { return instances_[this_shard()]; }

    Task<> stop_mine() {
        if constexpr (requires(T& t) { t.stop(); }) {
            if (mine() == nullptr) co_return;
            if constexpr (requires(T& t) { as_operation(t.stop()); }) {
                co_await mine()->stop();
            } else {
                mine()->stop();
            }
        }
        co_return;
    }

    std::vector<std::unique_ptr<T>> instances_;  // By shard; each shard touches its own element.
};

}  // namespace starling
