// WakeMachine: five states that turn any number of wake-ups, from any thread, into one run.
//
//             wake                begin_run
//      idle ────────► scheduled ────────────► running ──end_run──► idle
//                         ▲                      │ wake
//                         └──────── end_run ── notified
//
//     state      meaning                                  moved on by
//     idle       nothing to do                            wake (any thread) → scheduled
//     scheduled  on its way to the target                 begin_run (owner) → running
//     running    the target runs                          wake → notified; end_run → idle
//     notified   woken while it ran: runs once more       end_run → scheduled
//     done       the target is gone; wakes do nothing     nobody (the owner, from any state)
//
// Whoever moves idle to scheduled, and nobody else, sends the target on its way: once.
//
// Each step also hands memory over. A wake publishes what its thread wrote before, and the run that
// follows sees it: so a wake is a read-modify-write even where the state stays what it is. The end
// of a run publishes too: whoever sends the target next may use the memory that its way needs (the
// link in the inbox), because the owner has finished with it.
//
// Affinity: wake and state any thread, the rest owner shard. Source: Rust's async-task.
#pragma once

#include <atomic>
#include <cstdint>

namespace starling {

/// See the table above.
enum class WakeState : std::uint8_t { idle, scheduled, running, notified, done };

/// Decides, for all threads together, who sends the target on its way.
/// \tparam Word an atomic WakeState; tests put one there that lets "another thread" act between any
/// two accesses
/// \affinity as marked
template <class Word = std::atomic<WakeState>>
class WakeMachine {
  public:
    /// Any thread. \return true for the one caller who has to send the target off
    bool wake() noexcept {
        // BEGIN 3.2: wake when idle
        //| Move the state to after_wake(state) in one step that no other thread can get between.
        //| Return whether this call was the one that moved it from idle to scheduled. Publish even
        //| where the state stays the same (release): the target must see what we wrote. And see
        //| what the owner did in the last run (acquire).
        //= return todo_soft("3.2", "WakeMachine::wake", false);
        WakeState seen = word_.load(std::memory_order_relaxed);
        // release: pairs with the acquire in begin_run and end_run; publishes the caller's writes.
        // acquire: pairs with the release in end_run; the owner has done with the link.
        while (!word_.compare_exchange_weak(seen, after_wake(seen), std::memory_order_acq_rel,
                                            std::memory_order_relaxed)) {
        }
        return seen == WakeState::idle;
        // END 3.2
    }

    /// Owner: the target is about to run. \return false if there is no target any more
    bool begin_run() noexcept {
        // BEGIN 3.2: wake when idle
        //| scheduled → running: true, and see what the wakers wrote (acquire), in one step: a wake
        //| may come between a look and a store. Any other state stays what it is: false.
        //= return todo_soft("3.2", "WakeMachine::begin_run", false);
        WakeState expected = WakeState::scheduled;
        // acquire: pairs with the release in wake.
        return word_.compare_exchange_strong(expected, WakeState::running,
                                             std::memory_order_acquire, std::memory_order_relaxed);
        // END 3.2
    }

    /// Owner: the target has run. \return true if it was woken meanwhile and has to run once more
    bool end_run() noexcept {
        // BEGIN 3.3: wake while running
        //| running → idle: false; publish that this run is over (release). notified → scheduled:
        //| true, and the caller sends it off again; see what the wakers wrote (acquire). A target
        //| that ended its operation while it ran stays done: false. Wakers act at the same time.
        //= return todo_soft("3.3", "WakeMachine::end_run", false);
        WakeState seen = WakeState::running;
        // release: pairs with the acquire in wake; the link is free for whoever sends it next.
        if (word_.compare_exchange_strong(seen, WakeState::idle, std::memory_order_release,
                                          std::memory_order_relaxed) ||
            seen == WakeState::done) {
            return false;
        }
        // acquire, and an exchange: pairs with the release of every wake that found notified.
        word_.exchange(WakeState::scheduled, std::memory_order_acquire);
        return true;
        // END 3.3
    }

    /// Owner: ends it unless a wake was first. \return whether this call has ended it
    bool finish_if_idle() noexcept {
        // BEGIN 3.4: done state
        //| idle → done: true. From any other state nothing happens: false, because a wake is on its
        //| way, or it had ended before. No memory is handed over here.
        //= return todo_soft("3.4", "WakeMachine::finish_if_idle", false);
        WakeState expected = WakeState::idle;
        return word_.compare_exchange_strong(expected, WakeState::done, std::memory_order_relaxed);
        // END 3.4
    }

    /// Owner: the target is gone. From any state, for ever.
    void finish() noexcept {
        // BEGIN 3.4: done state
        //| From any state to done. No memory is handed over here either, and nothing is asked.
        //= return todo_soft("3.4", "WakeMachine::finish");
        word_.store(WakeState::done, std::memory_order_relaxed);
        // END 3.4
    }

    /// For those who watch: it may have changed by now, and nothing is seen behind it (relaxed).
    /// Any thread.
    WakeState state() const noexcept { return word_.load(std::memory_order_relaxed); }

  private:
    /// Where a wake leads from `seen`.
    static WakeState after_wake(WakeState seen) noexcept {
        if (seen == WakeState::idle) return WakeState::scheduled;
        if (seen == WakeState::running) {
            // BEGIN 3.3: wake while running
            //| The target has perhaps already looked at what this wake is about, and will not look
            //| again by itself. Which state makes it run once more?
            //= return todo_soft("3.3", "WakeMachine::after_wake", seen);
            return WakeState::notified;
            // END 3.3
        }
        return seen;  // It will run anyway, or never again.
    }

    Word word_{WakeState::idle};
};

}  // namespace starling
