// Executor: the loop of one shard. Many tasks share a thread; when none can run, the thread sleeps.
//
//        ┌─► run a batch of the queue (bounded by count and time)
//        │   poll the sources
//        │       ├─ something is ready ──────────────────────────────┐
//        │       └─ nothing: spin a little; nothing still: sleep ◄───┤ refused by a source
//        └───────────────────────────────────────────────────────────┘
//
// Sources are polled in the order they were added: the inbox first (it is one load), then each
// layer's, cheapest first. Batches are bounded, so I/O is looked at however much the tasks have to
// do, and a task that takes ready operations in a row gives way when its budget is spent.
//
// Invariants: it never sleeps with work queued; a wake-up that comes while it goes to sleep is seen
// (see inbox.hh); a task's frame is destroyed only when its body has ended, or when nothing can
// ever end it.
//
// Affinity: owner shard. Source: Seastar's reactor loop; Glommio's executor.
#pragma once

#include <functional>
#include <memory>
#include <starling/clock.hh>
#include <starling/env.hh>
#include <starling/event_source.hh>
#include <starling/intrusive_list.hh>
#include <starling/run_queue.hh>
#include <starling/scheduler.hh>
#include <starling/spawned_task.hh>
#include <starling/waker.hh>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>
#include <starling/todo.hh>

namespace starling {

/// Every task waited, and nothing could ever wake one. The text names them; by the time it is
/// thrown they have been ended, those that could not end by themselves where they stood.
class Deadlock : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

/// How an executor runs.
struct ExecutorOptions {
    /// What it sleeps in. Borrows: it outlives the executor. Null: a ThreadParker of its own.
    Parker* parker = nullptr;
    /// Where it reads the time. Borrows: it outlives the executor. Null: Clock::steady().
    const Clock* clock = nullptr;
    std::size_t batch_max = 256;  ///< Continuations between two polls; at least 1.
    /// Time between two polls; a batch that takes longer ends at its next look at the clock.
    Duration batch_time = std::chrono::microseconds(500);
    /// How long to poll, with nothing to run, before sleeping. Zero: sleep at once. A deadlock is
    /// found when this is over.
    Duration spin = Duration::zero();
};

/// Counters since the start. \affinity owner shard
struct ExecutorStats {
    std::uint64_t resumed = 0;  ///< Continuations run.
    std::uint64_t turns = 0;    ///< Batches, empty ones included.
    std::uint64_t parks = 0;    ///< Times the thread slept.
};

/// The loop of one shard. Stays where it is. \affinity owner shard
class Executor final : private EventSource {
  public:
    static constexpr ServiceSlot kSlot = ServiceSlot::executor;
    static constexpr const char* kName = "an executor";

    /// Nothing runs yet.
    explicit Executor(ExecutorOptions options = {});
    /// Ends every task, see end_tasks().
    ~Executor();

    /// Queues `c`; it runs in the loop. O(1).
    void schedule(Continuation& c) noexcept { queue_.push(c); }

    /// Runs `task` (or a callable that returns one) and everything spawned, until `task` has ended.
    /// \pre not called from one of this executor's own tasks
    /// \return its result \throws what it threw; Deadlock
    template <class A>
    decltype(auto) block_on(A&& task_or_callable, SpawnOptions options = {.name = "main"}) {
        Enter scope(*this);
        auto handle = spawn(std::forward<A>(task_or_callable), options);
        run_until([&] { return handle.done(); });
        return handle.finish();
    }

    /// Starts a task, or what a callable returns, which is called here and lives as long as the
    /// task. The task begins to run in the loop, not here. It inherits no stop token: end it
    /// through the handle.
    template <class F>
        requires std::invocable<std::decay_t<F>&>
    auto spawn(F&& f, SpawnOptions options = {}) {
        using T = std::invoke_result_t<std::decay_t<F>&>::value_type;
        using Call = detail::SpawnedCall<T, std::decay_t<F>>;
        return launch<T>(*new Call(std::forward<F>(f), options));
    }
    /// The same for a task that is there already. \pre task.valid()
    template <class T>
    JoinHandle<T> spawn(Task<T> task, SpawnOptions options = {}) {
        return spawn([task = std::move(task)]() mutable { return std::move(task); }, options);
    }

    /// Runs the loop until `done()`, which is asked at least once per turn. \throws Deadlock
    void run_until(const std::function<bool()>& done);

    /// One turn without sleeping: a poll of every source, and a batch. For several executors on one
    /// thread. \return whether there was anything to run
    bool run_once();

    /// Adds a source, polled after those added before. It is removed before it dies.
    void add_source(EventSource& source) { sources_.push_back(&source); }
    /// Polls `source` no more.
    void remove_source(EventSource& source) { std::erase(sources_, &source); }

