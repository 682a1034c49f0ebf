// Started: one operation in flight, without a coroutine around it, so that a test decides who comes
// first. ShuffledPost: whatever is posted runs in a random order, which is the same for the same
// seed.
#pragma once

#include <cstddef>
#include <random>
#include <starling/context.hh>
#include <starling/operation.hh>
#include <starling/probes.hh>
#include <utility>
#include <vector>

namespace starling::testing_support {

/// An operation, started; its context can be stopped and it can be destroyed in flight.
/// \affinity one thread
template <class Op>
class Started {
  public:
    explicit Started(Op&& op) : op_(std::move(op)) {
        waiter_.set_context(&context_);
        if (!op_.ready()) {
            op_.start(waiter_);
        } else {
            was_ready_ = true;
        }
    }
    /// Whether it has ended.
    bool done() const noexcept { return was_ready_ || waiter_.resumed > 0; }
    void stop() { context_.request_stop(); }
    bool stopped() { return op_.stopped(); }
    auto finish() { return op_.finish(); }
    Op& op() noexcept { return op_; }
    int resumed() const noexcept { return waiter_.resumed; }

  private:
    Context context_;
    Waiter waiter_;
    Op op_;
    bool was_ready_ = false;
};
template <class Op>
Started(Op&&) -> Started<Op>;

/// \affinity one thread
class ShuffledPost {
  public:
    explicit ShuffledPost(unsigned seed)
        : random_(seed), previous_(exchange_post_hook({&on_post, this})) {}
    ~ShuffledPost() { exchange_post_hook(previous_); }
    ShuffledPost(const ShuffledPost&) = delete;
    ShuffledPost& operator=(const ShuffledPost&) = delete;

    /// Runs a random one of those that wait. \return whether there was one
    bool run_one() {
        if (waiting_.empty()) return false;
        std::swap(waiting_[random_() % waiting_.size()], waiting_.back());
        Continuation* c = waiting_.back();
        waiting_.pop_back();
        c->resume();
        return true;
    }
    std::mt19937& random() noexcept { return random_; }

  private:
    static void on_post(void* self, Continuation& c) noexcept {
        static_cast<ShuffledPost*>(self)->waiting_.push_back(&c);
    }
    std::mt19937 random_;
    std::vector<Continuation*> waiting_;
    PostHook previous_;
};

}  // namespace starling::testing_support
