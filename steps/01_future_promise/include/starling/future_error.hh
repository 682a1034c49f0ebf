// What can go wrong between a Promise and its Future, and the place where forgotten exceptions go.
//
// Affinity: FutureError any thread; the hook is one per process.
#pragma once

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
    using enum Code;

    /// With a sentence for `what()`.
    explicit FutureError(Code code);
    /// Throws one. Out of line, or callers that never fail pay (BM_Future_SetAndGet: 7 ns, not 4).
    /// \throws FutureError
    [[noreturn, gnu::cold]] static void raise(Code code);
    /// What was wrong.
    Code code() const noexcept { return code_; }

  private:
    Code code_;
};

/// Told of every exception that a future or promise held when it was destroyed and that nobody had
/// looked at. It must not throw.
using IgnoredExceptionHook = void (*)(const std::exception_ptr&) noexcept;

/// Replaces the process-wide hook and returns the previous one; null restores the default, which
/// writes one line to stderr. Any thread.
IgnoredExceptionHook set_ignored_exception_hook(IgnoredExceptionHook hook) noexcept;

/// Calls the hook. Any thread.
void report_ignored_exception(const std::exception_ptr& exception) noexcept;

}  // namespace starling
