// Executor probes: a source and a parker that do what the test says and write down what was asked.
//
// Affinity: owner shard, except the unparker.
#pragma once

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <starling/clock.hh>
#include <starling/event_source.hh>
#include <starling/executor.hh>
#include <string>
#include <vector>

namespace starling::testing_support {

/// A source made of functions; each may be left out. Adds itself, and removes itself in the end.
/// \affinity owner shard
class ScriptedSource final : public EventSource {
  public:
    explicit ScriptedSource(Executor& executor, std::string name = "source")
        : executor_(executor), name_(std::move(name)) {
        executor_.add_source(*this);
    }
    ~ScriptedSource() override { executor_.remove_source(*this); }

    std::function<void()> on_poll;
    std::function<bool()> on_before_sleep;
    std::function<void()> on_after_sleep;
    bool is_active = false;
    TimePoint next_deadline = TimePoint::max();
    std::vector<std::string>* log = nullptr;  // Gets "<name> asked", refuses, after, deadline.
    int polls = 0;
    int asked = 0;  // before_sleep calls.
    int after = 0;  // after_sleep calls.

    void poll() noexcept override {
        ++polls;
        if (on_poll) on_poll();
    }
    bool active() const noexcept override { return is_active; }
    TimePoint deadline() const noexcept override {
        write("deadline");
        return next_deadline;
    }
    bool before_sleep() noexcept override {
        ++asked;
        write("asked");
        const bool willing = !on_before_sleep || on_before_sleep();
        if (!willing) write("refuses");
        return willing;
    }
    void after_sleep() noexcept override {
        ++after;
        write("after");
        if (on_after_sleep) on_after_sleep();
    }

  private:
    void write(const char* what) const {
        if (log != nullptr) log->push_back(name_ + " " + what);
    }
    Executor& executor_;
    std::string name_;
};

/// The machine's clock, which a loop reads in every turn. So many reads that only a loop without an
/// end comes to them end the process with a sentence. \affinity owner shard
class TurnLimit final : public Clock {
  public:
    TimePoint now() const noexcept override {
        if (++reads_ == kReadsMax) {
            std::fputs(
                "the loop went round and round, although nothing can happen any more\n"
                "Ask yourself: who looks whether it is stuck, and what ends the loop then (4.3)?\n",
                stderr);
            ::_exit(1);
        }
        return Clock::now();
    }

  private:
    static constexpr int kReadsMax = 1'000'000;
    mutable int reads_ = 0;
};

/// A parker that never really sleeps. A sleep that a real parker would never have woken from is
/// counted, so a lost wake-up is a failed expectation and not a hang; too many of them end the
/// process with a sentence. \affinity owner shard
class ScriptedParker final : public Parker {
  public:
    void park(TimePoint deadline) noexcept override {
        ++parks;
        if (log != nullptr) log->push_back("park");
        if (on_park) on_park();
        if (signal_->pending.exchange(false) || deadline != TimePoint::max()) return;
        if (++overslept == kOversleptMax) {
            std::fputs(
                "the executor went to sleep again and again, and nobody can ever wake it\n"
                "Ask yourself: before it sleeps, does the loop ask whether anything can happen "
                "(4.3)?\n",
                stderr);
            ::_exit(1);
        }
    }
    std::shared_ptr<Unparker> unparker() noexcept override { return signal_; }

    /// How often somebody called for the end of a sleep.
    int unparks() const noexcept { return signal_->count.load(); }

    std::function<void()> on_park;
    std::vector<std::string>* log = nullptr;
    int parks = 0;
    int overslept = 0;  // Sleeps without a deadline that nobody ended.

  private:
    static constexpr int kOversleptMax = 1000;
    struct Signal final : Unparker {
        void unpark() noexcept override {
            ++count;
            pending = true;
        }
        std::atomic<int> count{0};
        std::atomic<bool> pending{false};
    };
    const std::shared_ptr<Signal> signal_ = std::make_shared<Signal>();
};

/// Gives `executor` turns until it has nothing to do, at most `turns_max`. \return whether it is
/// idle
inline bool run_turns(Executor& executor, int turns_max = 1000) {
    for (int i = 0; i < turns_max; ++i) {
        if (!executor.run_once()) return true;
    }
    return false;
}

}  // namespace starling::testing_support
