// Context: what all code that runs on behalf of one task shares: its stop list, name and priority.
//
// A task's children run in the parent's context: awaiting a child copies one pointer. A branch of a
// combinator that may be stopped alone gets a context of its own, linked under the one around it:
//
//     Context "main" ──stop──► Context (branch 1)
//                    ──stop──► Context (branch 2)
//
// Affinity: owner shard.
#pragma once

#include <cstdint>
#include <starling/continuation.hh>
#include <starling/stop_token.hh>
#include <starling/todo.hh>

namespace starling {

/// Which run queue a task's continuations use (layer 04).
enum class Priority : std::uint8_t { high, normal, low };
/// How many there are: one queue each.
inline constexpr int kPriorities = 3;

/// What one task's code shares. \affinity owner shard
class Context : public StopSource {
  public:
    /// \param name a string that lives as long as this (a literal), for people who read reports
    explicit Context(const char* name = "", Priority priority = Priority::normal) noexcept
        : priority_(priority), name_(name) {}

    /// For people who read reports; never null.
    const char* name() const noexcept { return name_; }
    /// \param name a string that lives as long as this (a literal)
    void set_name(const char* name) noexcept { name_ = name; }
    /// The run queue of this task's continuations.
    Priority priority() const noexcept { return priority_; }
    /// Counts from the next time one of them is queued.
    void set_priority(Priority priority) noexcept { priority_ = priority; }
    /// Takes name and priority of the context around this one, which may be null.
    void inherit(const Context* outer) noexcept {
        if (outer == nullptr) return;
        name_ = outer->name_;
        priority_ = outer->priority_;
    }
    /// For those who only listen.
    StopToken stop_token() noexcept { return StopToken(*this); }

  private:
    Priority priority_;
    const char* name_;  // Borrows: a literal.
};

/// The context of one branch of a combinator: name and priority of the one around it, stopped with
/// it, and stoppable alone. \affinity owner shard
class BranchContext : public Context, private StopNode {
  public:
    BranchContext() : StopNode(&on_stop) {}

    /// Goes under `outer`, which may be null. Stops at once if `outer` is stopped.
    void link_under(Context* outer) noexcept {
        // BEGIN 2.7: whose stop is it?
        // Take over name and priority, and hear of outer's stop: a branch is a StopNode, so `link`
        // takes it.
        return todo_soft("2.7", "BranchContext::link_under");
        // END 2.7
    }
    /// Hears no more of the outer stop.
    using StopNode::unlink;

  private:
    static void on_stop(StopNode& node) noexcept {
        // BEGIN 2.7: whose stop is it?
        // The context around was stopped. `node` is the StopNode that a branch is: its own stop list
        // has to hear of it.
        return todo_soft("2.7", "BranchContext::on_stop");
        // END 2.7
    }
};

}  // namespace starling
