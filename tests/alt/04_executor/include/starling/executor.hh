// A second implementation of executor.hh, to show that the layers above rely on its API alone.
//
// What differs: priorities take turns by a counter, tasks are a list of shared pointers. With
// STARLING_ALT_SHUFFLE=<seed> in the environment what is queued is served in a random order, so
// that who relies on an order finds out.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <random>
#include <starling/clock.hh>
#include <starling/env.hh>
#include <starling/event_source.hh>
#include <starling/scheduler.hh>
#include <starling/spawned_task.hh>
#include <starling/waker.hh>
#include <stdexcept>
#include <type_traits>
#include <vector>

namespace starling {

class Deadlock : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

struct ExecutorOptions {
    Parker* parker = nullptr;
    const Clock* clock = nullptr;
    std::size_t batch_max = 256;
    Duration batch_time = std::chrono::microseconds(500);
    Duration spin = Duration::zero();
};

struct ExecutorStats {
    std::uint64_t resumed = 0;
    std::uint64_t turns = 0;
    std::uint64_t parks = 0;
};

class Executor final {
  public:
    static constexpr ServiceSlot kSlot = ServiceSlot::executor;
    static constexpr const char* kName = "an executor";

    explicit Executor(ExecutorOptions options = {});
    ~Executor();
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    void schedule(Continuation& c) noexcept {
        const auto p = c.context() == nullptr ? Priority::normal : c.context()->priority();
        queues_[static_cast<std::size_t>(p)].push(c);
        ++queued_;
    }

    template <class A>
    decltype(auto) block_on(A&& task_or_callable, SpawnOptions options = {.name = "main"}) {
        Enter scope(*this);
        auto handle = spawn(std::forward<A>(task_or_callable), options);
        run_until([&] { return handle.done(); });
        return handle.finish();
    }

    template <class T>
    JoinHandle<T> spawn(Task<T> task, SpawnOptions options = {}) {
        auto spawned = std::make_shared<detail::Spawned<T>>(options);
        spawned->set_body(std::move(task));
        launch(spawned);
        return JoinHandle<T>(std::move(spawned));
    }
    template <class F>
        requires std::invocable<std::decay_t<F>&>
    auto spawn(F&& f, SpawnOptions options = {}) {
        using T = typename std::invoke_result_t<std::decay_t<F>&>::value_type;
        auto callable = std::make_shared<std::decay_t<F>>(std::forward<F>(f));
        auto spawned = std::make_shared<detail::Spawned<T>>(options);
        spawned->set_body((*callable)());
        spawned->callable = std::move(callable);
        launch(spawned);
        return JoinHandle<T>(std::move(spawned));
    }

    void run_until(const std::function<bool()>& done);
    bool run_once();

    void add_source(EventSource& source) { sources_.push_back(&source); }
    void remove_source(EventSource& source) { std::erase(sources_, &source); }

    TimePoint now() const noexcept { return now_; }
    const Clock& clock() const noexcept { return clock_; }
    Env& env() noexcept { return env_; }
    const std::shared_ptr<Inbox>& inbox() const noexcept { return inbox_; }
    const std::shared_ptr<Unparker>& unparker() const noexcept { return unparker_; }
    const ExecutorStats& stats() const noexcept { return stats_; }

    std::size_t live_tasks() const noexcept { return tasks_.size(); }
    bool has_live_tasks() const noexcept { return !tasks_.empty(); }
    std::string live_task_names(std::size_t names_max = 20) const;
    void stop_all() noexcept;
    void end_tasks();

    class Enter {
      public:
        explicit Enter(Executor& executor) noexcept
            : outer_(detail::current_env), scheduler_(executor, executor.inbox_.get()) {
            detail::current_env = &executor.env_;
        }
        ~Enter() { detail::current_env = outer_; }

      private:
        Env* const outer_;
        SchedulerScope scheduler_;
    };

  private:
    struct InboxSource;
    void launch(std::shared_ptr<detail::SpawnedBase> task);
    bool drive(const std::function<bool()>& done);
    Continuation& next();
    void run_queued(std::size_t at_most);
    void poll_all();

    ThreadParker own_parker_;
    Parker& parker_;
    const Clock& clock_;
    const ExecutorOptions options_;
    TimePoint now_;
    const std::shared_ptr<Unparker> unparker_;
    const std::shared_ptr<Inbox> inbox_;
    const std::unique_ptr<EventSource> inbox_source_;
    std::vector<EventSource*> sources_;
    std::array<ContinuationQueue, kPriorities> queues_;
    std::size_t queued_ = 0;
    std::size_t taken_ = 0;
    std::list<std::shared_ptr<detail::SpawnedBase>> tasks_;  // Newest first.
    std::optional<std::minstd_rand> shuffle_;
    bool ending_ = false;
    ExecutorStats stats_;
    Env env_;
};

inline Executor& this_executor(const char* who) { return service<Executor>(who); }

template <class A>
auto spawn(A&& task_or_callable, SpawnOptions options = {}) {
    return this_executor("spawn").spawn(std::forward<A>(task_or_callable), options);
}

class YieldOperation {
  public:
    bool ready() const noexcept { return false; }
    void start(Continuation& c) noexcept { post(c); }
    bool stopped() const noexcept { return false; }
    void finish() const noexcept {}
};
inline YieldOperation yield() noexcept { return {}; }

inline Park park() { return Park(this_executor("park").inbox()); }

}  // namespace starling
