#include <starling/inbox.hh>
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

std::size_t Inbox::drain() noexcept {
    std::vector<std::shared_ptr<detail::WakerNode>> arrived;
    {
        std::lock_guard lock(mutex_);
        arrived.swap(nodes_);
    }
    for (auto& node : arrived) detail::WakerNode::deliver(std::move(node));
    return arrived.size();
}

void Inbox::close() noexcept {
    std::vector<std::shared_ptr<detail::WakerNode>> dropped;
    std::lock_guard lock(mutex_);
    closed_ = true;
    dropped.swap(nodes_);
}

}  // namespace starling
