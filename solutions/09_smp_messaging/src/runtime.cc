#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <exception>
#include <latch>
#include <mutex>
#include <starling/runtime.hh>
#include <thread>

namespace starling {
namespace detail {

class StopControl {
  public:
    void stop() {
        requested_.store(true);
        std::lock_guard lock(mutex_);
        if (unparker_ != nullptr) unparker_->unpark();
    }
    /// A run begins (or ends, with null).
    void attach(std::shared_ptr<Unparker> unparker) {
        std::lock_guard lock(mutex_);
        unparker_ = std::move(unparker);
    }
    bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }
    void reset() noexcept { requested_.store(false); }

  private:
    std::atomic<bool> requested_{false};
    std::mutex mutex_;
    std::shared_ptr<Unparker> unparker_;  // Null: no run.
};

}  // namespace detail

namespace {

// What the signal handler touches. Kept until the next runtime that wants signals: a handler may
// still be running on some thread when its runtime ends.
std::shared_ptr<Unparker> signal_unparker_owner;
std::atomic<Unparker*> signal_unparker{nullptr};
std::atomic<bool> signal_seen{false};

extern "C" void on_stop_signal(int) {
    signal_seen.store(true);
    if (Unparker* unparker = signal_unparker.load()) unparker->unpark();  // A write to an eventfd.
}

/// SIGINT and SIGTERM are ours while it lives. \affinity owner shard
class SignalScope {
  public:
    explicit SignalScope(const std::shared_ptr<Unparker>& unparker) {
        signal_seen.store(false);
        signal_unparker.store(unparker.get());
        signal_unparker_owner = unparker;
        struct sigaction action = {};
        action.sa_handler = &on_stop_signal;
        action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
        for (Saved& saved : saved_) ::sigaction(saved.signal, &action, &saved.previous);
    }
    ~SignalScope() {
        for (Saved& saved : saved_) ::sigaction(saved.signal, &saved.previous, nullptr);
    }
    SignalScope(const SignalScope&) = delete;
    SignalScope& operator=(const SignalScope&) = delete;

  private:
    struct Saved {
        int signal;
        struct sigaction previous;
    };
    Saved saved_[2] = {{SIGINT, {}}, {SIGTERM, {}}};
};

#ifdef __linux__

std::vector<int> usable_cpus() {
    cpu_set_t set;
    std::vector<int> cpus;
    if (::sched_getaffinity(0, sizeof set, &set) != 0) return cpus;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
    }
    return cpus;
}

/// Keeps this thread on one CPU while it lives. \affinity owner shard
class PinScope {
  public:
    PinScope(bool pin, unsigned shard, const std::vector<int>& cpus)
        : pinned_(pin && !cpus.empty()) {
        if (!pinned_) return;
        ::pthread_getaffinity_np(::pthread_self(), sizeof previous_, &previous_);
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(cpus[shard % cpus.size()], &set);
        ::pthread_setaffinity_np(::pthread_self(), sizeof set, &set);
    }
    ~PinScope() {
        if (pinned_) ::pthread_setaffinity_np(::pthread_self(), sizeof previous_, &previous_);
    }
    PinScope(const PinScope&) = delete;
    PinScope& operator=(const PinScope&) = delete;

  private:
    bool pinned_;
    cpu_set_t previous_;
};

void name_this_thread(const std::string& name, unsigned shard) {
    ::pthread_setname_np(::pthread_self(),
                         (name + "-" + std::to_string(shard)).substr(0, 15).c_str());
}

#else

std::vector<int> usable_cpus() { return std::vector<int>(std::thread::hardware_concurrency()); }
struct PinScope {
    PinScope(bool, unsigned, const std::vector<int>&) {}
};
void name_this_thread(const std::string&, unsigned) {}

#endif

}  // namespace

void StopHandle::stop() const { control_->stop(); }

