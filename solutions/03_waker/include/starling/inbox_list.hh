// InboxList: any thread puts nodes in; the owner takes out all at once. No lock.
//
//     newest_ ──► C ──► B ──► A ──► null       next_ leads to the one that came before
//
//     newest_           meaning                moved on by
//     null              nothing is there       push → the node
//     a node            the list               push → the new node; drain → null
//     the closed mark   closed, for ever       nobody (close, from any of them)
//
// Nobody takes a single node out, so none can come back while somebody still looks at it (the ABA
// problem of Treiber's stack).
//
// Affinity: push and empty any thread, the rest owner shard. Source: Treiber's stack.
#pragma once

#include <atomic>
#include <utility>

namespace starling {

/// Linked through the nodes' own memory. Borrows: each node until it comes out.
/// \tparam Node has a `Node* next_`, which is the list's as long as the node is in it
/// \tparam Word an atomic Node*; tests put one there that lets "another thread" act between any two
/// accesses
/// \affinity as marked
template <class Node, class Word = std::atomic<Node*>>
class InboxList {
  public:
    /// Any thread. Seq_cst, for who looks next whether the owner sleeps. \return false if the list
    /// is closed: the node stays the caller's. Lock-free
    bool push(Node& node) noexcept {
        // BEGIN 3.5: clone and drop
        //| Put the node in front of the list. Other threads do the same now, and the owner takes the
        //| list out or closes it: nobody loses a node. The step that publishes the node is seq_cst.
        //| A list that is closed stays `closed_mark()`.
        //= return todo_soft("3.5", "InboxList::push", false);
        Node* newest = newest_.load(std::memory_order_relaxed);
        do {
            if (newest == closed_mark()) return false;
            node.next_ = newest;
            // It also publishes next_ to the acquire in drain and close.
        } while (!newest_.compare_exchange_weak(newest, &node, std::memory_order_seq_cst,
                                                std::memory_order_relaxed));
        return true;
        // END 3.5
    }

    /// Any thread. Whether nothing has arrived; a closed one says no. O(1).
    bool empty() const noexcept { return newest_.load(std::memory_order_seq_cst) == nullptr; }

    /// Owner: gives `f` each node that has arrived, oldest first. `f` may free it.
    template <class F>
    void drain(F f) noexcept {
        if (none(newest_.load(std::memory_order_relaxed))) return;
        // BEGIN 3.5: clone and drop
        //| Take out what there is, and see what push has written (acquire); other threads go on
        //| pushing meanwhile. Then `oldest_first`.
        //= return todo_soft("3.5", "InboxList::drain");
        oldest_first(newest_.exchange(nullptr, std::memory_order_acquire), f);
        // END 3.5
    }

    /// Owner: the same, for the last time.
    template <class F>
    void close(F f) noexcept {
        Node* newest = newest_.exchange(closed_mark(), std::memory_order_acquire);
        if (!none(newest)) oldest_first(newest, f);
    }

  private:
    /// An address that no node has. Never dereferenced.
    Node* closed_mark() noexcept { return reinterpret_cast<Node*>(this); }
    bool none(const Node* list) noexcept { return list == nullptr || list == closed_mark(); }
    template <class F>
    static void oldest_first(Node* newest, F f) noexcept {
        // BEGIN 3.5: clone and drop
        //| Call `f(node)` for each node of a list that was taken out, the oldest first. The node may
        //| be gone, or in a list again, behind that call.
        //= return todo_soft("3.5", "InboxList::oldest_first");
        Node* oldest = nullptr;
        while (newest != nullptr) {
            Node* next = std::exchange(newest->next_, oldest);
            oldest = std::exchange(newest, next);
        }
        while (oldest != nullptr) f(*std::exchange(oldest, oldest->next_));
        // END 3.5
    }

    Word newest_{nullptr};
};

}  // namespace starling
