// select, when_any: the first of several operations, without a coroutine for each.
//
//     select(a, b, c):   start all ─► the first that ends wins ─► the others are stopped
//                                     └─ and waited for: a slot per branch says what became of it
//
// All branches run in one context under the task's: stopping it stops whoever has not ended yet.
// The winner does not go on before every loser has ended, because losers may use memory of this
// frame; and a loser that had succeeded by then keeps its value in its slot. Nothing a branch has
// got is lost.
//
// Affinity: owner shard.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <starling/context.hh>
#include <starling/operation.hh>
#include <starling/outcome.hh>
#include <tuple>
#include <type_traits>
#include <utility>
#include <starling/todo.hh>

namespace starling {

/// What became of the branches of a select.
template <class... Ts>
class Selected {
  public:
    /// Which branch won, counted from 0.
    std::size_t index() const noexcept { return index_; }
    /// What became of branch I: a value or an error, also for a loser that had ended; else
    /// `stopped`.
    template <std::size_t I>
    auto& slot() noexcept {
        return std::get<I>(slots_);
    }
    /// Takes the value of branch I, or throws its error, or Cancelled if it has none.
    template <std::size_t I>
    decltype(auto) take() {
        return slot<I>().take();
    }

  private:
    template <class...>
    friend class SelectOperation;
    std::size_t index_ = 0;
    std::tuple<Outcome<Ts>...> slots_;
};

namespace detail {

/// Where the next select begins to ask. Goes by steps of the golden ratio: also if several selects
/// take turns, each begins at all of its branches equally often.
inline constinit thread_local std::uint32_t select_turn = 0;

}  // namespace detail

/// Awaits the first of several operations, and keeps what the others have got.
/// \tparam Ops operations, or references to some
/// \affinity owner shard
template <class... Ops>
class [[nodiscard]] SelectOperation : private BranchContext {
    static constexpr std::size_t kCount = sizeof...(Ops);
    static_assert(kCount > 0, "a select without a branch would never end");

    /// An operation, and what is posted when it ends. Its context is this select, from the start
    /// on.
    template <class Op>
    struct Branch : Continuation {
        explicit Branch(Op&& operation) : op(std::forward<Op>(operation)) {}
        void resume() noexcept override {
            static_cast<SelectOperation*>(context())->on_ended(*this, op.stopped());
        }
        /// What became of it. If it was never started, it has won or is as good as stopped.
        void finish_into(auto& outcome, bool won) noexcept {
            if (!won && (context() == nullptr || op.stopped())) return outcome.set_stopped();
            outcome.set_result_of([this]() -> decltype(auto) { return op.finish(); });
        }
        Op op;
    };

  public:
    /// What awaiting it gives: who won, and a slot per branch.
    using Result = Selected<OperationResult<std::remove_reference_t<Ops>>...>;

    /// \param biased of several that are ready the first wins; otherwise all have the same chance
    /// \param ops moved in; those that are lvalues outlive this
    explicit SelectOperation(bool biased, Ops&&... ops)
        : branches_(std::forward<Ops>(ops)...), biased_(biased) {}
    /// \pre `other` was neither asked whether it is ready nor started
    SelectOperation(SelectOperation&& other) noexcept
        : branches_(std::move(other.branches_)), biased_(other.biased_) {}

    bool ready() {
        if (!biased_) {
            detail::select_turn += 0x9E3779B9U;
            first_ = std::uint64_t{detail::select_turn} * kCount >> 32;
        }
        // BEGIN 6.5: select
        // Whether a branch can finish without waiting; it is the winner then, and the others are never
        // started. Ask them `in_turn`, which visits every branch: once there is a winner, ask no
        // further one.
        todo("6.5", "SelectOperation::ready");
        // END 6.5
    }
    void start(Continuation& c) {
        outer_ = &c;
        link_under(c.context());
        // BEGIN 6.5: select
        // Start every branch's `op`, `in_turn`, in this context (`set_context` of the branch). What
        // it posts when it has ended is the branch: a Continuation, which calls `on_ended`. None may
        // run before all have been started. When the last has ended, this may be gone.
        todo("6.5", "SelectOperation::start");
        // END 6.5
    }
    /// Whether nobody won, because all were stopped.
    bool stopped() const noexcept { return winner() == nullptr; }
    Result finish() {
        if (stopped()) throw Cancelled{};
        Result result;
        [&]<std::size_t... Is>(std::index_sequence<Is...>) {
            const bool won[] = {&std::get<Is>(branches_) == winner()...};
            result.index_ = std::find(won, won + kCount, true) - won;
            (std::get<Is>(branches_).finish_into(result.template slot<Is>(), won[Is]), ...);
        }(std::index_sequence_for<Ops...>{});
        return result;
    }

