#include <starling/waker.hh>

namespace starling {

using detail::WakerNode;

void Inbox::push(WakerNode& node) noexcept {
    if (!list_.push(node)) return node.drop_ref();
    if (unparker_ == nullptr) return;
    // The load pairs with before_sleep's store. The exchange publishes nothing: one unpark per
    // sleep is enough, and it decides whose.
    if (sleeping_.load(std::memory_order_seq_cst) &&
        sleeping_.exchange(false, std::memory_order_relaxed)) {
        unparker_->unpark();
    }
}

void Inbox::drain() noexcept {
    list_.drain([](WakerNode& node) { post(node); });
}

void Inbox::close() noexcept {
    list_.close([](WakerNode& node) { node.drop_ref(); });
}

}  // namespace starling
