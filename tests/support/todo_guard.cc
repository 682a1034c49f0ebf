// Linked into every test and demo: an unfinished exercise ends the process with its sentence,
// whatever happens after the stub ran: std::terminate, a failed assertion, a signal, or silence.
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <starling/last_words.hh>
#include <starling/todo.hh>
#include <utility>

extern "C" void __sanitizer_set_death_callback(void (*)()) __attribute__((weak));

namespace {

constexpr unsigned kSilenceSeconds = 5;  // Who met a stub and then waits has nothing to say.

// The lowest recorded exercise's sentence, in static storage because a signal handler reads it.
char sentence[512];

struct Guarded {
    int signal;
    struct sigaction previous;  // A sanitizer's, as a rule.
};
Guarded guarded[] = {{SIGABRT, {}}, {SIGSEGV, {}}, {SIGBUS, {}},
                     {SIGFPE, {}},  {SIGILL, {}},  {SIGALRM, {}}};

void write_line(const char* text) noexcept {
    // In one call: two threads may have something to say.
    const iovec line[] = {{const_cast<char*>(text), std::strlen(text)},
                          {const_cast<char*>("\n"), 1}};
    [[maybe_unused]] const auto written = ::writev(STDERR_FILENO, line, 2);
}

// Once: a report and an abort may both want them.
void say_last_words() noexcept {
    const auto say = std::exchange(starling::testing_support::last_words, nullptr);
    if (say != nullptr) say();
}

extern "C" void on_signal(int signal) {
    if (sentence[0] == '\0' && signal == SIGALRM) {  // See watchdog.hh.
        write_line("gave up: somebody has waited for seconds, and what they wait for does not come");
        say_last_words();
        ::syscall(SYS_exit_group, 1);  // A leak check would have nothing to add.
    }
    if (sentence[0] == '\0') {  // Not about a stub: return, and it happens again without us.
        say_last_words();
        for (const Guarded& g : guarded) {
            if (g.signal == signal) ::sigaction(signal, &g.previous, nullptr);
        }
        return;
    }
    write_line(sentence);
    if (signal == SIGALRM) {
        write_line("(after the stub ran, nothing more happened for 5 seconds)");
    } else if (signal != SIGABRT) {
        write_line("(after the stub ran, the program crashed)");
    }
    ::_exit(1);
}

void on_record(const char* lowest) noexcept {
    if (sentence[0] == '\0') ::alarm(kSilenceSeconds);
    std::strncpy(sentence, lowest, sizeof sentence - 1);
}

[[noreturn]] void on_terminate() noexcept {
    std::fflush(stdout);
    try {
        if (std::current_exception()) throw;
    } catch (const starling::NotImplemented& e) {
        if (sentence[0] == '\0') write_line(e.what());
    } catch (const std::exception& e) {
        std::fprintf(stderr, "std::terminate was called; exception: %s\n", e.what());
    } catch (...) {
        std::fprintf(stderr, "std::terminate was called; the exception is no std::exception\n");
    }
    if (sentence[0] != '\0') {
        write_line(sentence);
        ::_exit(1);
    }
    std::abort();
}

// A sanitizer has reported and is about to end the process.
void on_report() {
    if (sentence[0] != '\0') return write_line(sentence);
    say_last_words();
}

[[maybe_unused]] const bool installed = [] {
    starling::detail::TodoRecords::instance().set_hook(&on_record);
    std::set_terminate(&on_terminate);
    if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(&on_report);
    // An overflown stack needs another one to speak from; under a sanitizer it has one.
    static char stack[1 << 16];
    stack_t alternative = {};
    if (::sigaltstack(nullptr, &alternative) == 0 && (alternative.ss_flags & SS_DISABLE) != 0) {
        alternative = {.ss_sp = stack, .ss_flags = 0, .ss_size = sizeof stack};
        ::sigaltstack(&alternative, nullptr);
    }
    struct sigaction action = {};
    action.sa_handler = &on_signal;
    action.sa_flags = SA_ONSTACK;
    for (Guarded& g : guarded) ::sigaction(g.signal, &action, &g.previous);
    return true;
}();

}  // namespace
