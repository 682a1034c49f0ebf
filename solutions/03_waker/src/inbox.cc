#include <starling/inbox.hh>
#include <starling/waker.hh>

namespace starling {

using detail::WakerNode;

namespace {

/// What head_ points to when the inbox is closed: an address that no node has. Never dereferenced.
WakerNode* closed_mark() noexcept {
    alignas(WakerNode) static char mark;
    return reinterpret_cast<WakerNode*>(&mark);
}

}  // namespace

void Inbox::push(WakerNode& node) noexcept {
    WakerNode* head = head_.load(std::memory_order_relaxed);
    do {
        if (head == closed_mark()) return node.drop_ref();
        node.next_ = head;
        // seq_cst: pairs with before_sleep; also publishes next_ to take_all's acquire.
    } while (!head_.compare_exchange_weak(head, &node, std::memory_order_seq_cst,
                                          std::memory_order_relaxed));
    if (unparker_ == nullptr) return;
    if (sleeping_.load(std::memory_order_seq_cst) &&
        sleeping_.exchange(false, std::memory_order_relaxed)) {  // One unpark per sleep is enough.
        unparker_->unpark();
    }
}

WakerNode* Inbox::take_all(WakerNode* replacement) noexcept {
    // acquire: pairs with push; makes the nodes' links visible.
    WakerNode* newest = head_.exchange(replacement, std::memory_order_acquire);
    if (newest == closed_mark()) return nullptr;
    WakerNode* oldest = nullptr;
    while (newest != nullptr) {
        WakerNode* next = std::exchange(newest->next_, oldest);
        oldest = std::exchange(newest, next);
    }
    return oldest;
}

std::size_t Inbox::drain() noexcept {
    WakerNode* head = head_.load(std::memory_order_relaxed);
    if (head == nullptr || head == closed_mark()) return 0;
    std::size_t count = 0;
    for (WakerNode* node = take_all(nullptr); node != nullptr; ++count) {
        post(*std::exchange(node, node->next_));
    }
    return count;
}

void Inbox::close() noexcept {
    for (WakerNode* node = take_all(closed_mark()); node != nullptr;) {
        std::exchange(node, node->next_)->drop_ref();
    }
}

}  // namespace starling
