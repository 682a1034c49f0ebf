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
#include <starling/todo.hh>

namespace starling {
namespace detail {

/// R, or what awaiting an R gives.
template <class R>
struct Awaited {
    static constexpr bool kAsync = false;
    using Type = R;
    struct Op {};
};
template <class R>
requires requires(R r) { as_operation(std::move(r)); }
struct Awaited<R> {
    static constexpr bool kAsync = true;
    using Op = OperationOf<R>;
    using Type = OperationResult<Op>;
};

/// Calls `f` and puts what happens into `outcome`.
template <class T, class F>
void call_into(Outcome<T>& outcome, F&& f) noexcept {
    try {
        if constexpr (std::is_void_v<T>) {
            f();
            outcome.set_value();
        } else {
            outcome.set_value(f());
        }
    } catch (...) {
        outcome.set_current_exception();
    }
}

}  // namespace detail

/// What `submit_to` returns. Awaited, it is `f()`, or what awaiting `f()` gives. \affinity owner
/// shard
template <class F>
class [[nodiscard]] SubmitOperation : private StopNode, private Message {
    using Result = std::invoke_result_t<F&>;
    using Awaited = detail::Awaited<Result>;
    using T = typename Awaited::Type;

  public:
    SubmitOperation(Mailbox& home, unsigned shard, F f)
        : StopNode(&on_stop), f_(std::move(f)), mailbox_(&home), shard_(shard) {
        assert(shard < home.shards() && "there is no such shard");
    }

    /// A plain function for this very shard is called at once.
    bool ready() noexcept {
        if constexpr (!Awaited::kAsync) {
            if (shard_ != mailbox_->shard()) return false;
            detail::call_into(outcome_, f_);
            return true;
        }
        return false;
    }
    void start([[maybe_unused]] Continuation& c) {
        // BEGIN 9.3: submit_to
        // Remember who waits, send this message to `shard_`, and hear of a stop if `c` has a context.
        // `under_way_` counts messages that have to come home before `c` may go on.
        todo("9.3", "SubmitOperation::start");
        // END 9.3
    }
    bool stopped() const noexcept { return outcome_.stopped(); }
    T finish() { return outcome_.take(); }

  private:
    // At the target.

    void resume() noexcept override {
        // BEGIN 9.3: submit_to
        // This shard is the target. A plain function: have `outcome_` hold what `f_()` returns or
        // throws (`call_into`), and reply. A function that returns something to await: `begin_there`
        // the first time, `end_there` when it is over.
        return todo_soft("9.3", "SubmitOperation::resume");
        // END 9.3
    }
    void begin_there() noexcept {
        try {
            if (there_.context.stop_requested()) throw Cancelled{};
            there_.op.emplace(as_operation(f_()));
            if (there_.op->ready()) return end_there();
            return there_.op->start(*this);
        } catch (...) {
            outcome_.set_current_exception();
        }
        there_.op.reset();
        mailbox("submit_to").reply(*this);
    }
    void end_there() noexcept {
        // BEGIN 9.3: submit_to
        // The operation `there_.op` is over: its result belongs into `outcome_`, or `set_stopped`.
        // It was made on this shard, so it ends on this shard, before the reply.
        return todo_soft("9.3", "SubmitOperation::end_there");
        // END 9.3
    }

    // At home.

    void returned() noexcept override {
        // BEGIN 9.3: submit_to
        // This shard is home again. When the last message of this operation is back: no stop concerns
        // it any more, and the waiter goes on. Soon, not inside this call.
        return todo_soft("9.3", "SubmitOperation::returned");
        // END 9.3
    }
    static void on_stop(StopNode& node) noexcept {
        auto& self = static_cast<SubmitOperation&>(node);
        if (self.mailbox_->withdraw(self)) {
            self.outcome_.set_stopped();
            return post(*self.waiter_);
        }
        if constexpr (Awaited::kAsync) {
            self.there_.stop.submit = &self;
            ++self.under_way_;
            self.mailbox_->send(self.shard_, self.there_.stop);
        }
    }

    /// Follows its request, asks what runs there to stop, and comes back too.
    struct StopMessage final : Message {
        void resume() noexcept override {
            submit->there_.context.request_stop();
            mailbox("submit_to").reply(*this);
        }
        void returned() noexcept override { submit->returned(); }
        SubmitOperation* submit = nullptr;  // Borrows: it contains this.
    };
    /// The context of what runs at the target; its name and priority come from home.
    struct RemoteContext : Context {
        RemoteContext* inherit(const Context* home) noexcept {
            if (home == nullptr) return this;
            set_name(home->name());
            set_priority(home->priority());
            return this;
        }
    };
    struct There {
        There() = default;
        There(There&&) noexcept {}  // Before the start there is nothing in it.
        RemoteContext context;
        std::optional<typename Awaited::Op> op;
        StopMessage stop;
    };
    struct Nothing {};

    // What the target touches comes first, close to the message: it travels.
    F f_;
    Outcome<T> outcome_;
    Mailbox* mailbox_;  // Borrows: home's.
    unsigned shard_;
    unsigned under_way_ = 0;
    Continuation* waiter_ = nullptr;  // Borrows: it owns this operation.
    [[no_unique_address]] std::conditional_t<Awaited::kAsync, There, Nothing> there_;
};

/// Calls `f` on shard `shard` and brings back what it returns or throws. `f` may return a value,
/// void, a Task, a Future, or any operation; a task runs over there in a context of its own, with
/// the caller's name and priority. `f` is destroyed here, its result is made there and moved here:
/// neither may own what only one shard may touch (see ForeignPtr). The caller goes on here.
///
/// A stop of the caller withdraws a request that still waits for credit, asks a task that runs over
/// there to stop, and waits until it has: `f` may always refer to the caller's locals.
/// \pre shard < shard_count(). \throws std::logic_error outside of a shard
template <class F>
SubmitOperation<std::decay_t<F>> submit_to(unsigned shard, F&& f) {
    return {mailbox("submit_to"), shard, std::forward<F>(f)};
}

}  // namespace starling
