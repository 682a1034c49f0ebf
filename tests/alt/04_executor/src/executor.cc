#include <algorithm>
#include <cstdlib>
#include <starling/executor.hh>

namespace starling {

struct Executor::InboxSource final : EventSource {
    explicit InboxSource(Inbox& inbox) : inbox(inbox) {}
    void poll() noexcept override { inbox.drain(); }
    bool active() const noexcept override { return inbox.wakers() > 0 || !inbox.empty(); }
    bool before_sleep() noexcept override { return inbox.before_sleep(); }
    void after_sleep() noexcept override { inbox.after_sleep(); }
    Inbox& inbox;
};

Executor::Executor(ExecutorOptions options)
    : parker_(options.parker == nullptr ? own_parker_ : *options.parker),
      clock_(options.clock == nullptr ? Clock::steady() : *options.clock),
      options_(options),
      now_(clock_.now()),
      unparker_(parker_.unparker()),
      inbox_(std::make_shared<Inbox>(unparker_)),
      inbox_source_(std::make_unique<InboxSource>(*inbox_)),
      sources_{inbox_source_.get()} {
    provide_service(env_, this);
    if (const char* seed = std::getenv("STARLING_ALT_SHUFFLE")) {
        shuffle_.emplace(std::strtoul(seed, nullptr, 10));
    }
}

Executor::~Executor() {
    end_tasks();
    inbox_->close();
}

void Executor::launch(std::shared_ptr<detail::SpawnedBase> task) {
    detail::SpawnedBase& spawned = *task;
    tasks_.push_front(std::move(task));
    spawned.on_end = [this, place = tasks_.begin(), keep = tasks_.front()] { tasks_.erase(place); };
    if (ending_) spawned.task_context.request_stop();
    schedule(spawned.body());
}

// Of 21 turns 16 are high's, 4 are normal's and one is low's; who has nothing to run is passed over.
Continuation& Executor::next() {
    std::size_t i = 0;
    do {
        const std::size_t turn = taken_++ % 21;
        i = turn < 16 ? 0 : turn < 20 ? 1 : 2;
    } while (queues_[i].empty());
    ContinuationQueue& queue = queues_[i];
    if (shuffle_) {
        for (auto n = (*shuffle_)() % 4; n > 0; --n) queue.push(queue.pop());
    }
    --queued_;
    return queue.pop();
}

void Executor::run_queued(std::size_t at_most) {
    ++stats_.turns;
    for (std::size_t n = 0; n < at_most && queued_ > 0; ++n) {
        if (n % 16 == 15 && clock_.now() - now_ >= options_.batch_time) return;
        detail::ready_budget = kReadyBudget;
        ++stats_.resumed;
        next().resume();
    }
}

void Executor::poll_all() {
    now_ = clock_.now();
    for (EventSource* source : sources_) source->poll();
}

bool Executor::run_once() {
    Enter scope(*this);
    poll_all();
    const bool busy = queued_ > 0;
    run_queued(options_.batch_max);
    return busy;
}

void Executor::run_until(const std::function<bool()>& done) {
    if (drive(done)) return;
    const Deadlock deadlock("deadlock: every task waits and nothing can wake one: " +
                            live_task_names());
    end_tasks();
    throw deadlock;
}

bool Executor::drive(const std::function<bool()>& done) {
    Enter scope(*this);
    now_ = clock_.now();
    while (!done()) {
        run_queued(options_.batch_max);
        poll_all();
        const TimePoint spin_begin = now_;
        while (queued_ == 0 && !done() && now_ - spin_begin < options_.spin) poll_all();
        if (queued_ > 0 || done()) continue;
        if (std::none_of(sources_.begin(), sources_.end(), [](auto* s) { return s->active(); })) {
            return false;
        }
        auto asked = sources_.begin();
        bool willing = true;
        while (willing && asked != sources_.end()) willing = (*asked++)->before_sleep();
        if (willing) {
            TimePoint deadline = TimePoint::max();
            for (EventSource* source : sources_) deadline = std::min(deadline, source->deadline());
            ++stats_.parks;
            parker_.park(deadline);
        }
        for (auto s = sources_.begin(); s != asked; ++s) (*s)->after_sleep();
    }
    return true;
}

std::string Executor::live_task_names(std::size_t names_max) const {
    std::string names;
    std::size_t count = 0;
    for (const auto& task : tasks_) {
        if (count < names_max) {
            names.append(count == 0 ? "" : ", ").append(task->task_context.name());
        }
        ++count;
    }
    if (count > names_max) names += " and " + std::to_string(count - names_max) + " more";
    return names;
}

void Executor::stop_all() noexcept {
    Enter scope(*this);
    for (const auto& task : tasks_) task->task_context.request_stop();
}

void Executor::end_tasks() {
    Enter scope(*this);
    ending_ = true;
    stop_all();
    do {
        while (has_live_tasks()) {
            if (!drive([this] { return !has_live_tasks(); })) tasks_.front()->end();
        }
        while (queued_ > 0) next().resume();
    } while (has_live_tasks());
    ending_ = false;
}

}  // namespace starling
