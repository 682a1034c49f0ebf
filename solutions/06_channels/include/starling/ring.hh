// Ring: a queue that owns its items, with room at both ends.
//
//     push_front ──► [ a  b  c ] ◄── push_back
//      pop_front ◄──
//
// It knows a limit, and says when it has been reached; what happens then is its owner's business.
//
// Affinity: owner shard.
#pragma once

#include <cassert>
#include <cstddef>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

namespace starling {

/// A queue that owns its items.
/// \tparam T an object type whose move does not throw
/// \affinity owner shard
template <class T>
class Ring {
    static_assert(std::is_nothrow_move_constructible_v<T>,
                  "a ring moves its items, and must not lose one");

  public:
    /// A limit that is never reached.
    static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

    /// \param limit when `full`; the memory grows as it is needed
    explicit Ring(std::size_t limit = kUnlimited) noexcept : limit_(limit) {}
    ~Ring() {
        while (!empty()) pop_front();
    }

    /// How many items it holds; more than the limit if they were pushed nevertheless. O(1).
    std::size_t size() const noexcept {
        // BEGIN 6.1: the ring
        //| How many items there are.
        //= return todo_soft("6.1", "Ring::size", std::size_t{0});
        return tail_ - head_;
        // END 6.1
    }
    /// Whether there is nothing to pop. O(1).
    bool empty() const noexcept { return size() == 0; }
    /// Whether there are as many items as the limit allows, or more.
    bool full() const noexcept { return size() >= limit_; }

    /// Appends, whatever the limit. O(1) amortised; allocates only to grow.
    void push_back(T&& item) {
        // BEGIN 6.1: the ring
        //| Behind the last item. Grow if there is no room.
        //= todo("6.1", "Ring::push_back");
        if (size() == room_) grow();
        std::construct_at(&at(tail_++), std::move(item));
        // END 6.1
    }
    /// Puts an item back where it came from, whatever the limit.
    void push_front(T&& item) {
        // BEGIN 6.1: the ring
        //| Before the first item.
        //= todo("6.1", "Ring::push_front");
        if (size() == room_) grow();
        std::construct_at(&at(--head_), std::move(item));
        // END 6.1
    }
    /// Takes the oldest. \pre not empty. O(1).
    T pop_front() {
        assert(!empty());
        // BEGIN 6.1: the ring
        //| Move the first item out, and destroy what is left in its slot.
        //= todo("6.1", "Ring::pop_front");
        T& first = at(head_++);
        T result = std::move(first);
        std::destroy_at(&first);
        return result;
        // END 6.1
    }

  private:
    const std::size_t limit_;
    // BEGIN 6.1: the ring
    //| Your data members and helpers. A container of the standard library is a fine start; a
    //| std::deque allocates as it moves along, and 6.2 asks that passing values allocates nothing.
    //
    // Ours: one block of memory that grows by doubling.
    //
    //        head_    tail_       both count on and on: item n is in slot n % room_, and room_ is a
    //          ▼        ▼         power of two, so the remainder is a mask
    //     [ . .  a  b  c  . . . ]
    union Slot {
        Slot() noexcept {}
        ~Slot() {}
        T item;
    };
    T& at(std::size_t n) noexcept { return slots_[n & (room_ - 1)].item; }
    [[gnu::noinline]] void grow() {
        const std::size_t room = room_ == 0 ? 8 : room_ * 2;
        auto slots = std::make_unique<Slot[]>(room);
        for (std::size_t n = head_; n != tail_; ++n) {
            std::construct_at(&slots[n & (room - 1)].item, std::move(at(n)));
            std::destroy_at(&at(n));
        }
        slots_ = std::move(slots);
        room_ = room;
    }

    std::unique_ptr<Slot[]> slots_;  // Those from head_ to tail_ hold an item.
    std::size_t room_ = 0;
    std::size_t head_ = 0;
    std::size_t tail_ = 0;
    // END 6.1
};

}  // namespace starling
