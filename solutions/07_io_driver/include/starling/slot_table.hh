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
        //= (void)object;
        //= todo("7.1", "SlotTable::insert");
        if (free_ == kNone) {
            free_ = static_cast<std::uint32_t>(slots_.size());
            slots_.push_back({});
        }
        const std::uint32_t index = free_;
        Slot& slot = slots_[index];
        free_ = slot.next_free;
        slot.object = &object;
        return std::uint64_t{slot.generation} << 32 | index;
        // END 7.1
    }

    /// What `key` names; null if it names nothing any more, or never did. O(1).
    T* find(std::uint64_t key) const noexcept {
        // BEGIN 7.1: slots with generations
        //= (void)key;
        //= return todo_soft("7.1", "SlotTable::find", static_cast<T*>(nullptr));
        const auto index = static_cast<std::uint32_t>(key);
        if (index >= slots_.size() || slots_[index].generation != key >> 32) return nullptr;
        return slots_[index].object;
        // END 7.1
    }

    /// From now on `key` names nothing. Without effect if it named nothing. O(1).
    void erase(std::uint64_t key) noexcept {
        // BEGIN 7.1: slots with generations
        //= (void)key;
        //= return todo_soft("7.1", "SlotTable::erase");
        if (find(key) == nullptr) return;
        const auto index = static_cast<std::uint32_t>(key);
        Slot& slot = slots_[index];
        slot.object = nullptr;
        if (++slot.generation == 0) slot.generation = 1;
        slot.next_free = free_;
        free_ = index;
        // END 7.1
    }

  private:
    // BEGIN 7.1: slots with generations
    //| Your data members. 16 bytes a slot are enough, and freeing one need not search.
    static constexpr std::uint32_t kNone = ~0U;
    struct Slot {
        T* object = nullptr;  // Borrows: until `erase`. Null: free.
        std::uint32_t generation = 1;
        std::uint32_t next_free = kNone;
    };
    std::vector<Slot> slots_;
    std::uint32_t free_ = kNone;
    // END 7.1
};

}  // namespace starling
