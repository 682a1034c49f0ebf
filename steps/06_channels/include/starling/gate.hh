// Gate: counts what is under way, refuses newcomers once it is closed, and says when the last has
// left.
//
//     auto inside = gate.hold();        in every piece of work
//     co_await gate.close();            in whoever wants to take things down
//
// Affinity: owner shard. Source: Seastar's gate.
#pragma once

#include <cassert>
#include <cstddef>
#include <memory>
#include <starling/waiter.hh>
#include <stdexcept>

namespace starling {

/// Somebody came when the gate was closed.
class GateClosed : public std::runtime_error {
  public:
    GateClosed() : std::runtime_error("the gate is closed") {}
};

/// Outlives those inside and those who wait. \affinity owner shard
class Gate {
    struct Leave {  // What a holder does when it goes.
        void operator()(Gate* gate) const noexcept { gate->leave(); }
    };

  public:
    /// Waits until everybody has left. \affinity owner shard
    class [[nodiscard]] CloseOperation : public Waiter<CloseOperation> {
      public:
        /// For `Gate::close`. The gate stays open until this is awaited.
        explicit CloseOperation(Gate& gate) noexcept : gate_(gate) {}
        /// Closes the gate. Whether nobody is inside.
        bool ready() noexcept {
            renew();
            gate_.closed_ = true;
            return try_now();
        }

        /// As Waiter asks: whether nobody is inside.
        bool try_now() const noexcept { return gate_.count_ == 0; }
        /// Where those wait who have closed the gate.
        Line& line() noexcept { return gate_.line_; }

      private:
        Gate& gate_;  // Borrows: it outlives those who wait.
    };
    /// Being inside, as an object. Move-only; the gate outlives it.
    using Holder = std::unique_ptr<Gate, Leave>;

    /// Enters, and leaves when the holder goes. \throws GateClosed
    [[nodiscard]] Holder hold() {
        enter();
        return Holder(this);
    }
    /// One more is inside. \throws GateClosed
    void enter() {
        if (closed_) throw GateClosed();
        ++count_;
    }
    /// One less is inside. \pre one `enter` for each
    void leave() noexcept {
        assert(count_ > 0 && "left a gate more often than it was entered");
        if (--count_ == 0) CloseOperation::serve(line_);
    }

    /// Refuses newcomers from the await on, for good, and waits until everybody has left. A stop
    /// ends only the waiting. `co_await gate.close();` \throws Cancelled if the task is stopped
    CloseOperation close() noexcept { return CloseOperation(*this); }

    /// Whether newcomers are refused.
    bool closed() const noexcept { return closed_; }
    /// How many are inside.
    std::size_t count() const noexcept { return count_; }

  private:
    std::size_t count_ = 0;
    bool closed_ = false;
    CloseOperation::Line line_;
};

}  // namespace starling
