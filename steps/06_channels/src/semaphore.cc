#include <starling/semaphore.hh>

namespace starling {

void AcquireOperation::give_up() noexcept {
    abandon();
    semaphore_.release(has_it_ ? count_ : 0);
}

void AcquireOperation::start(Continuation& c) noexcept {
    if (ready()) return post(c);
    wait_in(semaphore_.waiting_, c);
}

void AcquireOperation::end_early() noexcept {
    Semaphore& semaphore = semaphore_;
    withdraw();
    semaphore.serve();  // It may have been the one that held up the rest.
}

void Semaphore::serve() noexcept {
    TrampolineScope nobody_runs;
    while (!waiting_.empty() && waiting_.front().count_ <= available_) {
        AcquireOperation& first = waiting_.front();
        available_ -= first.count_;
        first.has_it_ = true;
        first.grant();
    }
}

}  // namespace starling
