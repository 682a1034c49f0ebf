// SpawnedTask: what an executor keeps of a task that no coroutine awaits; JoinHandle: the spawner's
// end of it.
//
//     JoinHandle ──┐                       ┌── the executor's list of live tasks
//                  ▼                       ▼
//           SpawnedTask { Context, Task, link, waiter }
//
//     the body       the handle   waiter_           who frees it
//     runs           held         null or a waiter  -
//     runs           dropped      itself            the body's end
//     has ended      held         null              the handle, when it lets go
//
// So whichever end lets go last frees it, and a dropped handle never frees a running frame.
//
// Affinity: owner shard.
#pragma once

#include <cassert>
#include <starling/frame_pool.hh>
#include <starling/intrusive_list.hh>
#include <starling/task.hh>
#include <stdexcept>
#include <string>
#include <utility>

namespace starling {

class Executor;

/// How a task is known, and how urgent it is.
struct SpawnOptions {
    const char* name = "task";             ///< A literal; appears in reports.
    Priority priority = Priority::normal;  ///< Which queue it runs from; see RunQueue.
};

/// The awaited task ended because it was aborted (or its executor was shut down).
class TaskAborted : public std::runtime_error {
  public:
    /// \param name the task's
    explicit TaskAborted(const char* name)
        : std::runtime_error(std::string("the task '") + name + "' was aborted") {}
};

namespace detail {

/// The part that does not depend on the result. Every byte counts here: a million tasks may be
/// parked.
/// \affinity owner shard
class SpawnedTaskBase : public Continuation, public Context, public ListLink {
  public:
    explicit SpawnedTaskBase(SpawnOptions options) noexcept
        : Context(options.name, options.priority) {}

    /// Whether the body has ended.
    bool done() const noexcept { return !linked(); }

    /// One waiter at a time; null withdraws it.
    void set_waiter(Continuation* waiter) noexcept {
        assert((waiter == nullptr || waiter_ == nullptr) && "a join handle has one waiter");
        waiter_ = waiter;
    }
    /// The handle lets go.
    void detach() noexcept {
        // BEGIN 4.2: spawn and JoinHandle
        //| If the body has ended nobody needs this any more: `delete this` (`new` made it).
        //| Otherwise the body's end will do it (see the table above).
        //= return todo_soft("4.2", "SpawnedTaskBase::detach");
        if (done()) return delete this;
        waiter_ = this;
        // END 4.2
    }

    /// The body has ended.
    void resume() noexcept override {
        // BEGIN 4.2: spawn and JoinHandle
        //| Leave the list of live tasks. If the handle was dropped, `delete this`; otherwise post the
        //| waiter, if there is one, and leave null there: the handle will free this.
        //= return todo_soft("4.2", "SpawnedTaskBase::resume");
        unlink();
        if (waiter_ == this) return delete this;
        if (waiter_ != nullptr) post(*std::exchange(waiter_, nullptr));
        // END 4.2
    }

  protected:
    virtual ~SpawnedTaskBase() = default;
    /// Destroys the body, wherever it stands.
    virtual void destroy_body() noexcept = 0;

  private:
    friend class starling::Executor;
    Continuation* waiter_ = nullptr;  // Borrows: who awaits the handle. See the table above.
};

/// The part that depends on it: owns the body.
template <class T>
class SpawnedTask : public SpawnedTaskBase {
  public:
    using SpawnedTaskBase::SpawnedTaskBase;

    Continuation& body() noexcept { return task_.promise(); }

    /// Whether it ended by a stop, or was destroyed before its end. \pre done()
    bool ended_stopped() const noexcept {
        return !task_.valid() || task_.promise().outcome.stopped();
    }
    /// The result, once; stopped if the body was destroyed before its end. \pre done()
    Outcome<T> take_outcome() {
        if (task_.valid()) return std::move(task_.promise().outcome);
        Outcome<T> stopped;
        stopped.set_stopped();
        return stopped;
    }

  protected:
    void set_body(Task<T> task) noexcept {
        assert(task.valid() && "spawned a task that was moved from");
        // BEGIN 4.2: spawn and JoinHandle
        //| Own the body, and tell its promise (02) in which context it runs (`set_context`) and whom its
        //| end resumes (`set_on_done`). This object can be both.
        //= return todo_soft("4.2", "SpawnedTask::set_body");
        task_ = std::move(task);
        task_.promise().set_context(this);
        task_.promise().set_on_done(*this);
        // END 4.2
    }
    void destroy_body() noexcept override {
        // BEGIN 4.2: spawn and JoinHandle
        //| Free the body's frame. An error that is still in its promise's outcome, because nobody has
        //| fetched it, goes to report_ignored_exception. May be called again, when the body has gone
        //| (it is not `valid`).
        //= return todo_soft("4.2", "SpawnedTask::destroy_body");
        if (task_.valid() && task_.promise().outcome.has_error()) {
            report_ignored_exception(task_.promise().outcome.error());
        }
        task_ = Task<T>();
        // END 4.2
    }

