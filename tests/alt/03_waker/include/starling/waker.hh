// A second implementation of waker.hh, to show that the layers above rely on its API alone.
//
// What differs: a mutex and three flags for the state, shared pointers for the counts.
#pragma once

#include <memory>
#include <mutex>
#include <starling/inbox.hh>
#include <starling/operation.hh>
#include <starling/wake_machine.hh>
#include <utility>

namespace starling {

namespace detail {

class WakerNode final : public Continuation, public std::enable_shared_from_this<WakerNode> {
  public:
    WakerNode(std::shared_ptr<Inbox> inbox, Continuation& target) noexcept
        : inbox_(std::move(inbox)), target_(&target) {}

    // Any thread.
    void wake() noexcept;
    Inbox& inbox() const noexcept { return *inbox_; }

    // Owner.
    static void deliver(std::shared_ptr<WakerNode> node) noexcept;
    void resume() noexcept override;
    bool finish_if_idle() noexcept;
    void finish() noexcept;

  private:
    mutable std::mutex mutex_;
    bool on_its_way_ = false;
    bool running_ = false;
    bool again_ = false;
    const std::shared_ptr<Inbox> inbox_;
    Continuation* target_;             // Null: done.
    std::shared_ptr<WakerNode> self_;  // While the run queue holds this.
};

}  // namespace detail

class Waker {
  public:
    Waker() = default;
    explicit Waker(std::shared_ptr<detail::WakerNode> node) : node_(std::move(node)) { count(1); }
    Waker(const Waker& other) noexcept : node_(other.node_) { count(1); }
    Waker(Waker&&) noexcept = default;
    Waker& operator=(Waker other) noexcept {
        node_.swap(other.node_);
        return *this;
    }
    ~Waker() { count(-1); }

    void wake() const noexcept {
        if (node_ != nullptr) node_->wake();
    }
    bool valid() const noexcept { return node_ != nullptr; }
    std::uint32_t use_count() const noexcept {
        return static_cast<std::uint32_t>(node_.use_count());
    }

  private:
    void count(int change) const noexcept {
        if (node_ != nullptr) node_->inbox().count_waker(change);
    }
    std::shared_ptr<detail::WakerNode> node_;
};

class Park final : private Continuation, private StopNode {
  public:
    explicit Park(std::shared_ptr<Inbox> inbox)
        : StopNode(&on_stop),
          node_(std::make_shared<detail::WakerNode>(std::move(inbox),
                                                    static_cast<Continuation&>(*this))) {}
    Park(const Park&) = delete;
    ~Park() { node_->finish(); }

    Waker waker() const { return Waker(node_); }

    bool ready() const noexcept { return woken_; }
    void start(Continuation& c) noexcept {
        if (woken_) return post(c);
        waiter_ = &c;
        node_->set_context(c.context());
        if (c.context() != nullptr) c.context()->link(*this);
    }
    bool stopped() const noexcept { return stopped_; }
    void finish() {
        unlink();
        if (stopped_) throw Cancelled{};
    }

  private:
    void resume() noexcept override {
        woken_ = true;
        node_->finish();
        if (waiter_ != nullptr) std::exchange(waiter_, nullptr)->resume();
    }
    static void on_stop(StopNode& node) noexcept {
        auto& self = static_cast<Park&>(node);
        if (!self.node_->finish_if_idle() && !self.stopped_) return;
        self.stopped_ = true;
        post(*std::exchange(self.waiter_, nullptr));
    }

    const std::shared_ptr<detail::WakerNode> node_;
    Continuation* waiter_ = nullptr;
    bool woken_ = false;
    bool stopped_ = false;
};

template <class F>
class WakeSlot final : private Continuation {
  public:
    WakeSlot(std::shared_ptr<Inbox> inbox, F f)
        : f_(std::move(f)),
          node_(std::make_shared<detail::WakerNode>(std::move(inbox),
                                                    static_cast<Continuation&>(*this))) {}
    WakeSlot(const WakeSlot&) = delete;
    ~WakeSlot() { node_->finish(); }

    Waker waker() const { return Waker(node_); }

  private:
    void resume() noexcept override { f_(); }
    F f_;
    const std::shared_ptr<detail::WakerNode> node_;
};

}  // namespace starling
