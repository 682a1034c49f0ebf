// Atomic<T>: std::atomic<T>, with a place for a test to say "another thread acts here".
//
//     shard 0:   store ──── store ──── load          what one thread's code does
//                      ▲          ▲
//                      └── hook ──┘                  what a test lets the other thread do between
//
// A mistake in a sleep/wake protocol shows in one order of steps out of a million, so no stress
// test finds it. With the hook a test tries every order, on one thread, and gets the same answer
// each time. Without assertions nothing calls the hook, and Atomic<T> costs what std::atomic<T>
// costs.
//
// Affinity: any thread; the hook is one per thread.
#pragma once

#include <atomic>

namespace starling {

#ifdef NDEBUG
inline constexpr bool kAtomicHooks = false;
#else
inline constexpr bool kAtomicHooks = true;  ///< Whether Atomics call the hook.
#endif

namespace detail {
/// Called before each operation on an Atomic by this thread; null: nothing is called.
inline constinit thread_local void (*atomic_hook)() = nullptr;
}  // namespace detail

/// As std::atomic, of which it has what layer 09 needs. \affinity any thread
template <class T>
class Atomic {
  public:
    /// Holds `value`.
    explicit constexpr Atomic(T value) noexcept : value_(value) {}

    /// As std::atomic does it.
    T load(std::memory_order order) const { return step(value_).load(order); }
    /// See load.
    void store(T value, std::memory_order order) { step(value_).store(value, order); }
    /// See load.
    T exchange(T value, std::memory_order order) { return step(value_).exchange(value, order); }

  private:
    static auto& step(auto& value) {
        if (kAtomicHooks && detail::atomic_hook != nullptr) detail::atomic_hook();
        return value;
    }
    std::atomic<T> value_;
};

}  // namespace starling
