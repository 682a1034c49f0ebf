// SpscRing: a queue between exactly one producer and one consumer, without locks.
//
//         head_              tail        staged_
//           ▼                  ▼            ▼
//     ──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──┬──      ▓ published: the consumer's
//       │  │▓▓│▓▓│▓▓│▓▓│▓▓│▓▓│░░│░░│░░│░░│  │  │        ░ staged: not yet
//     ──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──┴──      indices only ever grow
//
//     line:  [ tail │ slot │ slot │ slot │ slot │ slot │ slot │ slot ]     64 bytes
//
// The producer writes slots and moves the tail on; the consumer reads slots and moves the head on.
// Each index has one writer, so a store is enough. What costs time is not the code but cache lines
// that travel from core to core, some 30 to 100 ns each:
//   - each line of slots has the tail with it: one trip brings the news and the items;
//   - one publish for a batch, so a line travels once for several items;
//   - each side remembers the other's index, and looks again only when that says full (empty).
//
// Invariant: head_ <= tail <= staged_ <= head_ + capacity. A line's tail is the index behind its
// last published item; left over from an earlier lap, it is at most the line's first index: nothing
// here.
//
// Affinity: one producer thread, one consumer thread. Source: Lamport 1983; FastForward 2008.
#pragma once

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <starling/atomic.hh>
#include <utility>

namespace starling {

/// What two cores exchange.
inline constexpr std::size_t kCacheLineBytes = 64;

/// A bounded queue from one thread to another.
/// \tparam T default-constructible and movable
/// \affinity as marked
template <class T>
class SpscRing {
  public:
    /// \param capacity_min at least 1
    explicit SpscRing(std::size_t capacity_min)
        : lines_mask_(std::bit_ceil((capacity_min + kPerLine - 1) / kPerLine) - 1),
          lines_(std::make_unique<Line[]>(lines_mask_ + 1)) {}

    /// How many items fit: at least what was asked for.
    std::size_t capacity() const noexcept { return (lines_mask_ + 1) * kPerLine; }

    // The producer's.

    /// Writes `value` behind what was staged before. The consumer does not see it before `publish`.
    /// \return false, and `value` is as it was, if the ring is full. O(1).
    bool try_push(T&& value) {
        // BEGIN 9.1: a ring for one producer and one consumer
        //| If `capacity()` items lie between the consumer's head and `staged_`, refuse. Ask
        //| `head_seen_` first, and `head_`, which the other core writes, only when it says full. Then
        //| write the item into `slot(staged_)` and move `staged_` on.
        //= todo("9.1", "SpscRing::try_push");
        if (staged_ - head_seen_ == capacity()) {
            // acquire: pairs with consume's release; the slots before head_ have been read.
            head_seen_ = head_.load(std::memory_order_acquire);
            if (staged_ - head_seen_ == capacity()) return false;
        }
        slot(staged_) = std::move(value);
        ++staged_;
        return true;
        // END 9.1
    }

    /// How many items were staged and not published.
    std::size_t staged() const noexcept { return staged_ - published_; }

    /// Shows the consumer everything that was staged. O(lines).
    /// \param order at least release; seq_cst if the producer looks next whether the consumer
    /// sleeps
    void publish([[maybe_unused]] std::memory_order order = std::memory_order_release) {
        // BEGIN 9.1: a ring for one producer and one consumer
        //| Items `published_` to `staged_` become the consumer's. Each line that holds some of them
        //| gets its new tail, stored with `order`: the index behind its last published item.
        //= todo("9.1", "SpscRing::publish");
        while (published_ != staged_) {
            Line& line = line_of(published_);
            published_ = std::min(staged_, published_ / kPerLine * kPerLine + kPerLine);
            line.tail.store(published_, order);  // Pairs with consume's acquire.
        }
        // END 9.1
    }

    // The consumer's.

    /// Moves out at most `count_max` items, oldest first, calling `take(T&&)` for each; their slots
    /// go back to the producer together, afterwards. \pre `take` does not throw \return how many
    /// there were. O(items).
    template <class F>
    std::size_t consume(std::size_t count_max, F&& take) {
        // BEGIN 9.1: a ring for one producer and one consumer
        //| The item at `next_` is here if its line's tail is beyond `next_`. Ask `tail_seen_` first, and
        //| the line only when it says no. Take items until there are no more, or `count_max`; then
        //| give all their slots back with one store to `head_`. Which memory order makes the slots
        //| visible here, and which lets go of them?
        //= todo("9.1", "SpscRing::consume");
        std::size_t count = 0;
        for (; count < count_max; ++count, ++next_) {
            if (next_ >= tail_seen_) {
                // acquire: pairs with publish; makes the line's slots visible.
                tail_seen_ = line_of(next_).tail.load(std::memory_order_acquire);
                if (next_ >= tail_seen_) break;
            }
            take(std::move(slot(next_)));
        }
        // release: pairs with try_push's acquire; the slots may be written again.
        if (count > 0) head_.store(next_, std::memory_order_release);
        return count;
        // END 9.1
    }

    /// Whether nothing is published that was not consumed.
    /// \param order seq_cst if the consumer has just said that it sleeps
    bool empty(std::memory_order order = std::memory_order_acquire) const {
        return next_ >= line_of(next_).tail.load(order);
    }

  private:
    static constexpr std::size_t kPerLine =
        std::max<std::size_t>(1, (kCacheLineBytes - sizeof(std::size_t)) / sizeof(T));

    struct alignas(kCacheLineBytes) Line {
        Atomic<std::size_t> tail{0};
        T slots[kPerLine]{};
    };

    Line& line_of(std::size_t index) const noexcept {
        return lines_[index / kPerLine & lines_mask_];
    }
    T& slot(std::size_t index) const noexcept { return line_of(index).slots[index % kPerLine]; }

    // Read by both, written by none.
    const std::size_t lines_mask_;
    const std::unique_ptr<Line[]> lines_;

    // The producer's.
    alignas(kCacheLineBytes) std::size_t staged_ = 0;
    std::size_t published_ = 0;
    std::size_t head_seen_ = 0;  // head_ was at least this.

    // The consumer's; head_ is read by the producer when it finds no room.
    alignas(kCacheLineBytes) Atomic<std::size_t> head_{0};
    std::size_t next_ = 0;
    std::size_t tail_seen_ = 0;  // The tail of the line of next_ was at least this.
};

}  // namespace starling
