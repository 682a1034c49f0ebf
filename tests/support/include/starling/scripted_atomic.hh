// ScriptedAtomic: an atomic between whose accesses "another thread" acts, when a test says so.
//
//     Interleave interleave(1, [&] { machine.wake(); });   // before the second access (the first
// is 0)
//     machine.wake();                                      // ...of this call
//
// An interleaving that a stress test meets once in a million rounds is met every time. Each access
// counts: load, store, exchange, compare_exchange. All on one thread, so the order is exact; memory
// orders are the thread sanitizer's business.
//
// Affinity: one thread.
#pragma once

#include <atomic>
#include <functional>
#include <utility>

namespace starling::testing_support {

/// While one lives, `act` runs once, just before access number `access` (from 0) to any
/// ScriptedAtomic.
class Interleave {
  public:
    Interleave(int access, std::function<void()> act) : remaining_(access), act_(std::move(act)) {
        current() = this;
    }
    ~Interleave() { current() = nullptr; }
    Interleave(const Interleave&) = delete;
    Interleave& operator=(const Interleave&) = delete;

    /// Whether the other thread has acted: false if there were fewer accesses.
    bool acted() const noexcept { return act_ == nullptr; }

    static void before_access() {
        Interleave* self = current();
        if (self == nullptr || self->act_ == nullptr || self->remaining_-- > 0) return;
        std::exchange(self->act_, nullptr)();
    }

  private:
    static Interleave*& current() {
        static Interleave* interleave = nullptr;
        return interleave;
    }
    int remaining_;
    std::function<void()> act_;
};

template <class T>
class ScriptedAtomic {
  public:
    ScriptedAtomic(T value = T{}) noexcept : value_(value) {}  // NOLINT: as std::atomic does.
    ScriptedAtomic(const ScriptedAtomic&) = delete;
    ScriptedAtomic& operator=(const ScriptedAtomic&) = delete;

    T load(std::memory_order = std::memory_order_seq_cst) const {
        Interleave::before_access();
        return value_;
    }
    void store(T value, std::memory_order = std::memory_order_seq_cst) {
        Interleave::before_access();
        value_ = value;
    }
    T exchange(T value, std::memory_order order = std::memory_order_seq_cst) {
        Interleave::before_access();
        ++updates;
        last_order = order;
        return std::exchange(value_, value);
    }
    bool compare_exchange_strong(T& expected, T desired,
                                 std::memory_order success = std::memory_order_seq_cst,
                                 std::memory_order = std::memory_order_seq_cst) {
        Interleave::before_access();
        if (value_ != expected) {
            expected = value_;
            return false;
        }
        value_ = desired;
        ++updates;
        last_order = success;
        return true;
    }
    /// Fails for no reason every other time, as it may.
    bool compare_exchange_weak(T& expected, T desired,
                               std::memory_order success = std::memory_order_seq_cst,
                               std::memory_order failure = std::memory_order_seq_cst) {
        weak_fails_ = !weak_fails_;
        if (weak_fails_) {
            expected = load(failure);
            return false;
        }
        return compare_exchange_strong(expected, desired, success, failure);
    }
    /// How many read-modify-writes there were, of all; a failed compare_exchange is none.
    static inline int updates = 0;
    /// What the last of them asked for.
    static inline std::memory_order last_order = std::memory_order_relaxed;

    operator T() const { return load(); }  // NOLINT: as std::atomic does.
    T operator=(T value) {
        store(value);
        return value;
    }

  private:
    T value_;
    bool weak_fails_ = false;
};

}  // namespace starling::testing_support
