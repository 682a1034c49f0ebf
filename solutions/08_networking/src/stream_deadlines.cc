#include <algorithm>
#include <starling/stream_deadlines.hh>

namespace starling {

void StreamDeadlines::set(Direction direction, TimePoint deadline) {
    // BEGIN 8.4: the deadline moves
    //| Keep the deadline, and see that the timer fires in time. Further away is the common case, and
    //| it costs a store.
    //= todo("8.4", "StreamDeadlines::set");
    sides_[static_cast<std::size_t>(direction)].deadline = deadline;
    if (deadline != kNever) fire_by(deadline);
    // END 8.4
}

bool StreamDeadlines::begin(Direction direction, Waiting operation) noexcept {
    // BEGIN 8.4: an operation begins
    //| Remember the operation, unless its time is over already: then it is as if the deadline had
    //| ended it at once (`end` will be asked).
    //= return todo_soft("8.4", "StreamDeadlines::begin", false);
    Side& side = sides_[static_cast<std::size_t>(direction)];
    side.expired = side.deadline <= service<TimerService>("a deadline").now();
    if (!side.expired) side.waiting = operation;
    return !side.expired;
    // END 8.4
}

bool StreamDeadlines::end(Direction direction) noexcept {
    // BEGIN 8.4: an operation has ended
    //| Forget it: it is about to go. Whether the deadline had ended it, is told once.
    //= return todo_soft("8.4", "StreamDeadlines::end", false);
    Side& side = sides_[static_cast<std::size_t>(direction)];
    side.waiting = {};
    return std::exchange(side.expired, false);
    // END 8.4
}

void StreamDeadlines::resume() noexcept {
    if (released_) {
        delete this;
        return;
    }
    // BEGIN 8.4: the timer has fired
    //| Stop each operation whose time is over; it goes on later, from the run queue, and calls `end`.
    //| A deadline that has moved away in the meantime still has to come: `fire_by`.
    //= return todo_soft("8.4", "StreamDeadlines::resume");
    const TimePoint now = service<TimerService>("a deadline").now();
    for (Side& side : sides_) {
        if (side.deadline > now) {
            if (side.deadline != kNever) fire_by(side.deadline);
        } else if (side.waiting && !side.expired) {
            side.expired = true;
            side.waiting.stop();
        }
    }
    // END 8.4
}

void StreamDeadlines::fire_by(TimePoint deadline) {
    if (queued()) return;  // It fires now, and sees to it.
    if (timer_.armed() && timer_.deadline() <= deadline) return;
    timer_.cancel();
    timer_.set_deadline(deadline);
    service<TimerService>("a deadline").arm(timer_, *this);
}

void StreamDeadlines::release(StreamDeadlines* self) noexcept {
    self->timer_.cancel();
    self->released_ = true;
    if (!self->queued()) delete self;
}

}  // namespace starling
