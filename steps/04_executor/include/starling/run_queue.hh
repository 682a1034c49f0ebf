// RunQueue: one queue per priority, served by weight, so that nobody starves.
//
//     high    [a b c d …]   up to 16 a round
//     normal  [e f …]       up to 4
//     low     [g …]         up to 1          then a new round
//
// A weight costs nothing where nobody competes: a queue alone is served without counting.
//
// Affinity: owner shard. Source: weighted round robin.
#pragma once

#include <array>
#include <cstddef>
#include <starling/context.hh>
#include <starling/continuation.hh>

namespace starling {

/// What is ready to run. \affinity owner shard
class RunQueue {
  public:
    /// What each priority may run in a round while the others have work.
    static constexpr std::array<int, kPriorities> kWeights{16, 4, 1};

    /// Whether there is nothing to run. O(1).
    bool empty() const noexcept { return others_ == 0 && queues_[kNormal].empty(); }

    /// Appends to the queue of `c`'s context's priority. O(1).
    void push(Continuation& c) noexcept {
        const Context* context = c.context();
        const Priority priority = context == nullptr ? Priority::normal : context->priority();
        if (priority == Priority::normal) [[likely]]
            return queues_[kNormal].push(c);
        queues_[static_cast<unsigned>(priority)].push(c);
        ++others_;
    }

    /// Takes the next. \pre not empty. O(1).
    Continuation& pop() noexcept {
        // The common case apart, so that a branch is predicted and no index computed: a queue is a
        // chain of dependent loads already (BM_Executor_Yield).
        if (others_ == 0) [[likely]]
            return queues_[kNormal].pop();
        const unsigned index = next_by_weight();
        if (index != kNormal) --others_;
        return queues_[index].pop();
    }

  private:
    static constexpr auto kNormal = static_cast<unsigned>(Priority::normal);

    /// The most urgent queue that waits and has some of its share left; if none has, a round
    /// begins.
    unsigned next_by_weight() noexcept {
        for (;;) {
            for (unsigned i = 0; i < kPriorities; ++i) {
                if (queues_[i].empty() || shares_[i] == 0) continue;
                --shares_[i];
                return i;
            }
            shares_ = kWeights;
        }
    }

    std::array<ContinuationQueue, kPriorities> queues_;
    std::size_t others_ = 0;  // How many wait with another priority than normal.
    std::array<int, kPriorities> shares_ = kWeights;
};

}  // namespace starling
