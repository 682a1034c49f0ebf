// The demo of step 01: chains of callbacks, link by link, on your own layer.
//
// The left column is what callbacks do by themselves: each link calls the next, in a child process,
// because that one may die. The right column is the same chain made of futures.
#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <starling/future.hh>
#include <string>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace {

using starling::Future;
using starling::Promise;

/// What one run of a chain shows. It lies in memory that a child process shares with us.
struct Run {
    std::uintptr_t highest = 0;
    std::uintptr_t lowest = UINTPTR_MAX;
    long links = 0;
    bool finished = false;
    double ms = 0;

    [[gnu::noinline]] void touch() {
        const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
        highest = std::max(highest, here);
        lowest = std::min(lowest, here);
        ++links;
    }
    /// Between the shallowest and the deepest link.
    long stack_bytes() const { return static_cast<long>(highest - lowest); }
};

/// A callback that calls the next one when its value comes.
struct NaiveLink {
    NaiveLink* next = nullptr;
    [[gnu::noinline]] void set_value(int x, Run& run) {
        run.touch();
        if (next != nullptr) next->set_value(x + 1, run);
        asm volatile("");  // Work left to do on the way back: no tail call.
    }
};

void run_naively(long links, Run& run) {
    const pid_t child = ::fork();
    if (child == 0) {
        const rlimit no_core{0, 0};
        ::setrlimit(RLIMIT_CORE, &no_core);
        if (std::freopen("/dev/null", "w", stderr) == nullptr) std::_Exit(2);
        std::vector<NaiveLink> chain(static_cast<std::size_t>(links));
        for (std::size_t i = 0; i + 1 < chain.size(); ++i) chain[i].next = &chain[i + 1];
        chain.front().set_value(0, run);
        run.finished = true;
        std::_Exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
}

void run_futures(long links, Run& run) {
    const auto begin = std::chrono::steady_clock::now();
    Promise<int> promise;
    Future<int> end = promise.get_future();
    for (long i = 0; i < links; ++i) {
        end = std::move(end).then([&run](int x) {
            run.touch();
            return x + 1;
        });
    }
    promise.set_value(0);
    run.finished = end.ready() && end.get() == links;
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
    run.ms = time.count();
}

std::string with_commas(long n) {
    std::string digits = std::to_string(n);
    for (auto i = static_cast<long>(digits.size()) - 3; i > 0; i -= 3) {
        digits.insert(static_cast<std::size_t>(i), ",");
    }
    return digits;
}

void show_a_chain() {
    std::puts("A value may arrive later; code can be attached now.\n");
    Promise<int> promise;
    Future<std::string> end = promise.get_future()
                                  .then([](int x) {
                                      std::printf("  link 1 got %d, and doubles it\n", x);
                                      return 2 * x;
                                  })
                                  .then([](int x) {
                                      std::printf("  link 2 got %d, and writes it down\n", x);
                                      return std::to_string(x);
                                  });
    std::printf("  two links attached; anything here yet? %s\n", end.ready() ? "yes" : "no");
    std::puts("  promise.set_value(21)");
    promise.set_value(21);
    std::printf("  the end of the chain: \"%s\"\n\n", end.get().c_str());
}

void show_what_happens_to_a_broken_promise() {
    std::puts("\nAnd when the value never comes, because the promise was dropped:");
    Future<int> orphan;
    {
        Promise<int> dropped;
        orphan = dropped.get_future();
    }
    try {
        orphan.get();
    } catch (const starling::FutureError& e) {
        std::printf("  %s\n", e.what());
    }
}

}  // namespace

int main() {
    std::setvbuf(stdout, nullptr, _IONBF, 0);  // Children must not print our lines again.
    show_a_chain();

    void* memory = ::mmap(nullptr, sizeof(Run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
                          -1, 0);
    if (memory == MAP_FAILED) return 1;
    std::printf("%10s   %-28s %s\n", "links", "each calls the next", "futures and the trampoline");
    for (const long links : {100L, 10'000L, 1'000'000L}) {
        Run& naive = *new (memory) Run;
        run_naively(links, naive);
        char left[64];
        if (naive.finished) {
            std::snprintf(left, sizeof left, "%s bytes of stack",
                          with_commas(naive.stack_bytes()).c_str());
        } else {
            std::snprintf(left, sizeof left, "died at link %s", with_commas(naive.links).c_str());
        }
        Run ours;
        run_futures(links, ours);
        std::printf("%10s   %-28s %s bytes of stack, %.2f ms%s\n", with_commas(links).c_str(), left,
                    with_commas(ours.stack_bytes()).c_str(), ours.ms,
                    ours.finished ? "" : " (but the end is wrong)");
    }
    ::munmap(memory, sizeof(Run));

    show_what_happens_to_a_broken_promise();
    return 0;
}
