// The demo of step 02: what really happens when a coroutine runs.
//
// First a coroutine compiled by hand, then the same function compiled by the compiler, then a
// tracer: every line says how deep the stack is, who runs, and what happens. A child runs at the
// depth of its parent: control was handed over, nothing was called.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <starling/future.hh>
#include <starling/task.hh>
#include <string>
#include <utility>

namespace {

using namespace starling;

// ---------------------------------------------------------------- a coroutine, compiled by hand

/// What the compiler makes of `add` below: arguments, locals, and where to go on.
struct AddByHand final : Continuation {
    AddByHand(Future<int> first, Future<int> second) : a(std::move(first)), b(std::move(second)) {}

    void resume() noexcept override {
        switch (where) {
            case 0:
                where = 1;
                if (!a.ready()) return a.start(*this);
                [[fallthrough]];
            case 1:
                x = a.get();
                where = 2;
                if (!b.ready()) return b.start(*this);
                [[fallthrough]];
            case 2:
                result.set_value(x + b.get());
        }
    }
    Future<int> a;
    Future<int> b;
    int x = 0;
    int where = 0;
    Promise<int> result;
};

Task<int> add(Future<int> a, Future<int> b) {
    const int x = co_await std::move(a);
    co_return x + co_await std::move(b);
}

void compare() {
    std::puts("A function that stops twice: const int x = co_await a; co_return x + co_await b;\n");
    Promise<int> a1;
    Promise<int> b1;
    AddByHand by_hand(a1.get_future(), b1.get_future());
    Future<int> sum = by_hand.result.get_future();
    post(by_hand);
    a1.set_value(20);
    b1.set_value(22);
    std::printf("  compiled by hand:      %d   (an object of %zu bytes and a switch)\n", sum.get(),
                sizeof by_hand);

    Promise<int> a2;
    Promise<int> b2;
    Context context("add");
    Task<int> task = add(a2.get_future(), b2.get_future());
    task.promise().set_context(&context);
    post(task.promise());
    b2.set_value(22);  // In the other order: it does not matter.
    a2.set_value(20);
    std::printf("  by the compiler:       %d   (a frame and a resume function)\n\n",
                task.promise().outcome.take());
}

// ---------------------------------------------------------------- the tracer

std::uintptr_t ground = 0;  // Where the stack was when main spoke first.

[[gnu::noinline]] void say(const char* who, const std::string& what) {
    const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    if (ground == 0) ground = here;
    std::printf("  %5ld   %-10s %s\n", static_cast<long>(ground - here), who, what.c_str());
}

/// A local variable of a traced coroutine: it lives in the frame, and goes with it.
struct TracedFrame {
    explicit TracedFrame(const char* who) : who(who) { say(who, "begins"); }
    TracedFrame(const TracedFrame&) = delete;
    ~TracedFrame() { say(who, "ends; its locals are destroyed"); }
    const char* who;
};

/// Wraps an operation and tells when it makes its task wait. (This is all that a combinator is.)
template <Operation Op>
struct Traced {
    bool ready() {
        const bool is_ready = op.ready();
        if (is_ready) say(who, "does not have to wait for " + what);
        return is_ready;
    }
    void start(Continuation& c) {
        char promise[32];  // The promise is a part of the frame.
        std::snprintf(promise, sizeof promise, "%p", static_cast<void*>(&c));
        say(who, "waits for " + what + "; its frame stays, around " + promise);
        op.start(c);
    }
    bool stopped() { return op.stopped(); }
    decltype(auto) finish() {
        say(who, "has " + what);
        return op.finish();
    }
    const char* who;
    std::string what;
    Op op;
};
template <class A>
auto traced(const char* who, std::string what, A awaitable) {
    auto op = as_operation(std::move(awaitable));
    return Traced<decltype(op)>{who, std::move(what), std::move(op)};
}

Task<std::string> toast(Future<int> toaster) {
    TracedFrame frame("toast");
    const int slices = co_await traced("toast", "the toaster", std::move(toaster));
    co_return std::to_string(slices) + " slices of toast";
}

Task<std::string> breakfast(Future<int> toaster, Future<std::string> kettle) {
    TracedFrame frame("breakfast");
    say("breakfast", "awaits toast: control goes there, by a jump");
    std::string plate = co_await toast(std::move(toaster));
    say("breakfast", "goes on with " + plate + "; toast's frame is gone");
    co_return plate + " and " + co_await traced("breakfast", "the kettle", std::move(kettle));
}

void trace() {
    std::printf("  %5s   %-10s %s\n", "stack", "who", "what");
    Promise<int> toaster;
    Promise<std::string> kettle;
    Context context("breakfast");
    Task<std::string> task = breakfast(toaster.get_future(), kettle.get_future());
    task.promise().set_context(&context);
    say("main", "has made a task; nothing ran: a task is lazy");
    post(task.promise());
    say("main", "is back, because somebody waits");
    kettle.set_value("tea");
    say("main", "set a value that nobody waits for yet");
    toaster.set_value(2);
    say("main", "is back: \"" + task.promise().outcome.take() + "\"");
}

// ---------------------------------------------------------------- a million of them

Task<int> one() { co_return 1; }
Task<long> row(int count) {
    long sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await one();
    co_return sum;
}
std::uintptr_t deepest = 0;
Task<long> tower(int levels) {
    deepest = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    co_return levels == 0 ? 0 : 1 + co_await tower(levels - 1);
}

void measure(const char* what, Task<long> task) {
    const auto begin = std::chrono::steady_clock::now();
    post(task.promise());
    const long sum = task.promise().outcome.take();
    const std::chrono::duration<double, std::nano> time = std::chrono::steady_clock::now() - begin;
    std::printf("  %ld %s: %.1f ns each\n", sum, what, time.count() / static_cast<double>(sum));
}

}  // namespace

int main() {
    compare();
    trace();
    std::puts("");
    measure("awaits, one after the other", row(1'000'000));
    ground = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
    measure("awaits, each inside the one before", tower(1'000'000));
    std::printf("  the stack at the deepest of them: %ld bytes\n",
                static_cast<long>(ground - deepest));
    return 0;
}
