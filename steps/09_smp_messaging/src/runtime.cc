#include <pthread.h>
#include <sched.h>

#include <starling/runtime.hh>

namespace starling {

/// \affinity any thread, and signal handlers: no locks
struct StopHandle::Control {
    void stop() noexcept {
        requested.store(true);
        users.fetch_add(1);
        if (Unparker* shard_0 = unparker.load()) shard_0->unpark();  // A write to an eventfd.
        users.fetch_sub(1);
    }
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

void StopHandle::stop() const noexcept { control_->stop(); }

namespace {

// What the signal handler touches. Kept until the next runtime that wants signals: a handler may
// still be running on some thread when its runtime ends.
std::optional<StopHandle> signalled;

extern "C" void on_stop_signal(int) { signalled->stop(); }

/// Gives SIGINT and SIGTERM these handlers, and gives back those that they had.
void exchange_handlers(struct sigaction (&handlers)[2]) {
    for (const int signal : {SIGINT, SIGTERM}) {
        struct sigaction& handler = handlers[signal == SIGTERM];
        const struct sigaction next = handler;
        ::sigaction(signal, &next, &handler);
    }
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

}  // namespace

Runtime::Runtime(RuntimeOptions options) : options_(std::move(options)) {
    const cpu_set_t usable = usable_cpus();
    const auto cpus = static_cast<unsigned>(CPU_COUNT(&usable));
    if (options_.shards == 0) options_.shards = cpus;
    const bool spinning_pays = options_.shards > 1 && options_.shards <= cpus;
    if (!options_.spin) options_.spin = std::chrono::microseconds(spinning_pays ? 20 : 0);
}

Runtime::Session::Session(const RuntimeOptions& options, const StopHandle& stop)
    : options_(options),
      stop_(*stop.control_),
      cpus_(usable_cpus()),
      smp_(options.shards, options.queue_size),
      started_(options.shards - 1),
      errors_(options.shards) {
    first_.emplace(smp_, 0, options);
    if (options.pin) pin_this_thread(cpus_, 0);
    for (unsigned id = 1; id < options.shards; ++id) {
        try {
            threads_.emplace_back([this, id] { run_shard(id); });
        } catch (...) {
            errors_[id] = std::current_exception();
            started_.count_down();
        }
    }
    started_.wait();
    stop_.wakes(first_->executor().unparker().get());
    if (options.stop_on_signals) {
        signalled = stop;
        for (struct sigaction& handler : handlers_) {
            handler.sa_handler = &on_stop_signal;
            handler.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
        }
        exchange_handlers(handlers_);
    }
}

Runtime::Session::~Session() {
    smp_.close();
    first_->serve();
    if (options_.stop_on_signals) exchange_handlers(handlers_);
    if (options_.pin) ::sched_setaffinity(0, sizeof cpus_, &cpus_);
    stop_.wakes(nullptr);
    stop_.requested.store(false);
}

// The body of every thread but the first.
void Runtime::Session::run_shard(unsigned id) {
    const std::string name = options_.thread_name + "-" + std::to_string(id);
    ::pthread_setname_np(::pthread_self(), name.substr(0, 15).c_str());
    if (options_.pin) pin_this_thread(cpus_, id);
    std::optional<Shard> shard;
    try {
        shard.emplace(smp_, id, options_);
    } catch (...) {
        errors_[id] = std::current_exception();
    }
    started_.count_down();
    if (shard) shard->serve();
}

Executor& Runtime::Session::executor() {
    for (const std::exception_ptr& error : errors_) {
        if (error != nullptr) std::rethrow_exception(error);
    }
    return first_->executor();
}

void Runtime::Session::run_until(const std::function<bool()>& done, Context& main) {
    first_->executor().run_until([&] {
        if (stop_.requested.load(std::memory_order_relaxed) && main.request_stop()) {
            first_->expect_end();
            // It queued work, and the loop may have looked at its queue already: no sleep now.
            first_->executor().unparker()->unpark();
        }
        return done();
    });
}

}  // namespace starling
