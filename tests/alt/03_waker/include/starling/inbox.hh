// A second implementation of inbox.hh, to show that the layers above rely on its API alone.
//
// What differs: a mutex and a vector. Nothing is lock-free, and nothing is seq_cst.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace starling {

class Continuation;
namespace detail {
class WakerNode;
}

class Unparker {
  public:
    virtual ~Unparker() = default;
    virtual void unpark() noexcept = 0;
};

class Inbox {
  public:
    explicit Inbox(std::shared_ptr<Unparker> unparker = nullptr) noexcept
        : unparker_(std::move(unparker)) {}

    void push(std::shared_ptr<detail::WakerNode> node) noexcept;
    void count_waker(int change) noexcept {
        std::lock_guard lock(mutex_);
        wakers_ += static_cast<std::size_t>(change);
    }

    void drain() noexcept;
    bool empty() const noexcept {
        std::lock_guard lock(mutex_);
        return nodes_.empty();
    }
    bool before_sleep() noexcept {
        std::lock_guard lock(mutex_);
        sleeping_ = true;
        return nodes_.empty();
    }
    void after_sleep() noexcept {
        std::lock_guard lock(mutex_);
        sleeping_ = false;
    }
    void close() noexcept;
    std::size_t wakers() const noexcept {
        std::lock_guard lock(mutex_);
        return wakers_;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<std::shared_ptr<detail::WakerNode>> nodes_;
    std::size_t wakers_ = 0;
    bool sleeping_ = false;
    bool closed_ = false;
    const std::shared_ptr<Unparker> unparker_;
};

namespace detail {
inline constinit thread_local Inbox* current_inbox = nullptr;
}

}  // namespace starling
