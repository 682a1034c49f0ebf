#include <starling/timer_service.hh>

namespace starling {

TimerService::TimerService(Executor& executor)
    : executor_(executor), wheel_(executor.clock().now()) {
    executor_.add_source(*this);
    provide_service(executor_.env(), this);
}

TimerService::~TimerService() {
    provide_service<TimerService>(executor_.env(), nullptr);
    executor_.remove_source(*this);
}

TimePoint TimerService::after(Duration delay) const noexcept {
    if (delay <= Duration::zero()) return now();
    const TimePoint time = executor_.clock().now();  // The turn's time would make it fire early.
    return delay > TimePoint::max() - time ? TimePoint::max() : time + delay;
}

void TimerService::poll() noexcept {
    wheel_.advance(executor_.now(), kMovesMax);
    for (int fires = 0; fires < kFiresMax; ++fires) {
        Timer* timer = wheel_.pop_expired();
        if (timer == nullptr) return;
        timer->fire();
    }
}

}  // namespace starling
