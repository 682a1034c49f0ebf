// Task probes: what tests of coroutines need: an operation that waits until the test says so.
//
// Affinity: one thread.
#pragma once

#include <starling/context.hh>
#include <starling/continuation.hh>
#include <starling/task.hh>
#include <utility>

namespace starling::testing_support {

/// An operation that is never ready and ends when the test calls `go`. It ignores stops, may be
/// awaited again, and may be forgotten by a task that is destroyed.
class Hold {
  public:
    bool ready() const noexcept { return false; }
    void start(Continuation& c) noexcept { waiter_ = &c; }
    bool stopped() const noexcept { return false; }
    void finish() const noexcept {}

    /// Whether somebody waits.
    bool held() const noexcept { return waiter_ != nullptr; }
    /// Lets whoever waits go on.
    void go() { post(*std::exchange(waiter_, nullptr)); }

  private:
    Continuation* waiter_ = nullptr;
};

/// The same for clean-up: a task that was stopped may await it, too.
struct StubbornHold : Hold {
    static constexpr bool kIgnoresStop = true;
};

/// An operation that is always ready.
struct Ready {
    bool ready() const noexcept { return true; }
    void start(Continuation& c) noexcept { post(c); }
    bool stopped() const noexcept { return false; }
    void finish() const noexcept {}
};

/// An operation that suspends once and goes on when everything posted before has run.
struct Yield {
    bool ready() const noexcept { return false; }
    void start(Continuation& c) noexcept { post(c); }
    bool stopped() const noexcept { return false; }
    void finish() const noexcept {}
};

/// Starts a task in `context`, as an executor would; it runs until it has to wait.
template <class T>
void start(Task<T>& task, Context& context) {
    task.promise().set_context(&context);
    post(task.promise());
}

}  // namespace starling::testing_support
