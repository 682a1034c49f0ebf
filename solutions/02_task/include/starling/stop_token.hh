// StopSource, StopToken, StopCallback: asking work to end, and hearing of it.
//
//     StopSource ──► StopCallback ──► StopCallback ──► …      each callback runs at most once
//
// A source is a flag and a list of callbacks threaded through the callbacks' own memory, so
// registering costs two pointer writes and nothing is allocated. Stopping is a request: whoever
// waits ends early in its own time, and an operation still reports when it has really ended.
//
//     link_        meaning                           who moves it on
//     null         in no list                        StopSource::link
//     not null     listed; it points to the pointer  unlink; request_stop (which then calls it);
//                  that points here                  the source's or the node's destructor
//
// Invariant: once `request_stop` was called the flag stays set; a callback registered later runs at
// once. A callback may unregister itself or any other, and may destroy anything but the source.
//
// Affinity: owner shard. Like std::stop_source, but without atomics, locks or allocations.
#pragma once

#include <cassert>
#include <starling/continuation.hh>
#include <utility>

namespace starling {

class StopSource;

/// A callback's place in a source's list. Operations derive from it or hold one.
/// \affinity owner shard
class StopNode {
  public:
    using Function = void (*)(StopNode& self) noexcept;  ///< Gets the node that was called.

    /// In no list yet.
    explicit StopNode(Function function) noexcept : function_(function) {}
    /// An operation may be moved until it is started.
    StopNode(StopNode&& other) noexcept : function_(other.function_) { assert(!other.linked()); }
    StopNode& operator=(const StopNode&) = delete;
    ~StopNode() { unlink(); }

    /// Is not called any more. Idempotent. O(1).
    void unlink() noexcept {
        if (link_ == nullptr) return;
        *link_ = next_;
        if (next_ != nullptr) next_->link_ = link_;
        link_ = nullptr;
    }
    /// Whether a source may still call it.
    bool linked() const noexcept { return link_ != nullptr; }

  private:
    friend class StopSource;
    Function function_;
    StopNode** link_ = nullptr;  // Borrows: the pointer that points here; null: in no list.
    StopNode* next_ = nullptr;
};

/// Where a stop is requested. Stays where it is: nodes point into it.
/// \affinity owner shard
class StopSource {
  public:
    StopSource() = default;
    StopSource(const StopSource&) = delete;
    StopSource& operator=(const StopSource&) = delete;
    ~StopSource() {
        while (head_ != nullptr) head_->unlink();
    }

    /// Whether `request_stop` was called.
    bool stop_requested() const noexcept { return requested_; }

    /// Sets the flag and runs every callback, newest first, on this thread before it returns.
    /// \return whether this was the first request. O(callbacks).
    bool request_stop() noexcept {
        if (std::exchange(requested_, true)) return false;
        TrampolineScope scope;  // Whoever is posted runs, and may destroy this, after the loop.
        while (head_ != nullptr) {
            StopNode& node = *head_;
            node.unlink();
            node.function_(node);
        }
        return true;
    }

    /// Has `node` called on a request, at once if there was one. \pre `node` is in no list. O(1).
    void link(StopNode& node) noexcept {
        assert(!node.linked());
        if (requested_) return node.function_(node);
        node.next_ = head_;
        if (head_ != nullptr) head_->link_ = &node.next_;
        node.link_ = &head_;
        head_ = &node;
    }

  private:
    StopNode* head_ = nullptr;  // Borrows: a node leaves the list in its destructor.
    bool requested_ = false;
};

/// A view of a source for those who only listen. A default one never asks for a stop.
/// \affinity owner shard
class StopToken {
  public:
    StopToken() = default;
    /// \param source outlives this
    explicit StopToken(StopSource& source) noexcept : source_(&source) {}

    /// Whether a stop was requested.
    bool stop_requested() const noexcept { return source_ != nullptr && source_->stop_requested(); }
    /// Has `node` called on a request, at once if there was one. \pre `node` is in no list. O(1).
    void link(StopNode& node) const noexcept {
        if (source_ != nullptr) source_->link(node);
    }

  private:
    StopSource* source_ = nullptr;  // Borrows: the source outlives its tokens.
};

/// Calls `F` when a stop is requested, for as long as this lives. `F` must not throw.
/// \affinity owner shard
template <class F>
class [[nodiscard]] StopCallback : private StopNode {
  public:
    /// Calls `f` at once if there was a request already.
    StopCallback(StopToken token, F f) : StopNode(&call), f_(std::move(f)) { token.link(*this); }
    StopCallback(const StopCallback&) = delete;

  private:
    static void call(StopNode& self) noexcept { static_cast<StopCallback&>(self).f_(); }
    F f_;
};

}  // namespace starling
