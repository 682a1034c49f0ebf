// The sentences of FutureError, and the hook for exceptions that nobody looked at.
//
// Affinity: any thread.
#include <atomic>
#include <cstdio>
#include <starling/future_error.hh>

namespace starling {
namespace {

// In the order of FutureError::Code.
constexpr const char* kSentences[] = {
    "broken promise: the promise was destroyed before it had a result",
    "the promise already has a result: a promise is satisfied exactly once",
    "already retrieved: a promise has one future, and a future one result to take",
    "the future is not ready: attach a continuation with then() instead of get()",
    "no state: this promise or future was moved from, or never had a peer",
};

void print_to_stderr(const std::exception_ptr& exception) noexcept {
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "starling: an exception was never looked at: %s\n", e.what());
    } catch (...) {
        std::fprintf(stderr, "starling: an exception of unknown type was never looked at\n");
    }
}

std::atomic<IgnoredExceptionHook> hook{&print_to_stderr};

}  // namespace

FutureError::FutureError(Code code)
    : std::logic_error(kSentences[static_cast<int>(code)]), code_(code) {}

void FutureError::raise(Code code) { throw FutureError(code); }

IgnoredExceptionHook set_ignored_exception_hook(IgnoredExceptionHook replacement) noexcept {
    return hook.exchange(replacement != nullptr ? replacement : &print_to_stderr);
}

void report_ignored_exception(const std::exception_ptr& exception) noexcept {
    hook.load()(exception);
}

}  // namespace starling
