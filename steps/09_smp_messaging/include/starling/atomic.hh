// Atomic<T>: std::atomic<T>, with a place for a test to say "another thread acts here".
//
//     shard 0:   store ──── store ──── load          what one thread's code does
//                      ▲          ▲
//                      └── hook ──┘                  what a test lets the other thread do in
//                      between
//
// A mistake in a sleep/wake protocol shows in one order of steps out of a million, so no stress
// test finds it. With the hook a test tries every order, on one thread, and gets the same answer
// each time. The hook exists only in builds with assertions; elsewhere Atomic<T> *is*
// std::atomic<T>.
//
// Affinity: any thread; the hook is one per thread.
#pragma once

#include <atomic>

namespace starling {

#ifdef NDEBUG

inline constexpr bool kAtomicHooks = false;
template <class T>
using Atomic = std::atomic<T>;

#else

inline constexpr bool kAtomicHooks = true;

namespace detail {
/// Called before each operation on an Atomic by this thread; null: nothing is called.
inline constinit thread_local void (*atomic_hook)() = nullptr;
inline void atomic_step() {
    if (atomic_hook != nullptr) [[unlikely]]
        atomic_hook();
}
}  // namespace detail

/// \affinity any thread
template <class T>
class Atomic {
  public:
    constexpr Atomic() noexcept = default;
    constexpr explicit(false) Atomic(T value) noexcept : value_(value) {}  // NOLINT

    T load(std::memory_order order = std::memory_order_seq_cst) const {
        detail::atomic_step();
        return value_.load(order);
    }
    void store(T value, std::memory_order order = std::memory_order_seq_cst) {
        detail::atomic_step();
        value_.store(value, order);
    }
    T exchange(T value, std::memory_order order = std::memory_order_seq_cst) {
        detail::atomic_step();
        return value_.exchange(value, order);
    }
    bool compare_exchange_weak(T& expected, T value, std::memory_order success,
                               std::memory_order failure) {
        detail::atomic_step();
        return value_.compare_exchange_weak(expected, value, success, failure);
    }

  private:
    std::atomic<T> value_{};
};

#endif

}  // namespace starling