Runtime::Runtime(RuntimeOptions options)
    : options_(std::move(options)), control_(std::make_shared<detail::StopControl>()) {
    const auto cpus = static_cast<unsigned>(std::max<std::size_t>(1, usable_cpus().size()));
    if (options_.shards == 0) options_.shards = cpus;
    if (!options_.spin) {
        const bool worth_it = options_.shards > 1 && options_.shards <= cpus;
        options_.spin = worth_it ? std::chrono::microseconds(20) : Duration::zero();
    }
    if (!options_.on_slow_shutdown) {
        options_.on_slow_shutdown = [](const std::string& text) {
            std::fprintf(stderr, "starling: %s\n", text.c_str());
        };
    }
}

struct Runtime::Session::State {
    explicit State(Runtime& runtime)
        : options(runtime.options_),
          control(runtime.control_),
          smp(options.shards, options.queue_size),
          started(options.shards - 1),
          cpus(usable_cpus()),
          pin(options.pin, 0, cpus) {
        options.on_slow_shutdown =
            [this, hear = runtime.options_.on_slow_shutdown](const std::string& text) {
                std::lock_guard lock(mutex);
                hear(text);
            };
    }

    /// The body of every thread but the first.
    void run_shard(unsigned id) {
        name_this_thread(options.thread_name, id);
        PinScope pinned(options.pin, id, cpus);
        std::optional<Shard> shard;
        try {
            shard.emplace(smp, id, options);
        } catch (...) {
            return give_up(id);
        }
        started.count_down();
        shard->serve();
    }

    /// That shard will not exist. \pre in a catch block
    void give_up(unsigned id) {
        {
            std::lock_guard lock(mutex);
            error = std::current_exception();
        }
        smp.set_absent(id);
        started.count_down();
    }

    bool stop_requested() noexcept {
        stopped = stopped || control->requested() ||
                  (options.stop_on_signals && signal_seen.load(std::memory_order_relaxed));
        return stopped;
    }

    RuntimeOptions options;
    std::shared_ptr<detail::StopControl> control;
    Smp smp;
    std::latch started;
    std::mutex mutex;
    std::exception_ptr error;  // Of a shard that could not start.
    std::vector<int> cpus;
    PinScope pin;
    std::vector<std::thread> threads;
    std::optional<Shard> first;
    std::optional<SignalScope> signals;
    bool stopped = false;
    bool over = false;
};

Runtime::Session::Session(Runtime& runtime) : state_(std::make_unique<State>(runtime)) {
    State& s = *state_;
    s.first.emplace(s.smp, 0, s.options);
    for (unsigned id = 1; id < s.options.shards; ++id) {
        try {
            s.threads.emplace_back([&s, id] { s.run_shard(id); });
        } catch (...) {
            s.give_up(id);
        }
    }
    s.started.wait();
    if (s.error != nullptr) {
        shut_down();
        std::rethrow_exception(s.error);
    }
    s.control->attach(s.first->executor().unparker());
    if (s.options.stop_on_signals) s.signals.emplace(s.first->executor().unparker());
}

Runtime::Session::~Session() {
    try {
        shut_down();
    } catch (...) {
        std::terminate();
    }
}

Executor& Runtime::Session::executor() noexcept { return state_->first->executor(); }

bool Runtime::Session::stop_requested() const noexcept { return state_->stop_requested(); }

void Runtime::Session::run_until(const std::function<bool()>& done, std::function<void()> on_stop) {
    executor().run_until([&] {
        if (on_stop && state_->stop_requested()) {
            std::exchange(on_stop, nullptr)();
            state_->first->expect_end();
            // It queued work, and the loop may have looked at its queue already: no sleep now.
            state_->first->executor().unparker()->unpark();
        }
        return done();
    });
}

void Runtime::Session::shut_down() {
    State& s = *state_;
    if (std::exchange(s.over, true)) return;
    s.smp.close();
    s.first->serve();
    for (std::thread& thread : s.threads) thread.join();
    s.stop_requested();  // For whoever asks afterwards.
    s.signals.reset();
    s.control->attach(nullptr);
    s.control->reset();
}

}  // namespace starling
