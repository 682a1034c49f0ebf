#include <array>
#include <starling/mailbox.hh>
#include <starling/todo.hh>

namespace starling {

Smp::Smp(unsigned shards, std::size_t credits) : endpoints_(shards) {
    assert(shards >= 1 && credits >= 1);
    for (unsigned i = 0; i < shards * shards; ++i) {
        lanes_.emplace_back(endpoints_[i % shards], credits);
    }
}

// A shard may stop serving only when no message can reach it any more, and it cannot tell that from
// its own state: an idle neighbour may be woken by a third. So all serve until all are done at
// once, and for that it is enough to count those who are not. Whoever has sent a message is busy
// until it is home again, and whoever receives one is busy before it answers: so the count cannot
// reach 0 while any message is under way or any shard has something to do, and at 0 nothing can
// bring anybody back to work.
void Smp::enter(Phase phase) noexcept {
    phase_.store(phase);
    for (Endpoint& endpoint : endpoints_) {
        if (endpoint.unparker != nullptr) endpoint.unparker->unpark();
    }
}

Mailbox::Mailbox(Smp& smp, unsigned shard, Executor& executor)
    : smp_(smp), here_(smp.endpoint(shard)), executor_(executor), shard_(shard) {
    for (unsigned peer = 0; peer < smp.shards(); ++peer) inbound_.push_back(&smp.lane(peer, shard));
    here_.unparker = executor.unparker();
    provide_service(executor.env(), this);
    executor.add_source(*this);
    set_busy(true);
}

Mailbox::~Mailbox() {
    set_busy(false);
    executor_.remove_source(*this);
    provide_service<Mailbox>(executor_.env(), nullptr);
}

bool Mailbox::send(unsigned to, Message& m) {
    assert(to < smp_.shards() && "there is no such shard");
    m.from_ = shard_;
    m.to_ = to;
    if (to == shard_) {
        ++outstanding_;
        executor_.schedule(m);
        return true;
    }
    Lane& lane = smp_.lane(shard_, to);
    if (lane.credits > 0) {
        stage(lane, m);
    } else {
        // BEGIN 9.5: back-pressure
        // No credit: the message waits in line.
        todo("9.5", "Mailbox::send");
        // END 9.5
    }
    ++outstanding_;
    return --lane.credits >= 0;
}

void Mailbox::follow(const Message& request, Message& m) noexcept {
    m.from_ = shard_;
    m.to_ = request.to_;
    ++outstanding_;
    if (m.to_ == shard_) return executor_.schedule(m);
    stage(smp_.lane(shard_, m.to_), m);
}

bool Mailbox::withdraw(Message& m) noexcept {
    Lane& lane = smp_.lane(shard_, m.to_);
    if (lane.credits >= 0) return false;  // Nobody waits.
    // BEGIN 9.5: back-pressure
    // Is `m` in the line? Then it leaves, and neither `credits` nor `outstanding_` counts it.
    return todo_soft("9.5", "Mailbox::withdraw", false);
    // END 9.5
}

void Mailbox::reply(Message& m) noexcept {
    if (m.from_ != shard_) return stage(smp_.lane(shard_, m.from_), m);
    --outstanding_;
    m.returned();
}

void Mailbox::stage(Lane& lane, Message& m) noexcept {
    // BEGIN 9.2: batches
    // Put `&m` into the ring; there is room, the credits see to that. Publish when kBatch messages
    // have come together. Until then the lane is in `unflushed_`, and this mailbox, a continuation
    // that flushes, in the executor's queue: it may be queued already, but never twice.
    return todo_soft("9.2", "Mailbox::stage");
    // END 9.2
}

void Mailbox::flush() noexcept {
    // BEGIN 9.2: batches
    // Publish every lane in `unflushed_` that has staged messages, and empty the list. A lane may be in
    // it twice.
    return todo_soft("9.2", "Mailbox::flush");
    // END 9.2
}

void Mailbox::publish(Lane& lane) noexcept {
    lane.ring.publish(std::memory_order_seq_cst);
    // BEGIN 9.4: sleep and wake without missing
    // Something was published for the shard behind `lane.to`. If it sleeps, wake it; several messages
    // need only one wake-up, and a shard that is awake none. Which memory order lets this look come
    // after the `publish` above for the other core, too?
    // END 9.4
}

void Mailbox::poll() noexcept {
    for (Lane* lane : inbound_) {
        // All of them are fetched from the other core's cache at once, not one after the other.
        // Their first line only: what lies behind it is often the sender's alone.
        std::array<Message*, kReceiveMax> batch;
        Message** end = batch.data();
        lane->ring.consume(kReceiveMax, [&](Message*&& m) {
            __builtin_prefetch(m, 1);
            *end++ = m;
        });
        if (end != batch.data()) set_busy(true);  // Before any of them is answered.
        for (Message** m = batch.data(); m != end; ++m) receive(**m);
    }
}

void Mailbox::receive(Message& m) noexcept {
    if (m.from_ != shard_) return executor_.schedule(m);
    Lane& lane = smp_.lane(shard_, m.to_);
    --outstanding_;
    if (!m.returned() || ++lane.credits > 0) return;  // Nobody has waited for it.
    // BEGIN 9.5: back-pressure
    // A request has come back, and somebody waits for its credit: hand it over, so that no newcomer
    // can take it.
    return todo_soft("9.5", "Mailbox::receive");
    // END 9.5
}

bool Mailbox::before_sleep() noexcept {
    // BEGIN 9.4: sleep and wake without missing
    // Say that this shard sleeps, then look whether a message has come in any inbound lane. Look at
    // nothing before you have said it; and which memory order makes "then" true for the other core,
    // too? Refuse also when something is still staged.
    return todo_soft("9.4", "Mailbox::before_sleep", false);
    // END 9.4
}

void Mailbox::set_busy(bool busy) noexcept {
    if (std::exchange(busy_, busy) != busy) smp_.count_busy(busy ? 1 : -1);
}

bool Mailbox::report_idle() noexcept {
    if (outstanding_ == 0) set_busy(false);
    return smp_.quiescent();
}

}  // namespace starling
