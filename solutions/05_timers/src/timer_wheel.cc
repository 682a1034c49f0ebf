#include <algorithm>
#include <bit>
#include <starling/timer_wheel.hh>

namespace starling {

TimerWheel::Tick TimerWheel::tick_of(TimePoint deadline) const {
    // BEGIN 5.1: place a timer, never early
    //| The first tick at which `deadline` has passed, counted from `origin_`; 0 for a deadline before
    //| that. Round so that no timer can fire early. TimePoint::max() is a valid deadline.
    //= todo("5.1", "TimerWheel::tick_of");
    if (deadline <= origin_) return 0;
    const auto distance = static_cast<Tick>((deadline - origin_).count());
    constexpr auto kTickCount = static_cast<Tick>(kTick.count());
    return (distance + kTickCount - 1) / kTickCount;
    // END 5.1
}

TimerWheel::Tick TimerWheel::tick_reached(TimePoint now) const noexcept {
    // BEGIN 5.2: cascade
    //| The last tick that has begun at `now`, which may be between two; 0 before the origin.
    //= return todo_soft("5.2", "TimerWheel::tick_reached", Tick{0});
    return now <= origin_ ? 0 : static_cast<Tick>((now - origin_).count() / kTick.count());
    // END 5.2
}

TimePoint TimerWheel::begin_of(Tick tick) const noexcept {
    // BEGIN 5.3: the next deadline
    //| The time at which `tick` begins. TimePoint::max() for one that lies beyond all time.
    //= return todo_soft("5.3", "TimerWheel::begin_of", TimePoint::max());
    const Duration longest = TimePoint::max() - origin_;
    if (tick > static_cast<Tick>(longest.count() / kTick.count())) return TimePoint::max();
    return origin_ + static_cast<Duration::rep>(tick) * kTick;
    // END 5.3
}

void TimerWheel::insert(Timer& timer) {
    // BEGIN 5.1: place a timer, never early
    //| Append `timer` to `expired_` if its tick has come; to the slot where the picture in the header
    //| says it belongs, and mark that slot in `occupied_`; or to `overflow_` if no level reaches so far.
    //| (std::bit_width tells where the highest differing bit is.)
    //= todo("5.1", "TimerWheel::insert");
    const Tick tick = tick_of(timer.deadline());
    if (tick <= current_) return expired_.push_back(timer);
    const int level = static_cast<int>(std::bit_width(tick ^ current_) - 1) / kDigitBits;
    if (level >= kLevels) return overflow_.push_back(timer);
    const auto slot = static_cast<unsigned>(tick >> (level * kDigitBits)) % kSlots;
    slots_[level][slot].push_back(timer);
    occupied_[level][slot / 64] |= std::uint64_t{1} << slot % 64;
    // END 5.1
}

TimerWheel::Halt TimerWheel::next_halt() {
    // BEGIN 5.2: cascade
    //| The next slot at which the hand has to halt, and the tick at which it begins. Every occupied
    //| slot of a level comes before every one of the level above it. The overflow list is looked
    //| through whenever a turn of the highest wheel ends. {kNever, 0, nullptr} if nothing is armed.
    //= todo("5.2", "TimerWheel::next_halt");
    for (int level = 0; level < kLevels; ++level) {
        const int slot = first_slot(level);
        if (slot >= 0) return {begin_of_slot(level, slot), level, &slots_[level][slot]};
    }
    if (overflow_.empty()) return {kNever, 0, nullptr};
    constexpr int kReachBits = kLevels * kDigitBits;
    return {((current_ >> kReachBits) + 1) << kReachBits, kLevels, &overflow_};
    // END 5.2
}

void TimerWheel::advance(TimePoint now, std::size_t moves_max) {
    // BEGIN 5.2: cascade
    //| Turn the hand to the last tick that `now` has reached, from one halt to the next. The timers of
    //| a level-0 slot have expired; those of any other slot go through `falling_` and are placed again,
    //| seen from the new tick. Move no more than `moves_max` of them: return early, and go on with
    //| `falling_` first the next time.
    //= todo("5.2", "TimerWheel::advance");
    const Tick target = tick_reached(now);
    for (;;) {
        for (; !falling_.empty(); --moves_max) {
            if (moves_max == 0) return;
            insert(falling_.pop_front());
        }
        const Halt halt = next_halt();
        if (halt.tick > target) break;
        current_ = halt.tick;
        (halt.level == 0 ? expired_ : falling_).splice_back(*halt.slot);
    }
    current_ = std::max(current_, target);
    // END 5.2
}

TimePoint TimerWheel::next_deadline() {
    // BEGIN 5.3: the next deadline
    //| The time at which the earliest timer expires, so that an executor can sleep until then and is
    //| woken once. If something is due: any time that has passed, such as that of the current tick. A
    //| level-0 slot is one tick; in a slot of any other level the earliest timer can be anywhere: look
    //| at up to kScanMax of them, and if there are more, answer with the begin of the slot, which is
    //| never too late.
    //= todo("5.3", "TimerWheel::next_deadline");
    if (due()) return begin_of(current_);
    const Halt halt = next_halt();
    if (halt.slot == nullptr) return TimePoint::max();
    if (halt.level == 0) return begin_of(halt.tick);
    TimePoint earliest = TimePoint::max();
    int scanned = 0;
    for (Timer* t = &halt.slot->front(); t != nullptr; t = halt.slot->after(*t)) {
        if (++scanned > kScanMax) return begin_of(halt.tick);
        earliest = std::min(earliest, t->deadline());
    }
    return begin_of(tick_of(earliest));
    // END 5.3
}

int TimerWheel::first_slot(int level) noexcept {
    for (std::size_t word = 0; word < occupied_[level].size(); ++word) {
        std::uint64_t& bits = occupied_[level][word];
        for (; bits != 0; bits &= bits - 1) {
            const int slot = static_cast<int>(word) * 64 + std::countr_zero(bits);
            if (!slots_[level][slot].empty()) return slot;
        }
    }
    return -1;
}

TimerWheel::Tick TimerWheel::begin_of_slot(int level, int slot) const noexcept {
    // BEGIN 5.2: cascade
    //| As digits: those above `level` are the current tick's, the one of `level` is `slot`, and those
    //| below are 0.
    //= return todo_soft("5.2", "TimerWheel::begin_of_slot", kNever);
    const int shift = level * kDigitBits;
    const Tick turn = current_ >> (shift + kDigitBits) << (shift + kDigitBits);
    return turn + (static_cast<Tick>(slot) << shift);
    // END 5.2
}

}  // namespace starling