    /// The time, read once per turn; within a batch it may be as old as the batch.
    TimePoint now() const noexcept { return now_; }
    /// Where it reads the time.
    const Clock& clock() const noexcept { return clock_; }
    /// What surrounds its tasks.
    Env& env() noexcept { return env_; }
    /// Where its wakers belong.
    const std::shared_ptr<Inbox>& inbox() const noexcept { return inbox_; }
    /// Ends its sleep, from any thread.
    const std::shared_ptr<Unparker>& unparker() const noexcept { return unparker_; }
    /// What it has done so far.
    const ExecutorStats& stats() const noexcept { return stats_; }

    /// How many spawned tasks have not ended. O(tasks).
    std::size_t live_tasks() const noexcept;
    /// Whether one has not ended. O(1).
    bool has_live_tasks() const noexcept { return !tasks_.empty(); }
    /// Their names, newest first, separated by commas; at most `names_max`.
    std::string live_task_names(std::size_t names_max = 20) const;
    /// Asks every spawned task to stop.
    void stop_all() noexcept;
    /// Asks every task to stop, and each that is spawned meanwhile, and runs until they have ended.
    /// When nothing can end those that are left, one is destroyed where it stands, so that the
    /// others may end, and so on. Sources and services are still needed here.
    void end_tasks();

    /// Makes this the thread's executor for as long as it lives: `spawn`, `post` and wakers come
    /// here. Scopes nest.
    class Enter {
      public:
        /// \param executor lives longer than this
        explicit Enter(Executor& executor) noexcept
            : scheduler_(executor, executor.inbox_.get()),
              outer_(std::exchange(detail::current_env, &executor.env_)) {}
        ~Enter() { detail::current_env = outer_; }

      private:
        SchedulerScope scheduler_;
        Env* outer_;  // Borrows: the outer scope's.
    };

  private:
    // Remote wake-ups are a source like any other, and the first.
    void poll() noexcept override { inbox_->drain(); }
    // In this order: see Inbox::wakers.
    bool active() const noexcept override { return inbox_->wakers() > 0 || !inbox_->empty(); }
    bool before_sleep() noexcept override { return inbox_->before_sleep(); }
    void after_sleep() noexcept override { inbox_->after_sleep(); }

    template <class T>
    JoinHandle<T> launch(detail::SpawnedTask<T>& task) {
        // BEGIN 4.2: spawn and JoinHandle
        // The task joins the live ones, at the front of `tasks_`, and its body is scheduled: it does not run
        // here. While the tasks are being ended (`ending_`), a new one is asked to stop at once.
        todo("4.2", "Executor::launch");
        // END 4.2
    }

    bool drive(const std::function<bool()>& done);
    void run_batch();
    void poll_sources() noexcept;
    void spin(const std::function<bool()>& done);
    void sleep();

    const ExecutorOptions options_;
    ThreadParker own_parker_;
    Parker& parker_;      // Borrows: the options', or its own.
    const Clock& clock_;  // Borrows.
    TimePoint now_;
    RunQueue queue_;
    const std::shared_ptr<Unparker> unparker_;
    const std::shared_ptr<Inbox> inbox_;
    std::vector<EventSource*> sources_;  // Borrows.
    // Borrows: those whose body has not ended, newest first; each frees itself (spawned_task.hh).
    IntrusiveList<detail::SpawnedTaskBase> tasks_;
    bool ending_ = false;
    bool driving_ = false;
    ExecutorStats stats_;
    Env env_;
};

/// The executor that runs on this thread. \throws std::logic_error if there is none
inline Executor& this_executor(const char* who) { return service<Executor>(who); }

/// Spawns on this thread's executor. \throws std::logic_error outside of one
template <class A>
auto spawn(A&& task_or_callable, SpawnOptions options = {}) {
    return this_executor("spawn").spawn(std::forward<A>(task_or_callable), options);
}

/// Lets every other ready task of the same priority run first. `co_await yield();`
class [[nodiscard]] YieldOperation {
  public:
    bool ready() const {
        // BEGIN 4.4: yield
        // Whether it can finish without waiting. A yield that could would be none.
        todo("4.4", "YieldOperation::ready");
        // END 4.4
    }
    void start(Continuation& c) {
        // BEGIN 4.4: yield
        // `c` goes on when those that are ready now have run.
        todo("4.4", "YieldOperation::start");
        // END 4.4
    }
    bool stopped() const noexcept { return false; }
    void finish() const noexcept {}
};
/// See YieldOperation.
inline YieldOperation yield() noexcept { return {}; }

/// Waits for one wake-up from any thread: make it, hand out `waker()`s, await it.
inline Park park() { return Park(this_executor("park").inbox()); }

}  // namespace starling
