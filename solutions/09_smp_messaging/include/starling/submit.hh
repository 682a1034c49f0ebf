// submit_to: runs a function on another shard, and brings the result back.
//
//     shard 0                                   shard 1
//     int n = co_await submit_to(1, f);
//         start ───────── request ────────────► f() … maybe a whole task …
//                                               result into the operation
//         go on ◄──────── the same message ──── reply
//
// The message is part of the operation, which lives in the caller's coroutine frame: a round trip
// allocates nothing, and `f` may refer to the caller's locals, because the caller waits, whatever
// happens. A stop of the caller is passed on: a request still in line is withdrawn; a task that
// runs on the other shard is asked to stop, by a second message; and then the caller waits for what
// is left.
//
// Affinity: owner shard, except that `f` and its result are made on the other one.
#pragma once

#include <optional>
#include <starling/mailbox.hh>
#include <starling/task.hh>

namespace starling {
namespace detail {

/// What calling an F gives: the result.
template <class F>
struct Call {
    using Op = Unit;
    using Result = std::invoke_result_t<F&>;
};
/// Or something that has to be awaited first, as an operation.
template <class F>
    requires requires(F& f) { as_operation(f()); }
struct Call<F> {
    using Op = decltype(as_operation(std::declval<F&>()()));
    using Result = OperationResult<Op>;
};

}  // namespace detail

/// What `submit_to` returns. Awaited, it is `f()`, or what awaiting `f()` gives. \affinity owner
/// shard
template <class F>
class [[nodiscard]] SubmitOperation final : private Message {
    using Op = typename detail::Call<F>::Op;
    using T = typename detail::Call<F>::Result;
    static constexpr bool kPlain = std::is_same_v<Op, Unit>;

  public:
    /// \pre shard < the number of shards
    SubmitOperation(Mailbox& home, unsigned shard, F f)
        : f_(std::move(f)), mailbox_(&home), shard_(shard) {}

    // An operation.
    /// Never: it has to go through a queue, also on this very shard.
    bool ready() const noexcept { return false; }
    /// Sends it off. \pre c runs on the shard that made this
    void start([[maybe_unused]] Continuation& c) {
        stop_.submit = this;
        if constexpr (!kPlain) {
            there_.task.inherit(c.context());
            set_context(&there_.task);
        }
        // BEGIN 9.3: submit_to
        //| Remember who waits, send this message to `shard_`, and have c's context, if it has one, stop this
        //| (`stop_`; a plain function only while it is in line: under way, a stop can do nothing any
        //| more). The stop may have come already: then `link` calls `stop_` at once. `under_way_` counts
        //| messages that have to come home before `c` may go on.
        //= todo("9.3", "SubmitOperation::start");
        waiter_ = &c;
        under_way_ = 1;
        const bool gone = mailbox_->send(shard_, *this);
        if (c.context() != nullptr && !(gone && kPlain)) c.context()->link(stop_);
        // END 9.3
    }
    /// Whether it was withdrawn in time, or stopped over there.
    bool stopped() const noexcept { return outcome_.stopped(); }
    /// \throws what `f`, or what it gave, has thrown; Cancelled
    T finish() { return outcome_.take(); }

  private:
    // At the target.

    void resume() noexcept override {
        // BEGIN 9.3: submit_to
        //| This shard is the target. What comes of a plain function (`kPlain`) is the outcome
        //| (`set_result_of`). Everything else is resumed twice, if it has to wait:
        //|   - first: make `op_` out of what `f_` gives (`as_operation`), and start it if it is not
        //|     ready. If this message's context was stopped before, the outcome is Cancelled instead;
        //|   - when it is ready, or is resumed again: its result (`finish`) is the outcome;
        //|   - whatever is thrown here, by `f_()` or by any of the others, is the outcome too;
        //|   - `op_` was made on this shard, so it ends on this shard, before the reply.
        //| Then reply. `mailbox_` is home's; here ask for this shard's: `mailbox("submit_to")`.
        //= return todo_soft("9.3", "SubmitOperation::resume");
        if constexpr (kPlain) {
            outcome_.set_result_of(f_);
        } else {
            try {
                if (!op_.has_value()) {
                    if (context()->stop_requested()) throw Cancelled{};
                    op_.emplace(as_operation(f_()));
                    if (!op_->ready()) return op_->start(*this);
                }
                outcome_.set_result_of([this]() -> T { return op_->finish(); });
            } catch (...) {
                outcome_.set_current_exception();
            }
            op_.reset();
        }
        mailbox("submit_to").reply(*this);
        // END 9.3
    }

    // At home.

    bool returned() noexcept override {
        // BEGIN 9.3: submit_to
        //| This shard is home again. When the last message of this operation is back: no stop concerns
        //| it any more (`stop_`), and the waiter goes on. Soon, not inside this call. Whether it was the
        //| last: then the credit is free.
        //= return todo_soft("9.3", "SubmitOperation::returned", true);
        if (--under_way_ > 0) return false;
        stop_.unlink();
        post(*waiter_);
        return true;
        // END 9.3
    }
    /// The caller is asked to stop.
    struct Stop : StopNode {
        Stop()
            : StopNode(
                  [](StopNode& node) noexcept { static_cast<Stop&>(node).submit->on_stop(); }) {}
        SubmitOperation* submit = nullptr;  // Borrows: it contains this.
    };
    void on_stop() noexcept {
        if (mailbox_->withdraw(*this)) {
            outcome_.set_stopped();
            returned();
        } else if constexpr (!kPlain) {
            there_.submit = this;
            ++under_way_;
            mailbox_->follow(*this, there_);
        }
    }

    /// The context of a task over there, and the message that asks it to stop, which follows the
    /// request and comes back too.
    struct There final : Message {
        There() = default;
        There(There&&) noexcept {}  // Before the start there is nothing in it.
        void resume() noexcept override {
            task.request_stop();
            mailbox("submit_to").reply(*this);
        }
        bool returned() noexcept override { return submit->returned(); }

        Context task;
        SubmitOperation* submit = nullptr;  // Borrows: it contains this.
    };

    // What the target touches comes first, close to the message: it travels. The rest stays at
    // home, on cache lines of its own (BM_SubmitTo_InFlight/128: 39 ns instead of 54).
    F f_;
    Outcome<T> outcome_;
    std::optional<Op> op_;
    Mailbox* mailbox_;  // Borrows: home's.
    unsigned shard_;
    unsigned under_way_ = 0;
    Continuation* waiter_ = nullptr;  // Borrows: it owns this operation.
    Stop stop_;
    [[no_unique_address]] std::conditional_t<kPlain, Unit, There> there_;
};

/// Calls `f` on shard `shard` and brings back what it returns or throws. `f` may return a value,
/// void, a Task, a Future, or any operation; a task runs over there in a context of its own, with
/// the caller's name and priority. `f` is destroyed here, its result is made there and moved here:
/// neither may own what only one shard may touch (see ForeignPtr). The caller goes on here.
///
/// A stop of the caller withdraws a request that still waits for credit, asks a task that runs over
/// there to stop, and waits until it has: `f` may always refer to the caller's locals.
///
/// A request has its credit (`queue_size`) until its answer is home. Tasks that ask the shard back
/// that has sent them need one of its credits: if all of both sides have gone to such tasks, they
/// wait for each other until some are stopped. Let fewer of them go at a time (Semaphore).
/// \pre shard < shard_count(). \throws std::logic_error outside of a shard
template <class F>
SubmitOperation<std::decay_t<F>> submit_to(unsigned shard, F&& f) {
    return {mailbox("submit_to"), shard, std::forward<F>(f)};
}

}  // namespace starling
