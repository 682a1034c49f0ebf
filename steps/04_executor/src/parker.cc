#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <starling/event_source.hh>

namespace starling {

class ThreadParker::Signal final : public Unparker {
  public:
    void unpark() noexcept override {
        std::lock_guard lock(mutex_);
        signalled_ = true;
        condition_.notify_one();
    }
    void wait(TimePoint deadline) noexcept {
        // The farthest deadlines overflow when a clock converts them; park may return early.
        deadline = std::min(deadline, std::chrono::steady_clock::now() + std::chrono::hours(1));
        std::unique_lock lock(mutex_);
        condition_.wait_until(lock, deadline, [this] { return signalled_; });
        signalled_ = false;
    }

  private:
    std::mutex mutex_;
    std::condition_variable condition_;
    bool signalled_ = false;
};

ThreadParker::ThreadParker() : signal_(std::make_shared<Signal>()) {}

void ThreadParker::park(TimePoint deadline) noexcept { signal_->wait(deadline); }

std::shared_ptr<Unparker> ThreadParker::unparker() noexcept { return signal_; }

}  // namespace starling
