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
#include <starling/waiter.hh>
#include <stdexcept>

namespace starling {

/// Somebody came when the gate was closed.
class GateClosed : public std::runtime_error {
  public:
    GateClosed() : std::runtime_error("the gate is closed") {}
};

/// \affinity owner shard
class Gate {
  public:
    /// Being inside, as an object. Move-only. \affinity owner shard
    class [[nodiscard]] Holder {
      public:
        explicit Holder(Gate& gate) : gate_(&gate) { gate.enter(); }
        Holder(Holder&& other) noexcept : gate_(std::exchange(other.gate_, nullptr)) {}
        Holder& operator=(Holder&&) = delete;
        ~Holder() {
            if (gate_ != nullptr) gate_->leave();
        }

      private:
        Gate* gate_;  // Borrows: it outlives those inside.
    };

    /// Waits until everybody has left.
    class CloseOperation : public Waiter {
      public:
        explicit CloseOperation(Gate& gate) noexcept : gate_(gate) {}
        CloseOperation(CloseOperation&&) noexcept = default;
        ~CloseOperation() { abandon(); }

        bool ready() noexcept {
            gate_.closed_ = true;
            return gate_.count_ == 0;
        }
        void start(Continuation& c) noexcept {
            if (ready()) return post(c);
            wait_in(gate_.closing_, c);
        }
        void finish() const {
            if (stopped()) throw Cancelled{};
        }

      private:
        Gate& gate_;  // Borrows: it outlives those who wait.
    };

    /// \throws GateClosed
    void enter() {
        if (!try_enter()) throw GateClosed();
    }
    bool try_enter() noexcept {
        if (!closed_) ++count_;
        return !closed_;
    }
    /// \pre one `enter` for each
    void leave() noexcept {
        assert(count_ > 0 && "left a gate more often than it was entered");
        if (--count_ > 0) return;
        TrampolineScope nobody_runs;
        while (!closing_.empty()) closing_.front().grant();
    }
    /// Enters, and leaves when the holder goes. \throws GateClosed
    Holder hold() { return Holder(*this); }

    /// Refuses newcomers from the await on, for good, and waits until everybody has left. A stop
    /// ends only the waiting. `co_await gate.close();` \throws Cancelled if the task is stopped
    CloseOperation close() noexcept { return CloseOperation(*this); }

    bool closed() const noexcept { return closed_; }
    /// How many are inside.
    std::size_t count() const noexcept { return count_; }

  private:
    std::size_t count_ = 0;
    bool closed_ = false;
    WaitLine<CloseOperation> closing_;
};

}  // namespace starling
