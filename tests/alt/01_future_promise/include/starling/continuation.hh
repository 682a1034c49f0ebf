// A second implementation of continuation.hh, to show that the layers above rely on its API alone.
//
// What differs: the queue is a ring that knows only its tail, and the hook is behind a function call.
#pragma once

#include <cassert>
#include <utility>

namespace starling {

class Context;

class Continuation {
  public:
    Continuation() = default;
    explicit Continuation(Context* context) noexcept : context_(context) {}
    Continuation& operator=(const Continuation&) = delete;

    virtual void resume() noexcept = 0;

    Context* context() const noexcept { return context_; }
    void set_context(Context* context) noexcept { context_ = context; }
    bool queued() const noexcept { return after_ != nullptr; }

  protected:
    Continuation(Continuation&& other) noexcept : context_(other.context_) {
        assert(!other.queued());
    }
    ~Continuation() { assert(!queued()); }

  private:
    friend class ContinuationQueue;
    Context* context_ = nullptr;
    Continuation* after_ = nullptr;  // The last one's is the first.
};

class ContinuationQueue {
  public:
    ContinuationQueue() = default;
    ContinuationQueue(const ContinuationQueue&) = delete;
    ContinuationQueue& operator=(const ContinuationQueue&) = delete;

    bool empty() const noexcept { return last_ == nullptr; }
    void push(Continuation& c) noexcept {
        assert(!c.queued());
        c.after_ = empty() ? &c : std::exchange(last_->after_, &c);
        last_ = &c;
    }
    Continuation& pop() noexcept {
        Continuation& first = *last_->after_;
        if (&first == last_) {
            last_ = nullptr;
        } else {
            last_->after_ = first.after_;
        }
        first.after_ = nullptr;
        return first;
    }
    void splice(ContinuationQueue& other) noexcept {
        if (other.empty()) return;
        if (!empty()) std::swap(last_->after_, other.last_->after_);
        last_ = std::exchange(other.last_, nullptr);
    }

  private:
    Continuation* last_ = nullptr;
};

class TrampolineScope {
  public:
    TrampolineScope() noexcept;
    ~TrampolineScope();
    TrampolineScope(const TrampolineScope&) = delete;
    TrampolineScope& operator=(const TrampolineScope&) = delete;
};

struct PostHook {
    void (*function)(void* object, Continuation& c) noexcept;
    void* object;
};

void post(Continuation& c) noexcept;
PostHook exchange_post_hook(PostHook hook) noexcept;

}  // namespace starling
