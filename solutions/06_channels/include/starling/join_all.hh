// join_all: a run-time number of awaitables of one kind, all of them.
//
// The first that fails stops the others, and is reported when they have ended.
//
// Affinity: owner shard.
#pragma once

#include <deque>
#include <starling/select.hh>
#include <vector>

namespace starling {

/// \affinity owner shard
template <class Op>
class JoinAllOperation {
    using Value = OperationResult<Op>;

  public:
    explicit JoinAllOperation(std::vector<Op>&& ops) {
        for (Op& op : ops) branches_.emplace_back(std::move(op));
    }
    JoinAllOperation(JoinAllOperation&& other) noexcept : branches_(std::move(other.branches_)) {}

    bool ready() const noexcept { return branches_.empty(); }
    void start(Continuation& c) {
        outer_ = &c;
        context_.link_under(c.context());
        TrampolineScope nobody_runs;
        for (std::size_t i = 0; i < branches_.size(); ++i) {
            branches_[i].owner = this;
            branches_[i].index = i;
            branches_[i].set_context(&context_);
            branches_[i].op.start(branches_[i]);
        }
    }
    /// Whether one was stopped and none failed.
    bool stopped() const noexcept { return first_bad_ != nullptr && first_bad_->stopped(); }
    /// The values, in order; nothing for void.
    auto finish() {
        if (first_bad_ != nullptr) first_bad_->take();
        if constexpr (!std::is_void_v<Value>) {
            std::vector<Value> values;
            values.reserve(branches_.size());
            for (auto& branch : branches_) values.push_back(branch.outcome.take());
            return values;
        }
    }

  private:
    struct Entry final : detail::Branch<JoinAllOperation, Op> {
        using detail::Branch<JoinAllOperation, Op>::Branch;
        Outcome<Value> outcome;
    };
    friend class detail::Branch<JoinAllOperation, Op>;

    void on_ended(std::size_t index, bool) noexcept {
        Entry& branch = branches_[index];
        detail::finish_into(branch.outcome, branch.op);
        const bool last = ++ended_ == branches_.size();
        const bool bad = !branch.outcome.has_value();
        if (bad &&
            (first_bad_ == nullptr || (first_bad_->stopped() && !branch.outcome.stopped()))) {
            first_bad_ = &branch.outcome;
            TrampolineScope nobody_runs;
            if (!last) context_.request_stop();
        }
        if (!last) return;
        context_.unlink();
        outer_->resume();
    }

    std::deque<Entry> branches_;  // A deque: branches stay where they are.
    BranchContext context_;
    Continuation* outer_ = nullptr;        // Borrows: it owns this operation.
    Outcome<Value>* first_bad_ = nullptr;  // Borrows: of a branch.
    std::size_t ended_ = 0;
};

/// Awaits all of them, concurrently. `std::vector<int> xs = co_await join_all(std::move(tasks));`
/// \throws what the first that failed threw, after the others were stopped and have ended;
/// Cancelled
template <class A>
auto join_all(std::vector<A> awaitables) {
    using Op = std::remove_cvref_t<OperationOf<A&&>>;
    std::vector<Op> ops;
    ops.reserve(awaitables.size());
    for (A& awaitable : awaitables) ops.push_back(as_operation(std::move(awaitable)));
    return JoinAllOperation<Op>(std::move(ops));
}

}  // namespace starling
