#include <starling/waker.hh>

namespace starling::detail {

void WakerNode::wake() noexcept {
    if (!machine_.wake()) return;
    // BEGIN 3.5: clone and drop
    //| It is ours to send. Its way is held by a reference of its own. On its own shard's thread
    //| (that of `current_inbox`) it goes straight into the run queue, otherwise through the inbox.
    //= return todo_soft("3.5", "WakerNode::wake");
    add_ref();
    if (inbox_.get() == current_inbox) return post(*this);
    inbox_->push(*this);
    // END 3.5
}

void WakerNode::resume() noexcept {
    // BEGIN 3.5: clone and drop
    //| Run the target if it is still there. Woken meanwhile: it goes back into the queue, with the
    //| reference of its way. Otherwise that reference ends here, perhaps as the last.
    //= return todo_soft("3.5", "WakerNode::resume");
    if (machine_.begin_run()) {
        target_->resume();
        if (machine_.end_run()) return post(*this);
    }
    drop_ref();
    // END 3.5
}

}  // namespace starling::detail