  protected:
    /// Calls `f` with each branch, beginning with number `first_`.
    template <class F>
    void in_turn(F f) {
        for (std::size_t turn = 0; turn < kCount; ++turn) {
            std::size_t skip = (first_ + turn) % kCount;
            const auto visit = [&](auto& branch) {
                if (skip-- == 0) f(branch);
            };
            std::apply([&](auto&... each) { (visit(each), ...); }, branches_);
        }
    }
    /// The branch that has won; null as long as none has.
    const Continuation* winner() const noexcept {
        // BEGIN 6.5: select
        // See your members at the end of this class.
        return todo_soft("6.5", "SelectOperation::winner", nullptr);
        // END 6.5
    }

  private:
    /// `branch` has ended.
    void on_ended(Continuation& branch, bool stopped) noexcept {
        // BEGIN 6.5: select
        // The first that ends without having been stopped wins, and the others are stopped. `outer_`
        // goes on (resume it) when the last has ended.
        return todo_soft("6.5", "SelectOperation::on_ended");
        // END 6.5
    }

    std::tuple<Branch<Ops>...> branches_;
    Continuation* outer_ = nullptr;  // Borrows: it owns this operation.
    std::size_t first_ = 0;
    bool biased_;
    // BEGIN 6.5: select
    // What you have to remember from one call to the next.
    // END 6.5
};

/// A select that keeps only the winner's result: a loser that had succeeded as well is destroyed
/// with what it has got; an operation gives it back to where it came from. \affinity owner shard
template <class First, class... Rest>
class [[nodiscard]] WhenAnyOperation : public SelectOperation<First, Rest...> {
  public:
    /// What awaiting it gives: the result type of every branch.
    using Result = OperationResult<std::remove_reference_t<First>>;
    static_assert((std::is_same_v<Result, OperationResult<std::remove_reference_t<Rest>>> && ...),
                  "when_any needs branches with the same result; use select for others");

    using SelectOperation<First, Rest...>::SelectOperation;
    Result finish() {
        if (this->stopped()) throw Cancelled{};
        Outcome<Result> result;
        this->in_turn([&](auto& branch) {
            if (&branch == this->winner()) branch.finish_into(result, true);
        });
        return result.take();
    }
};

/// Waits for the first of several awaitables (operations, futures, tasks), stops the others and
/// waits until they have ended. Several that are ready have the same chance. `auto r = co_await
/// select(rx.recv(), sleep(1s)); if (r.index() == 0) use(r.take<0>());` \return Selected: the index
/// of the winner and a slot per branch \throws Cancelled if the task is stopped before any branch
/// has ended. No allocation. O(branches²), for it counts off whose turn it is; meant for a few.
template <class... As>
auto select(As&&... awaitables) {
    return SelectOperation<OperationOf<As&&>...>(false,
                                                 as_operation(std::forward<As>(awaitables))...);
}
/// The same, except that of several that are ready the first in the list wins.
template <class... As>
auto select_biased(As&&... awaitables) {
    return SelectOperation<OperationOf<As&&>...>(true,
                                                 as_operation(std::forward<As>(awaitables))...);
}
/// The result of the first of several awaitables, which all have the same result type: its value,
/// or its error. A loser that has succeeded as well is not asked for its result, so an operation
/// still has it to give back: an item, a permit, a stream's bytes (`readable`). A *task* has ended
/// and has nowhere to put it: bytes that `read` has copied, or a connection that `accept` has made,
/// are lost with it. Race tasks with `select`, and look at every slot.
template <class... As>
auto when_any(As&&... awaitables) {
    return WhenAnyOperation<OperationOf<As&&>...>(false,
                                                  as_operation(std::forward<As>(awaitables))...);
}

}  // namespace starling
