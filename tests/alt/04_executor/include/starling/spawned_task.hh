// A second implementation of spawned_task.hh, to show that the layers above rely on its API alone.
//
// What differs: the task and its handle share a pointer, and the result is moved out of the frame.
#pragma once

#include <functional>
#include <memory>
#include <starling/task.hh>
#include <stdexcept>
#include <string>
#include <utility>

namespace starling {

class Executor;

struct SpawnOptions {
    const char* name = "task";
    Priority priority = Priority::normal;
};

class TaskAborted : public std::runtime_error {
  public:
    explicit TaskAborted(const char* name)
        : std::runtime_error(std::string("the task '") + name + "' was aborted") {}
};

namespace detail {

/// One spawned task. The executor holds it until its body has ended.
struct SpawnedBase : Continuation {
    explicit SpawnedBase(SpawnOptions options) : task_context(options.name, options.priority) {}
    virtual ~SpawnedBase() = default;
    void resume() noexcept override { end(); }
    /// The body has ended, or is to be destroyed where it stands.
    void end() noexcept {
        const auto on_end_now = std::move(on_end);  // Keeps this alive until the end.
        take_result();
        done = true;
        if (waiter != nullptr) post(*std::exchange(waiter, nullptr));
        on_end_now();
    }
    virtual Continuation& body() noexcept = 0;
    virtual void take_result() noexcept = 0;

    Context task_context;
    std::function<void()> on_end;
    Continuation* waiter = nullptr;
    bool done = false;
};

template <class T>
struct Spawned final : SpawnedBase {
    using SpawnedBase::SpawnedBase;
    ~Spawned() override {
        if (outcome.has_error()) report_ignored_exception(outcome.error());
    }
    void set_body(Task<T>&& made) noexcept {
        task = std::move(made);
        task.promise().set_context(&task_context);
        task.promise().set_on_done(*this);
    }
    Continuation& body() noexcept override { return task.promise(); }
    void take_result() noexcept override {
        outcome = std::move(task.promise().outcome);
        if (outcome.empty()) outcome.set_stopped();
        task = Task<T>();
        callable.reset();
    }

    std::shared_ptr<void> callable;  // What the body may refer to.
    Task<T> task;
    Outcome<T> outcome;
};

}  // namespace detail

template <class T = void>
class [[nodiscard]] JoinHandle : private StopNode {
  public:
    JoinHandle() noexcept : StopNode(&on_stop) {}
    explicit JoinHandle(std::shared_ptr<detail::Spawned<T>> task) noexcept
        : StopNode(&on_stop), task_(std::move(task)) {}
    JoinHandle(JoinHandle&& other) noexcept
        : StopNode(std::move(other)), task_(std::move(other.task_)) {}
    JoinHandle& operator=(JoinHandle&& other) noexcept {
        if (this == &other) return *this;
        detach();
        task_ = std::move(other.task_);
        return *this;
    }
    ~JoinHandle() { detach(); }

    bool valid() const noexcept { return task_ != nullptr; }
    bool done() const noexcept { return task_ != nullptr && task_->done; }
    Context& context() const noexcept { return task_->task_context; }
    void abort() noexcept {
        if (task_ != nullptr) context().request_stop();
    }
    void detach() noexcept {
        unlink();
        if (task_ != nullptr) task_->waiter = nullptr;
        task_.reset();
    }

    bool ready() noexcept {
        withdrawn_ = false;  // Perhaps by a combinator, which did not ask for a result.
        return done();
    }
    void start(Continuation& c) {
        if (done()) return post(c);
        task_->waiter = waiter_ = &c;
        if (c.context() != nullptr) c.context()->link(*this);
    }
    bool stopped() const noexcept { return withdrawn_ && (!done() || task_->outcome.stopped()); }
    T finish() {
        unlink();
        if (stopped()) throw Cancelled{};
        const std::shared_ptr<detail::Spawned<T>> task = task_;
        detach();
        if (task->outcome.stopped()) throw TaskAborted(task->task_context.name());
        return task->outcome.take();
    }

  private:
    static void on_stop(StopNode& node) noexcept {
        auto& self = static_cast<JoinHandle&>(node);
        if (self.done()) return;
        self.withdrawn_ = true;
        self.task_->waiter = nullptr;
        post(*self.waiter_);
    }

    std::shared_ptr<detail::Spawned<T>> task_;
    Continuation* waiter_ = nullptr;
    bool withdrawn_ = false;
};

}  // namespace starling
