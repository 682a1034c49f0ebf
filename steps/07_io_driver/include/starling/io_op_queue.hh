// IoOpQueue: operations that a driver keeps in order, linked through themselves.
//
// Affinity: owner shard.
#pragma once

#include <starling/io_request.hh>
#include <utility>

namespace starling {

/// First in, first out, through `IoOp::next`. \affinity owner shard
class IoOpQueue {
  public:
    bool empty() const noexcept { return head_ == nullptr; }
    void push(IoOp& op) noexcept {
        op.next = nullptr;
        (head_ == nullptr ? head_ : tail_->next) = &op;
        tail_ = &op;
    }
    /// \pre not empty
    IoOp& front() const noexcept { return *head_; }
    IoOp& pop() noexcept {
        IoOp& op = *head_;
        head_ = op.next;
        return op;
    }
    /// All of it; this is empty afterwards.
    IoOpQueue take_all() noexcept { return std::exchange(*this, {}); }

  private:
    IoOp* head_ = nullptr;  // Borrows: operations in flight.
    IoOp* tail_ = nullptr;  // Valid only while head_ is set.
};

}  // namespace starling
