// TimerWheel: any number of deadlines, for the price of one list operation each.
//
// An odometer of four wheels. The lowest turns one slot a millisecond; a slot of the next one is a
// whole turn of the one below it:
//
//     level  one slot is   reaches      a timer goes to the level of the highest digit
//       0         1 ms      256 ms      (base 256) in which its tick differs from the
//       1       256 ms     65.5 s       current one:   now  00 00 02 fe
//       2      65.5 s      4.66 h                      tick 00 00 03 10  ──► level 1, slot 3
//       3      4.66 h     49.7 days
//     overflow list          ever
//
// When the hand comes to a slot of level 1 or above, its timers are placed again, which brings them
// at least one level down (they "cascade"): a timer is moved once per level at most, and the
// overflow list once per turn of the highest wheel. Bitmaps of occupied slots let the hand jump
// over empty time.
//
// Invariants: a deadline is rounded *up* to its tick, so no timer fires early; an occupied slot of
// level L is later than the current tick's digit L, so nothing ever wraps around; timers of the
// same tick fire in the order in which they were inserted (but see `advance`, of `moves_max`).
//
// Affinity: owner shard. Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels", 1987.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <starling/clock.hh>
#include <starling/intrusive_list.hh>
#include <utility>
#include <starling/todo.hh>

namespace starling {

/// A deadline, and what happens then. Whatever waits derives from it. 32 bytes.
/// \affinity owner shard
class Timer : public ListLink {
  public:
    /// Not armed. Without a `deadline`: set one before.
    explicit Timer(TimePoint deadline = {}) noexcept : deadline_(deadline) {}
    /// \pre `other` is not armed
    Timer(Timer&& other) noexcept : ListLink(std::move(other)), deadline_(other.deadline_) {}

    /// The deadline has passed, and no wheel holds this any more. It may be armed again from here,
    /// and may be gone when this returns.
    virtual void expired() noexcept = 0;

    /// When it is due; kept after it has expired.
    TimePoint deadline() const noexcept { return deadline_; }
    /// \pre not armed
    void set_deadline(TimePoint deadline) noexcept { deadline_ = deadline; }

    /// Whether a wheel holds it: inserted, and neither popped nor cancelled since.
    bool armed() const noexcept { return linked(); }
    /// Disarms it, if it is armed. O(1).
    void cancel() noexcept {
        // BEGIN 5.1: place a timer, never early
        // Afterwards no list holds it. It may be in none already.
        return todo_soft("5.1", "Timer::cancel");
        // END 5.1
    }

  protected:
    ~Timer() {
        // BEGIN 5.1: place a timer, never early
        // This goes, perhaps while it is armed: nobody may know it any more.
        todo_soft("5.1", "Timer::~Timer");
        return;
        // END 5.1
    }

  private:
    TimePoint deadline_;
};

/// Armed timers, sorted by deadline as far as that is needed to know who is due.
/// \affinity owner shard
class TimerWheel {
  public:
    static constexpr int kLevels = 4;               ///< Beyond the highest: the overflow list.
    static constexpr int kDigitBits = 8;            ///< Of the tick number, per level.
    static constexpr int kSlots = 1 << kDigitBits;  ///< Per level: one for each value of its digit.
    /// The resolution: deadlines are rounded up to a multiple of it, counted from the origin.
    static constexpr Duration kTick = std::chrono::milliseconds(1);
    /// How many timers `next_deadline` looks at before it settles for an estimate.
    static constexpr int kScanMax = 64;
    /// For `advance`: as many moves as it takes.
    static constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

    /// What is left when it goes is disarmed, and never fires. \param origin where tick 0 is: now
    explicit TimerWheel(TimePoint origin) noexcept : origin_(origin) {}

    /// Arms `timer`: it expires at its deadline, at most one tick late; at the next `advance` if
    /// that has passed. It is disarmed with Timer::cancel. \pre not armed. O(1).
    void insert(Timer& timer);

    /// Turns the hand to `now`, never back. What is due can be popped afterwards. Moves at most
    /// `moves_max` timers between levels, then stops short: `due()` says that there is more to do.
    /// One that is inserted then may overtake those of the same tick that are still falling.
    /// O(occupied slots passed + timers moved), however far it turns.
    void advance(TimePoint now, std::size_t moves_max = kUnlimited);

    /// Takes the next timer whose deadline has passed; null if there is none. O(1).
    Timer* pop_expired() noexcept { return expired_.empty() ? nullptr : &expired_.pop_front(); }

    /// Whether there is something to pop, or an interrupted `advance` to go on with.
    bool due() const noexcept { return !expired_.empty() || !falling_.empty(); }

    /// When to call `advance` next: the earliest deadline, rounded up to its tick. An earlier time,
    /// once per level at most, if more than kScanMax timers share the slot in which it lies; in the
    /// overflow list, once per turn of the highest wheel. TimePoint::max() if nothing is armed.
    TimePoint next_deadline();

    /// Whether nothing is armed.
    bool empty() noexcept { return !due() && next_halt().slot == nullptr; }

    /// Bit i: whether slot i of `level` may be occupied. For pictures.
    const std::array<std::uint64_t, 4>& occupied(int level) const noexcept {
        return occupied_[static_cast<std::size_t>(level)];
    }
    /// The tick at which the hand stands. For pictures.
    std::uint64_t current_tick() const noexcept { return current_; }

  private:
    using Tick = std::uint64_t;
    using Slot = IntrusiveList<Timer>;
    static constexpr Tick kNever = std::numeric_limits<Tick>::max();

    /// Where the hand has to halt next: at the begin of an occupied slot.
    struct Halt {
        Tick tick;
        int level;   // kLevels: the overflow list.
        Slot* slot;  // Borrows. Null: nowhere.
    };

    /// The first tick at which `deadline` has passed.
    Tick tick_of(TimePoint deadline) const;
    /// The last tick that `now` has reached.
    Tick tick_reached(TimePoint now) const noexcept;
    /// When `tick` begins.
    TimePoint begin_of(Tick tick) const noexcept;
    Halt next_halt();
    /// The first occupied slot of `level`, or -1. Forgets slots that cancels have emptied.
    int first_slot(int level) noexcept;
    /// The tick at which a slot of the current turn of `level` begins.
    Tick begin_of_slot(int level, int slot) const noexcept;

    const TimePoint origin_;
    Tick current_ = 0;
    Slot expired_;   // Due: to be popped.
    Slot falling_;   // Taken out of a slot that the hand has reached: placed again before all else.
    Slot overflow_;  // Beyond the highest level's turn.
    std::array<std::array<std::uint64_t, 4>, kLevels> occupied_{};
    std::array<std::array<Slot, kSlots>, kLevels> slots_;
};

}  // namespace starling
