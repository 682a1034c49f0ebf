// What can go wrong between a Promise and its Future, and the place where forgotten exceptions go.
//
// Affinity: FutureError any thread; the hook is one per process.
#pragma once

#include <atomic>
#include <cstdio>
#include <exception>
#include <stdexcept>

namespace starling {

/// A promise or future used against its contract, or a promise that went away unfulfilled.
class FutureError : public std::logic_error {
  public:
    /// What was wrong.
    enum class Code {
        broken_promise,     // The promise was destroyed before it had a value or an exception.
        already_satisfied,  // A second set_value or set_exception.
        already_retrieved,  // A second get_future, or get() of a future whose result was taken.
        not_ready,          // get() of a future that still waits.
        no_state,           // A moved-from promise or future was used.
    };

    /// With a sentence for `what()`.
    explicit FutureError(Code code)
        : std::logic_error(kSentences[static_cast<int>(code)]), code_(code) {}
    /// Throws one. Out of line, or callers that never fail pay (BM_Future_SetAndGet).
    /// \throws FutureError
    [[noreturn, gnu::noinline, gnu::cold]] static void raise(Code code) { throw FutureError(code); }
    /// What was wrong.
    Code code() const noexcept { return code_; }

  private:
    // In the order of FutureError::Code.
    static constexpr const char* kSentences[] = {
        "broken promise: the promise was destroyed before it had a result",
        "the promise already has a result: a promise is satisfied exactly once",
        "already retrieved: a promise has one future, and a future one result to take",
        "the future is not ready: attach a continuation with then() instead of get()",
        "no state: this promise or future was moved from, or never had a peer",
    };
    Code code_;
};

/// Told of every exception that a future or promise held when it was destroyed and that nobody had
/// looked at. It must not throw.
using IgnoredExceptionHook = void (*)(const std::exception_ptr&) noexcept;

namespace detail {
inline void print_to_stderr(const std::exception_ptr& exception) noexcept {
    try {
        std::rethrow_exception(exception);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "starling: an exception was never looked at: %s\n", e.what());
    } catch (...) {
        std::fprintf(stderr, "starling: an exception of unknown type was never looked at\n");
    }
}
inline std::atomic<IgnoredExceptionHook> ignored_exception_hook{&print_to_stderr};
}  // namespace detail

/// Replaces the process-wide hook and returns the previous one; null restores the default, which
/// writes one line to stderr. Any thread.
inline IgnoredExceptionHook set_ignored_exception_hook(IgnoredExceptionHook hook) noexcept {
    return detail::ignored_exception_hook.exchange(hook != nullptr ? hook
                                                                   : &detail::print_to_stderr);
}

/// Calls the hook. Any thread.
inline void report_ignored_exception(const std::exception_ptr& exception) noexcept {
    detail::ignored_exception_hook.load()(exception);
}

}  // namespace starling
