// SlotTable: names for objects, for someone outside who gives the names back later: the kernel.
//
//     key = generation << 32 | index            generations begin with 1
//     slots   [0: op, gen 3] [1: free, gen 8] [2: op, gen 1]
//
// An address would do as a name, were it not for late answers: a completion, or a cancel on its
// way, may name an operation that has ended, whose memory is another's by now. A slot is used again
// as well, but each use has its own generation, so an old key finds nothing.
//
// Affinity: owner shard. Source: generational indices; the `user_data` of io_uring_enter(2).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>
#include <starling/todo.hh>

namespace starling {

/// Objects by key; an old key finds nothing.
/// \tparam T what is named; the table borrows it from `insert` to `erase`
/// \affinity owner shard
template <class T>
class SlotTable {
  public:
    /// Gives `object` a key: never one that was in use before (until one slot has been used four
    /// billion times), and never one of generation 0: those are free for others, and 0 is nobody's.
    /// Free slots are used again. O(1) amortized.
    std::uint64_t insert(T& object) {
        // BEGIN 7.1: slots with generations
        (void)object;
        todo("7.1", "SlotTable::insert");
        // END 7.1
    }

    /// What `key` names; null if it names nothing any more, or never did. O(1).
    T* find(std::uint64_t key) const noexcept {
        // BEGIN 7.1: slots with generations
        (void)key;
        return todo_soft("7.1", "SlotTable::find", static_cast<T*>(nullptr));
        // END 7.1
    }

    /// From now on `key` names nothing. Without effect if it named nothing. O(1).
    void erase(std::uint64_t key) noexcept {
        // BEGIN 7.1: slots with generations
        (void)key;
        return todo_soft("7.1", "SlotTable::erase");
        // END 7.1
    }

  private:
    // BEGIN 7.1: slots with generations
    // Your data members. 16 bytes a slot are enough, and freeing one need not search.
    // END 7.1
};

}  // namespace starling
