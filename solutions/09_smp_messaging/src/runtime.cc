#include <pthread.h>
#include <sched.h>

#include <array>
#include <csignal>
#include <exception>
#include <future>
#include <starling/runtime.hh>
#include <thread>

namespace starling {

/// \affinity any thread, and signal handlers: no locks
struct StopHandle::Control {
    /// From now on a stop wakes this one; none if null. Nobody uses the one before any longer.
    void wakes(Unparker* shard_0) noexcept {
        unparker.store(shard_0);
        while (users.load() > 0) std::this_thread::yield();
    }
    std::atomic<bool> requested{false};
    std::atomic<Unparker*> unparker{nullptr};  // Borrows: until `wakes` is called with another.
    std::atomic<int> users{0};
};

StopHandle::StopHandle() : control_(std::make_shared<Control>()) {}

void StopHandle::stop() const noexcept {
    control_->requested.store(true);
    control_->users.fetch_add(1);
    if (Unparker* shard_0 = control_->unparker.load()) shard_0->unpark();  // Writes to an eventfd.
    control_->users.fetch_sub(1);
}

namespace {

// What the signal handler touches. Kept until the next runtime that wants signals: a handler may
// still be running on some thread when its runtime ends.
std::optional<StopHandle> signalled;

extern "C" void on_stop_signal(int) { signalled->stop(); }

/// What happens at SIGINT and at SIGTERM.
using Handlers = std::array<struct sigaction, 2>;

/// \return what would have happened before
Handlers install(const Handlers& next) {
    Handlers before{};
    ::sigaction(SIGINT, &next[0], &before[0]);
    ::sigaction(SIGTERM, &next[1], &before[1]);
    return before;
}

Handlers stop_on_signals(const StopHandle& stop) {
    signalled = stop;
    struct sigaction ours{};
    ours.sa_handler = &on_stop_signal;
    ours.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
    return install({ours, ours});
}

cpu_set_t usable_cpus() {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    CPU_SET(0, &cpus);  // In case that the next line fails.
    ::sched_getaffinity(0, sizeof cpus, &cpus);
    return cpus;
}

/// Keeps this thread on one of `cpus`.
void pin_this_thread(cpu_set_t cpus, unsigned shard) {
    int others = static_cast<int>(shard) % CPU_COUNT(&cpus);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &cpus) && others-- != 0) CPU_CLR(cpu, &cpus);
    }
    ::sched_setaffinity(0, sizeof cpus, &cpus);
}

/// The body of every shard's thread but the first's. \param up when it serves, or why it cannot
void run_shard(Smp& smp, unsigned id, const RuntimeOptions& options, std::promise<void> up) {
    const std::string name = options.thread_name + "-" + std::to_string(id);
    ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
    if (options.pin) pin_this_thread(usable_cpus(), id);
    std::optional<Shard> shard;
    try {
        shard.emplace(smp, id, options);
        up.set_value();
    } catch (...) {
        return up.set_exception(std::current_exception());
    }
    shard->serve();
}

}  // namespace

Runtime::Runtime(RuntimeOptions options) : options_(std::move(options)) {
    const cpu_set_t usable = usable_cpus();
    const auto cpus = static_cast<unsigned>(CPU_COUNT(&usable));
    if (options_.shards == 0) options_.shards = cpus;
    const bool spinning_pays = options_.shards > 1 && options_.shards <= cpus;
    if (!options_.spin) options_.spin = std::chrono::microseconds(spinning_pays ? 20 : 0);
}

void Runtime::run_shards(const std::function<Context&(Executor&)>& start_main,
                         const std::function<bool()>& main_is_done) {
    const cpu_set_t cpus = usable_cpus();
    StopHandle::Control& stop = *stop_.control_;
    Smp smp(options_.shards, options_.queue_size);
    Shard first(smp, 0, options_);
    Executor& executor = first.executor();
    std::vector<std::future<void>> others;
    std::vector<std::jthread> threads;  // Joined before all that is above.
    std::exception_ptr error;
    Handlers handlers{};
    if (options_.stop_on_signals) handlers = stop_on_signals(stop_);
    try {
        for (unsigned id = 1; id < options_.shards; ++id) {
            std::promise<void> up;
            others.push_back(up.get_future());
            threads.emplace_back(run_shard, std::ref(smp), id, std::cref(options_), std::move(up));
        }
        if (options_.pin) pin_this_thread(cpus, 0);
        for (auto& shard : others) shard.get();
        stop.wakes(executor.unparker().get());
        Context& main = start_main(executor);
        executor.run_until([&] {
            if (stop.requested.load(std::memory_order_relaxed) && main.request_stop()) {
                first.expect_end();
                // It queued work, and the loop may have looked at its queue already: no sleep now.
                executor.unparker()->unpark();
            }
            return main_is_done();
        });
    } catch (...) {
        error = std::current_exception();
    }
    for (auto& shard : others) {
        if (shard.valid()) shard.wait();
    }
    smp.close();
    first.serve();
    if (options_.stop_on_signals) install(handlers);
    if (options_.pin) ::sched_setaffinity(0, sizeof cpus, &cpus);
    stop.wakes(nullptr);
    stop.requested.store(false);
    if (error != nullptr) std::rethrow_exception(error);
}

}  // namespace starling
