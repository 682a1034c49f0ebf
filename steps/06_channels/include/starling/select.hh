// select, when_any, join_all: several operations at once, without a coroutine for each.
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

#include <array>
#include <cstddef>
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

/// A number that changes from call to call, to begin with another branch each time.
unsigned next_random() noexcept;

/// An operation, and what is posted when it ends.
template <class Owner, class Op>
class Branch : public Continuation {
  public:
    explicit Branch(Op&& operation) : op(std::forward<Op>(operation)) {}
    Branch(Branch&& other) noexcept
        : Continuation(std::move(other)), op(std::forward<Op>(other.op)) {}

    Op op;
    Owner* owner = nullptr;  // Borrows: this is part of it.
    std::size_t index = 0;

  private:
    void resume() noexcept override { owner->on_ended(index, op.stopped()); }
};

/// Calls `f` with element `index` of a tuple.
template <class Tuple, class F, std::size_t... Is>
void visit_at(Tuple& tuple, std::size_t index, F&& f, std::index_sequence<Is...>) {
    ((Is == index ? f(std::get<Is>(tuple)) : void()), ...);
}

/// Fills `outcome` with the result of an operation that has ended.
template <class T, class Op>
void finish_into(Outcome<T>& outcome, Op& op) noexcept {
    if (op.stopped()) return outcome.set_stopped();
    try {
        if constexpr (std::is_void_v<T>) {
            op.finish();
            outcome.set_value();
        } else {
            outcome.set_value(op.finish());
        }
    } catch (...) {
        outcome.set_current_exception();
    }
}

}  // namespace detail

/// \tparam Ops operations, or references to some
/// \affinity owner shard
template <class... Ops>
class SelectOperation {
    static constexpr std::size_t kCount = sizeof...(Ops);
    static_assert(kCount > 0, "select needs a branch");
    using Indices = std::index_sequence_for<Ops...>;

  public:
    using Result = Selected<OperationResult<std::remove_reference_t<Ops>>...>;

    SelectOperation(bool biased, Ops&&... ops)
        : branches_(detail::Branch<SelectOperation, Ops>(std::forward<Ops>(ops))...),
          biased_(biased) {}
    SelectOperation(SelectOperation&& other) noexcept
        : branches_(std::move(other.branches_)), biased_(other.biased_) {}

    bool ready() {
        first_ = biased_ ? 0 : detail::next_random() % kCount;
        // BEGIN 6.5: select
        // Whether a branch can finish without waiting; it is the winner then, and the others are never
        // started. Ask them in turn, beginning with `first_`, and no further than needed.
        todo("6.5", "SelectOperation::ready");
        // END 6.5
    }
    void start(Continuation& c) {
        outer_ = &c;
        context_.link_under(c.context());
        started_ = true;
        // BEGIN 6.5: select
        // Start every branch, beginning with `first_`, in `context_`; tell each its `owner` and `index`,
        // so that it can say when it has ended. None may run before all have been started. When the
        // last has ended, this may be gone.
        todo("6.5", "SelectOperation::start");
        // END 6.5
    }
    /// Whether nobody won, because all were stopped.
    bool stopped() const noexcept { return winner() == kNone; }
    Result finish() {
        if (stopped()) throw Cancelled{};
        Result result;
        result.index_ = winner();
        finish_all(result, Indices{});
        return result;
    }

  protected:
    template <class F>
    void visit(std::size_t index, F&& f) {
        detail::visit_at(branches_, index, f, Indices{});
    }
    /// Which branch has won; kNone as long as none has.
    std::size_t winner() const noexcept {
        // BEGIN 6.5: select
        // See your members at the end of this class.
        return todo_soft("6.5", "SelectOperation::winner", kNone);
        // END 6.5
    }

  private:
    template <class, class>
    friend class detail::Branch;
    static constexpr std::size_t kNone = kCount;

    /// Branch `index` has ended.
    void on_ended(std::size_t index, bool stopped) noexcept {
        // BEGIN 6.5: select
        // The first that ends without having been stopped wins, and the others are stopped. `outer_`
        // goes on (resume it) when the last has ended.
        return todo_soft("6.5", "SelectOperation::on_ended");
        // END 6.5
    }
    template <std::size_t... Is>
    void finish_all(Result& result, std::index_sequence<Is...>) {
        (finish_one(result.template slot<Is>(), std::get<Is>(branches_).op, Is), ...);
    }
    /// A branch that was never started is as good as stopped.
    template <class T, class Op>
    void finish_one(Outcome<T>& slot, Op& op, std::size_t index) {
        if (!started_ && index != winner()) return slot.set_stopped();
        detail::finish_into(slot, op);
    }

    std::tuple<detail::Branch<SelectOperation, Ops>...> branches_;
    BranchContext context_;
    Continuation* outer_ = nullptr;  // Borrows: it owns this operation.
    std::size_t first_ = 0;
    bool biased_;
    bool started_ = false;
    // BEGIN 6.5: select
    // What you have to remember from one call to the next.
    // END 6.5
};

/// A select that keeps only the winner's result: a loser that had succeeded as well is destroyed
/// with what it has got, which thereby goes back to where it came from. \affinity owner shard
template <class First, class... Rest>
class WhenAnyOperation : public SelectOperation<First, Rest...> {
  public:
    using Result = OperationResult<std::remove_reference_t<First>>;
    static_assert((std::is_same_v<Result, OperationResult<std::remove_reference_t<Rest>>> && ...),
                  "when_any needs branches with the same result; use select for others");

    using SelectOperation<First, Rest...>::SelectOperation;
    Result finish() {
        if (this->stopped()) throw Cancelled{};
        Outcome<Result> result;
        this->visit(this->winner(), [&](auto& branch) { detail::finish_into(result, branch.op); });
        return result.take();
    }
};

/// Waits for the first of several awaitables (operations, futures, tasks), stops the others and
/// waits until they have ended. Several that are ready have the same chance. `auto r = co_await
/// select(rx.recv(), sleep(1s)); if (r.index() == 0) use(r.take<0>());` \return Selected: the index
/// of the winner and a slot per branch \throws Cancelled if the task is stopped before any branch
/// has ended. O(branches), no allocation.
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
/// or its error.
template <class... As>
auto when_any(As&&... awaitables) {
    return WhenAnyOperation<OperationOf<As&&>...>(false,
                                                  as_operation(std::forward<As>(awaitables))...);
}

}  // namespace starling
