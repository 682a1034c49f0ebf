// Probes: small objects that tests put into the code under test and look at afterwards.
//
// Affinity: one thread.
#pragma once

#include <gtest/gtest.h>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <starling/continuation.hh>
#include <starling/future_error.hh>
#include <string>
#include <utility>
#include <vector>

namespace starling::testing_support {

/// Takes over `post` while it lives and runs nothing until told, so that a test decides when.
class ScriptedPost {
  public:
    ScriptedPost() : previous_(exchange_post_hook({&on_post, this})) {}
    ~ScriptedPost() { exchange_post_hook(previous_); }
    ScriptedPost(const ScriptedPost&) = delete;
    ScriptedPost& operator=(const ScriptedPost&) = delete;

    /// How many continuations have been posted and have not run.
    std::size_t waiting() const noexcept { return queue_.size(); }
    /// Runs the oldest, and only it. \return whether there was one
    bool run_one() {
        if (queue_.empty()) return false;
        Continuation* c = queue_.front();
        queue_.pop_front();
        c->resume();
        return true;
    }
    /// Runs until nothing is left. \return how many ran
    std::size_t run_all() {
        std::size_t count = 0;
        while (run_one()) ++count;
        return count;
    }

  private:
    static void on_post(void* self, Continuation& c) noexcept {
        auto& queue = static_cast<ScriptedPost*>(self)->queue_;
        const bool twice = std::find(queue.begin(), queue.end(), &c) != queue.end();
        EXPECT_FALSE(twice) << "a continuation was posted while it was posted already";
        if (!twice) queue.push_back(&c);
    }
    std::deque<Continuation*> queue_;
    PostHook previous_;
};

/// Takes over `post` while it lives and resumes at once, in the middle of the caller's work: the
/// hardest order for code that touches anything after it has posted.
class ImmediatePost {
  public:
    ImmediatePost() : previous_(exchange_post_hook({&on_post, nullptr})) {}
    ~ImmediatePost() { exchange_post_hook(previous_); }
    ImmediatePost(const ImmediatePost&) = delete;
    ImmediatePost& operator=(const ImmediatePost&) = delete;

  private:
    static void on_post(void*, Continuation& c) noexcept { c.resume(); }
    PostHook previous_;
};

/// A continuation that counts how often it was resumed, and may do something then.
class Waiter final : public Continuation {
  public:
    explicit Waiter(std::function<void()> then = {}) : then_(std::move(then)) {}
    void resume() noexcept override {
        ++resumed;
        if (then_) then_();
    }
    int resumed = 0;

  private:
    std::function<void()> then_;
};

/// Counts the objects alive, to find what is destroyed twice or never. Move-only; a moved-from one
/// counts until it is destroyed, and knows that it is empty.
class Tracked {
  public:
    explicit Tracked(int value = 0) noexcept : value(value) { ++alive; }
    Tracked(Tracked&& other) noexcept : value(std::exchange(other.value, -1)) { ++alive; }
    Tracked& operator=(Tracked&& other) noexcept {
        value = std::exchange(other.value, -1);
        return *this;
    }
    ~Tracked() { --alive; }

    int value;
    static inline int alive = 0;
};

/// How much stack lies between the shallowest and the deepest `touch`.
class StackProbe {
  public:
    [[gnu::noinline]] void touch() noexcept {
        // Not the address of a local: AddressSanitizer may keep those elsewhere.
        const auto here = reinterpret_cast<std::uintptr_t>(__builtin_frame_address(0));
        low_ = std::min(low_, here);
        high_ = std::max(high_, here);
    }
    std::size_t bytes() const noexcept { return high_ < low_ ? 0 : high_ - low_; }

  private:
    std::uintptr_t low_ = UINTPTR_MAX;
    std::uintptr_t high_ = 0;
};

/// Collects what nobody looked at, in place of the line on stderr.
class IgnoredExceptions {
  public:
    IgnoredExceptions() : previous_(set_ignored_exception_hook(&collect)) { seen.clear(); }
    ~IgnoredExceptions() { set_ignored_exception_hook(previous_); }
    static inline std::vector<std::string> seen;

  private:
    static void collect(const std::exception_ptr& exception) noexcept {
        try {
            std::rethrow_exception(exception);
        } catch (const std::exception& e) {
            seen.emplace_back(e.what());
        }
    }
    IgnoredExceptionHook previous_;
};

}  // namespace starling::testing_support
