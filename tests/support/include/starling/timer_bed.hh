// TimerBed: an executor with timers whose time jumps from deadline to deadline. A year of sleeping
// takes microseconds, and every run is the same.
//
//     TimerBed bed;
//     bed.run([&]() -> Task<> { co_await sleep(1h); });
//     bed.elapsed();                                     // 1h
//
// Going to sleep for ever, or again and again without any time passing, ends the process with a
// sentence. (Both would be a hang.)
//
// Affinity: one thread.
#pragma once

#include <unistd.h>

#include <cstdio>
#include <starling/executor.hh>
#include <starling/timer_service.hh>
#include <starling/virtual_clock.hh>
#include <utility>

namespace starling::testing_support {

/// A parker that only a timer can wake. \affinity one thread
class TimerParker final : public VirtualParker {
  public:
    explicit TimerParker(VirtualClock& clock) : VirtualParker(clock) {}
    void park(TimePoint deadline) noexcept override {
        if (deadline == TimePoint::max()) {
            die("the executor went to sleep for ever, although a timer is armed",
                "what does TimerWheel::next_deadline say, and for timers of which level?");
        }
        if (deadlines().size() > kParksMax) {
            die("the executor went to sleep a million times",
                "is the deadline it sleeps for ever reached, and does anything happen then?");
        }
        VirtualParker::park(deadline);
    }

  private:
    static constexpr std::size_t kParksMax = 1'000'000;
    [[noreturn]] static void die(const char* what, const char* question) noexcept {
        std::fprintf(stderr, "%s\nAsk yourself: %s\n", what, question);
        ::_exit(1);
    }
};

/// \affinity one thread
struct TimerBed {
    VirtualClock clock;
    TimerParker parker{clock};
    Executor executor{{.parker = &parker, .clock = &clock}};
    TimerService timers{executor};

    /// Ends what can be ended while there are timers.
    ~TimerBed() {
        executor.stop_all();
        for (int i = 0; i < 1000 && executor.live_tasks() > 0; ++i) executor.run_once();
    }

    /// Runs a task, or a callable that returns one, to its end.
    template <class A>
    auto run(A&& task) {
        return executor.block_on(std::forward<A>(task));
    }
    /// How much time has passed.
    Duration elapsed() const noexcept { return clock.elapsed(); }
    /// How often the executor went to sleep.
    std::size_t sleeps() const noexcept { return parker.deadlines().size(); }
};

}  // namespace starling::testing_support