  private:
    Task<T> task_;
};

/// Together with the callable that made the body, which may refer to its captures.
template <class T, class F>
class SpawnedCall final : public SpawnedTask<T>, public Pooled {
  public:
    template <class Source>
    SpawnedCall(Source&& f, SpawnOptions options)
        : SpawnedTask<T>(options), f_(std::forward<Source>(f)) {
        this->set_body(f_());
    }
    ~SpawnedCall() override {
        // BEGIN 4.2: spawn and JoinHandle
        //| `destroy_body` before `f_` goes: what is left in the frame may refer to its captures.
        //= todo_soft("4.2", "SpawnedCall::~SpawnedCall");
        //= return;
        this->destroy_body();
        // END 4.2
    }

  private:
    [[no_unique_address]] F f_;
};

}  // namespace detail

/// Awaits, aborts or lets go of a spawned task. Move-only. Dropping it detaches the task, which
/// runs on; an exception of a detached task goes to the ignored-exception hook.
/// \affinity owner shard
template <class T = void>
class [[nodiscard]] JoinHandle : public StoppableWait<JoinHandle<T>> {
    using Wait = StoppableWait<JoinHandle>;

  public:
    /// Holds no task.
    JoinHandle() = default;
    /// What spawn gives out.
    explicit JoinHandle(detail::SpawnedTask<T>& task) noexcept : task_(&task) {}
    /// `other` holds no task afterwards. \pre nobody awaits `other`
    JoinHandle(JoinHandle&& other) noexcept
        : Wait(std::move(other)), task_(std::exchange(other.task_, nullptr)) {}
    /// The same; the task that this held before is detached.
    JoinHandle& operator=(JoinHandle&& other) noexcept {
        if (this == &other) return *this;
        detach();
        task_ = std::exchange(other.task_, nullptr);
        return *this;
    }
    ~JoinHandle() { detach(); }

    /// Whether this holds a task.
    bool valid() const noexcept { return task_ != nullptr; }
    /// Whether the body has ended.
    bool done() const noexcept { return task_ != nullptr && task_->done(); }
    /// The task's context. \pre valid()
    Context& context() const noexcept { return *task_; }

    /// Asks the task to stop: its awaits throw Cancelled. One that has not begun still runs up to
    /// its first await, so that it can look after what it was given. Await the handle to know that
    /// it has ended.
    void abort() noexcept {
        // BEGIN 4.2: spawn and JoinHandle
        //| Ask the task to stop: it is a Context. A handle that holds none has nobody to ask.
        //= return todo_soft("4.2", "JoinHandle::abort");
        if (task_ != nullptr) task_->request_stop();
        // END 4.2
    }
    /// Lets the task run on by itself. The handle is empty afterwards.
    void detach() noexcept {
        // BEGIN 4.2: spawn and JoinHandle
        //| Let go, if this holds a task. The handle may be awaited at the moment: the waiter is
        //| forgotten, and a stop of its context must not come here any more (`unlink`).
        //= return todo_soft("4.2", "JoinHandle::detach");
        this->unlink();
        if (task_ != nullptr) std::exchange(task_, nullptr)->detach();
        // END 4.2
    }

    // An operation: `co_await handle` gives the result once. Stopping the await leaves the task
    // alone; the handle may be awaited again then.

    /// Whether the result is here. It is asked when an await begins, so a stop of an earlier one is
    /// forgotten.
    bool ready() noexcept {
        this->renew();
        return done();
    }
    /// Posts `c` when the task has ended, or when c's context is stopped. \pre valid()
    void start(Continuation& c) {
        assert(task_ != nullptr && "awaited a join handle that holds no task");
        // BEGIN 4.2: spawn and JoinHandle
        //| Post `c` when the task has ended: at once if it has, otherwise it becomes the task's
        //| waiter, and we `wait`. Two statements here can post, `post` itself and, in a context that
        //| is stopped already, `wait`; after either, this may be destroyed.
        //= todo("4.2", "JoinHandle::start");
        if (done()) return post(c);
        task_->set_waiter(&c);
        this->wait(c);
        // END 4.2
    }
    /// The task's own success or failure beats a stop of the await; that both were stopped does
    /// not.
    bool stopped() const noexcept { return Wait::stopped() && (!done() || task_->ended_stopped()); }
    /// \throws TaskAborted if the task ended by a stop; what the task threw
    T finish() {
        Wait::finish();  // If the await was stopped, the handle is as good as before.
        // BEGIN 4.2: spawn and JoinHandle
        //| Take the outcome, let go of the task, and return the value or throw: a stopped outcome is
        //| a TaskAborted, with the task's name, because it is not our own task that was stopped.
        //= todo("4.2", "JoinHandle::finish");
        Outcome<T> outcome = task_->take_outcome();
        const char* name = task_->name();
        detach();
        if (outcome.stopped()) throw TaskAborted(name);
        return outcome.take();
        // END 4.2
    }

  private:
    friend Wait;
    bool withdraw() noexcept {
        // BEGIN 4.2: spawn and JoinHandle
        //| The await is stopped. Too late if the task has ended: false. Otherwise the task must not
        //| post the waiter any more.
        //= return todo_soft("4.2", "JoinHandle::withdraw", false);
        if (done()) return false;
        task_->set_waiter(nullptr);
        return true;
        // END 4.2
    }

    detail::SpawnedTask<T>* task_ = nullptr;  // Owns: frees it, see SpawnedTask.
};

}  // namespace starling
