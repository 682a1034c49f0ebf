// Atomic<T>: std::atomic<T>, with a place for a test to say "another thread acts here".
//
//     shard 0:   store ──── store ──── load          what one thread's code does
//                      ▲          ▲
//                      └── hook ──┘                  what a test lets the other thread do between
//
// A mistake in a sleep/wake protocol shows in one order of steps out of a million, so no stress
// test finds it. With the hook a test tries every order, on one thread, and gets the same answer
// each time. The hook also hears of the memory order, which on one thread makes no difference.
// Without assertions nothing calls it, and Atomic<T> costs what std::atomic<T> costs.
//
// Affinity: any thread; the hook is one per thread.
#pragma once

#include <atomic>
#include <cassert>

namespace starling {

namespace detail {
/// One operation on an Atomic, as a test sees it.
struct AtomicStep {
    const void* object;
    bool reads, writes;
    std::memory_order order;
};
/// Called before each operation on an Atomic by this thread; null: nothing is called.
inline constinit thread_local void (*atomic_hook)(const AtomicStep&) = nullptr;
}  // namespace detail

/// As std::atomic, of which it has what layer 09 needs. \affinity any thread
template <class T>
class Atomic {
  public:
    /// Holds `value`.
    explicit constexpr Atomic(T value) noexcept : value_(value) {}

    /// As std::atomic does it.
    T load(std::memory_order order) const {
        step({this, true, false, order});
        return value_.load(order);
    }
    /// See load.
    void store(T value, std::memory_order order) {
        step({this, false, true, order});
        value_.store(value, order);
    }
    /// See load.
    T exchange(T value, std::memory_order order) {
        step({this, true, true, order});
        return value_.exchange(value, order);
    }

  private:
    static void step([[maybe_unused]] const detail::AtomicStep& step) {
        assert((detail::atomic_hook == nullptr || (detail::atomic_hook(step), true)));
    }
    std::atomic<T> value_;
};

}  // namespace starling
