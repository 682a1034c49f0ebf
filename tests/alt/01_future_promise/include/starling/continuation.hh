// A second implementation of continuation.hh, to show that the layers above rely on its API alone.
//
// What differs: the queue is a ring that knows only its tail, and the outermost scope is remembered
// by its address.
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
    ContinuationQueue(ContinuationQueue&& other) noexcept
        : last_(std::exchange(other.last_, nullptr)) {}

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

  private:
    Continuation* last_ = nullptr;
};

class TrampolineScope {
  public:
    TrampolineScope() noexcept {
        if (outermost == nullptr) outermost = this;
    }
    ~TrampolineScope() {
        if (outermost != this) return;
        while (!posted.empty()) posted.pop().resume();
        outermost = nullptr;
    }
    TrampolineScope(const TrampolineScope&) = delete;
    TrampolineScope& operator=(const TrampolineScope&) = delete;
    static void post(void*, Continuation& c) noexcept {
        TrampolineScope scope;
        posted.push(c);
    }

  private:
    static inline thread_local ContinuationQueue posted;
    static inline thread_local const TrampolineScope* outermost = nullptr;
};

struct PostHook {
    void (*function)(void* object, Continuation& c) noexcept;
    void* object;
};

namespace detail {
inline thread_local PostHook hook{&TrampolineScope::post, nullptr};
}

inline void post(Continuation& c) noexcept { detail::hook.function(detail::hook.object, c); }
inline PostHook exchange_post_hook(PostHook replacement) noexcept {
    return std::exchange(detail::hook, replacement);
}

}  // namespace starling
