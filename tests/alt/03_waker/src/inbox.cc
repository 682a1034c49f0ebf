#include <starling/waker.hh>

namespace starling {

void Inbox::push(std::shared_ptr<detail::WakerNode> node) noexcept {
    bool was_sleeping = false;
    {
        std::lock_guard lock(mutex_);
        if (closed_) return;
        nodes_.push_back(std::move(node));
        was_sleeping = std::exchange(sleeping_, false);
    }
    if (was_sleeping && unparker_ != nullptr) unparker_->unpark();
}

void Inbox::drain() noexcept {
    std::vector<std::shared_ptr<detail::WakerNode>> arrived;
    {
        std::lock_guard lock(mutex_);
        arrived.swap(nodes_);
    }
    for (auto& node : arrived) detail::WakerNode::deliver(std::move(node));
}

void Inbox::close() noexcept {
    std::vector<std::shared_ptr<detail::WakerNode>> dropped;
    std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(nodes_);
}

namespace detail {

void WakerNode::wake() noexcept {
    {
        std::lock_guard lock(mutex_);
        if (target_ == nullptr || on_its_way_) return;
        if (running_) {
            again_ = true;
            return;
        }
        on_its_way_ = true;
    }
    if (inbox_.get() == current_inbox) return deliver(shared_from_this());
    inbox_->push(shared_from_this());
}

void WakerNode::deliver(std::shared_ptr<WakerNode> node) noexcept {
    WakerNode& self = *node;
    self.self_ = std::move(node);
    post(self);
}

void WakerNode::resume() noexcept {
    const std::shared_ptr<WakerNode> self = std::move(self_);
    Continuation* target = nullptr;
    {
        std::lock_guard lock(mutex_);
        on_its_way_ = again_ = false;
        running_ = true;
        target = target_;
    }
    if (target != nullptr) target->resume();
    bool again = false;
    {
        std::lock_guard lock(mutex_);
        running_ = false;
        again = on_its_way_ = again_ && target_ != nullptr;
    }
    if (again) deliver(self);
}

bool WakerNode::finish_if_idle() noexcept {
    std::lock_guard lock(mutex_);
    if (target_ == nullptr || on_its_way_ || running_) return false;
    target_ = nullptr;
    return true;
}

void WakerNode::finish() noexcept {
    std::lock_guard lock(mutex_);
    target_ = nullptr;
    set_context(nullptr);
}

}  // namespace detail
}  // namespace starling
