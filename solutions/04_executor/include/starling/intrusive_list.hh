// IntrusiveList: a doubly linked list threaded through its elements, for everything that waits in
// line and may leave the line at any moment.
//
//     list ──► a ──► b ──► c ──┐      a circle: the list itself is the link before the first and
//      ▲                       │      after the last, so that no operation has a special case
//      └───────────────────────┘
//
// An element leaves without knowing which list holds it: a task that ends needs no pointer to its
// executor, a timer none to its wheel, and nothing is allocated to wait. An element is in at most
// one list.
//
// Affinity: owner shard.
#pragma once

#include <cassert>
#include <utility>

namespace starling {

/// Derive from it (publicly) to be listed. \affinity owner shard
class ListLink {
  public:
    ListLink() = default;
    /// What is listed stays where it is; nothing is copied or assigned.
    ListLink([[maybe_unused]] ListLink&& other) noexcept { assert(!other.linked()); }
    ~ListLink() { assert(!linked() && "destroyed while a list held it"); }

    /// Whether a list holds it. O(1).
    bool linked() const noexcept { return next_ != nullptr; }
    /// Leaves its list. \pre linked(). O(1).
    void unlink() noexcept {
        assert(linked());
        next_->prev_ = prev_;
        prev_->next_ = next_;
        next_ = nullptr;
    }

  private:
    template <class>
    friend class IntrusiveList;
    ListLink* next_ = nullptr;  // Borrows: an element leaves before it goes. Null: in no list.
    ListLink* prev_ = nullptr;  // Valid only while next_ is set.
};

/// First in, first out, of T, which derives from ListLink. Does not own its elements. Stays where it
/// is, as they do.
/// \affinity owner shard
template <class T>
class IntrusiveList {
  public:
    IntrusiveList() noexcept { reset(); }
    /// Lets its elements go. O(elements).
    ~IntrusiveList() {
        while (!empty()) pop_front();
        head_.next_ = nullptr;
    }

    /// Whether it holds no element. O(1).
    bool empty() const noexcept { return head_.next_ == &head_; }

    /// The oldest. \pre not empty
    T& front() noexcept {
        assert(!empty());
        return static_cast<T&>(*head_.next_);
    }
    /// The first one, or null. For looking through the list. O(1).
    T* first() const noexcept { return empty() ? nullptr : static_cast<T*>(head_.next_); }
    /// The one behind `element`, or null. O(1).
    T* after(T& element) const noexcept {
        ListLink* next = static_cast<ListLink&>(element).next_;
        return next == &head_ ? nullptr : static_cast<T*>(next);
    }
    /// \pre `element` is in no list. O(1).
    void push_back(T& element) noexcept {
        ListLink& link = element;
        assert(!link.linked() && "put into two lists");
        insert(link, link, head_);
    }
    /// The same, at the other end. O(1).
    void push_front(T& element) noexcept {
        ListLink& link = element;
        assert(!link.linked() && "put into two lists");
        insert(link, link, *head_.next_);
    }
    /// Takes the oldest. \pre not empty. O(1).
    T& pop_front() noexcept {
        T& element = front();
        static_cast<ListLink&>(element).unlink();
        return element;
    }
    /// Appends all of `other`, which is empty afterwards. O(1).
    void splice_back(IntrusiveList& other) noexcept {
        if (other.empty()) return;
        insert(*other.head_.next_, *other.head_.prev_, head_);
        other.reset();
    }

  private:
    static void insert(ListLink& first, ListLink& last, ListLink& next) noexcept {
        first.prev_ = next.prev_;
        next.prev_->next_ = &first;
        last.next_ = &next;
        next.prev_ = &last;
    }
    void reset() noexcept { head_.next_ = head_.prev_ = &head_; }
    ListLink head_;
};

}  // namespace starling
