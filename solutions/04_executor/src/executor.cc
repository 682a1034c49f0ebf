#include <algorithm>
#include <cassert>
#include <starling/executor.hh>

namespace starling {

Executor::Executor(ExecutorOptions options)
    : options_(options),
      parker_(options.parker == nullptr ? own_parker_ : *options.parker),
      clock_(options.clock == nullptr ? Clock::steady() : *options.clock),
      now_(clock_.now()),
      unparker_(parker_.unparker()),
      inbox_(std::make_shared<Inbox>(unparker_)),
      sources_{this} {
    assert(options.batch_max > 0 && "a batch of none would never end");
    provide_service(env_, this);
}

Executor::~Executor() {
    end_tasks();
    inbox_->close();
}

void Executor::run_until(const std::function<bool()>& done) {
    if (drive(done)) return;
    Deadlock deadlock("deadlock: every task waits and nothing can wake one: " +
                      (has_live_tasks() ? live_task_names() : "none is left"));
    end_tasks();
    throw deadlock;
}

bool Executor::run_once() {
    Enter scope(*this);
    // BEGIN 4.1: queue and batch
    //| A poll of every source, then a batch. Whether there was anything to run, counting what the sources
    //| have just brought.
    //= todo("4.1", "Executor::run_once");
    poll_sources();
    const bool busy = !queue_.empty();
    run_batch();
    return busy;
    // END 4.1
}

/// Runs the loop until `done()`. \return false if it got stuck: nothing is queued, nothing can come
bool Executor::drive(const std::function<bool()>& done) {
    assert(!driving_ && "an executor was run from inside one of its own tasks");
    Enter scope(*this);
    driving_ = true;
    struct Driving {
        bool& flag;
        ~Driving() { flag = false; }
    } const driving{driving_};
    now_ = clock_.now();
    bool stuck = false;
    // BEGIN 4.3: the loop
    //| Turn after turn until `done()`: a batch, then poll the sources. If nothing is queued then and
    //| it is not done, spin(done). Still so (ask both again: spin polls): if no source may bring an
    //| event any more (EventSource::active), `stuck` is true and the loop ends; otherwise sleep().
    //| Never sleep with work queued.
    //= todo("4.3", "Executor::drive");
    while (!stuck && !done()) {
        run_batch();
        poll_sources();
        if (!queue_.empty() || done()) continue;
        spin(done);
        if (!queue_.empty() || done()) continue;
        stuck = std::ranges::none_of(sources_, &EventSource::active);
        if (!stuck) sleep();
    }
    // END 4.3
    return !stuck;
}

void Executor::run_batch() {
    constexpr std::size_t kLookInterval = 64;
    ++stats_.turns;
    // BEGIN 4.1: queue and batch
    //| Run what is queued, each with a full detail::ready_budget (kReadyBudget); add how many ran to
    //| stats_.resumed. Stop after options_.batch_max of them, or when options_.batch_time, which may be
    //| Duration::max(), has passed since now_. A look at the clock costs as much as running several, so
    //| look only now and then, but at least every kLookInterval.
    //= todo("4.1", "Executor::run_batch");
    std::size_t count = 0;
    std::size_t look_at = 4;  // Then 16, 64, 128 …: a batch of slow ones is noticed early.
    while (count < options_.batch_max && !queue_.empty()) {
        if (count == look_at) {
            if (clock_.now() - now_ >= options_.batch_time) break;
            look_at = std::min(look_at * 4, look_at + kLookInterval);
        }
        detail::ready_budget = kReadyBudget;
        queue_.pop().resume();
        ++count;
    }
    stats_.resumed += count;
    // END 4.1
}

void Executor::poll_sources() noexcept {
    // BEGIN 4.1: queue and batch
    //| Poll every source, in the order they were added. `now_` is the time of the turn that begins here:
    //| some of them compare deadlines with it.
    //= return todo_soft("4.1", "Executor::poll_sources");
    now_ = clock_.now();
    for (EventSource* source : sources_) source->poll();
    // END 4.1
}

void Executor::spin(const std::function<bool()>& done) {
    // BEGIN 4.3: the loop
    //| Poll the sources as long as nothing is queued and it is not done, for no longer than options_.spin,
    //| counted from `now_`, which polling moves on. Zero: not at all. Duration::max(): without a limit, and so
    //| without an end where nothing can happen any more.
    //= todo("4.3", "Executor::spin");
    const TimePoint begin = now_;
    while (queue_.empty() && now_ - begin < options_.spin && !done()) poll_sources();
    // END 4.3
}

void Executor::sleep() {
    // BEGIN 4.5: remote wake
    //| Ask every source before_sleep(), in order, until one refuses. If none did: read the
    //| deadlines, and park until the earliest; count it in stats_.parks. In any case call
    //| after_sleep() of every source that was asked.
    //= todo("4.5", "Executor::sleep");
    std::size_t asked = 0;
    bool willing = true;
    while (willing && asked < sources_.size()) willing = sources_[asked++]->before_sleep();
    if (willing) {
        TimePoint deadline = TimePoint::max();
        for (EventSource* source : sources_) deadline = std::min(deadline, source->deadline());
        ++stats_.parks;
        parker_.park(deadline);
    }
    while (asked > 0) sources_[--asked]->after_sleep();
    // END 4.5
}

std::size_t Executor::live_tasks() const noexcept {
    std::size_t count = 0;
    for (auto* task = tasks_.first(); task != nullptr; task = tasks_.after(*task)) ++count;
    return count;
}

std::string Executor::live_task_names(std::size_t names_max) const {
    std::string names;
    std::size_t count = 0;
    for (auto* task = tasks_.first(); task != nullptr; task = tasks_.after(*task), ++count) {
        if (count < names_max) names.append(count == 0 ? "" : ", ").append(task->name());
    }
    if (count > names_max) names += " and " + std::to_string(count - names_max) + " more";
    return names;
}

// A stop only posts, so no body runs here; a callback that spawns adds in front of where we are.
void Executor::stop_all() noexcept {
    Enter scope(*this);
    for (auto* task = tasks_.first(); task != nullptr; task = tasks_.after(*task))
        task->request_stop();
}

void Executor::end_tasks() {
    Enter scope(*this);
    ending_ = true;
    stop_all();
    do {
        while (has_live_tasks()) {
            // BEGIN 4.3: the loop
            //| Run the loop (`drive`) until no task lives. If it got stuck, nothing can end those that
            //| are left: destroy the body of the newest where it stands, and treat that task as one
            //| that has ended (SpawnedTaskBase::resume). Only one: others may be able to end then.
            //= return todo_soft("4.3", "Executor::end_tasks");
            if (drive([this] { return !has_live_tasks(); })) break;
            detail::SpawnedTaskBase& task = tasks_.front();
            task.destroy_body();
            task.resume();
            assert(tasks_.first() != &task && "it has ended, and still lives (4.2)");
            // END 4.3
        }
        while (!queue_.empty()) queue_.pop().resume();  // Nobody's. It may spawn.
    } while (has_live_tasks());
    ending_ = false;
}

}  // namespace starling
