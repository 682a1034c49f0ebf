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

template <class F>
void Inbox::take_all(WakerNode* replacement, F f) noexcept {
    // acquire: pairs with push; makes the nodes' links visible.
    WakerNode* newest = head_.exchange(replacement, std::memory_order_acquire);
    if (newest == closed_mark()) return;
    WakerNode* oldest = nullptr;
    while (newest != nullptr) {
        WakerNode* next = std::exchange(newest->next_, oldest);
        oldest = std::exchange(newest, next);
    }
    while (oldest != nullptr) f(*std::exchange(oldest, oldest->next_));
}

void Inbox::drain() noexcept {
    const WakerNode* head = head_.load(std::memory_order_relaxed);
    if (head == nullptr || head == closed_mark()) return;
    take_all(nullptr, [](WakerNode& node) { post(node); });
}

void Inbox::close() noexcept {
    take_all(closed_mark(), [](WakerNode& node) { node.drop_ref(); });
}

}  // namespace starling
