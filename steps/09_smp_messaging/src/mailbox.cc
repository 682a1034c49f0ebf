#include <array>
#include <starling/mailbox.hh>
#include <starling/todo.hh>

namespace starling {

Smp::Smp(unsigned shards, std::size_t credits) : endpoints_(shards) {
    assert(shards >= 1 && credits >= 1);
    for (unsigned i = 0; i < shards * shards; ++i) {
        const bool to_oneself = i / shards == i % shards;
        lanes_.push_back(to_oneself ? nullptr
                                    : std::make_unique<Lane>(endpoints_[i % shards], credits));
    }
}

void Smp::enter(Phase phase) noexcept {
    if (phase_.exchange(phase) == phase) return;
    for (Endpoint& endpoint : endpoints_) {
        if (endpoint.unparker != nullptr) endpoint.unparker->unpark();
    }
}

// A shard may stop serving only when no message can reach it any more, and it cannot tell that from
// its own state: an idle neighbour may be woken by a third. So all serve until all are done at
// once. Whoever is idle has nothing outstanding: all that it sent has come home. But not all are
// seen at the same moment, so the looks are enclosed by two others. If nobody received anything in
// between, then whoever was seen idle still was when the last was seen, and nothing wakes any of
// them.
//
// acquire, all of it: pairs with the owners' release. Between X, seen idle, and Y, seen idle later,
// Y may have had X do something. Its message came home before Y was idle, so who sees that also
// sees that X received it.
bool Smp::check_quiescent() noexcept {
    auto received = [this] {
        std::uint64_t sum = 0;
        for (Endpoint& e : endpoints_) sum += e.received.load(std::memory_order_acquire);
        return sum;
    };
    const std::uint64_t before = received();
    for (Endpoint& e : endpoints_) {
        if (!e.idle.load(std::memory_order_acquire)) return false;
    }
    if (received() != before) return false;
    enter(Phase::over);
    return true;
}

Mailbox::Mailbox(Smp& smp, unsigned shard, Executor& executor)
    : smp_(smp), here_(smp.endpoint(shard)), executor_(executor), shard_(shard) {
    for (unsigned peer = 0; peer < smp.shards(); ++peer) {
        if (peer != shard) inbound_.push_back(&smp.lane(peer, shard));
    }
    here_.unparker = executor.unparker();
    here_.idle.store(false);
    provide_service(executor.env(), this);
    executor.add_source(*this);
}

Mailbox::~Mailbox() {
    here_.idle.store(true);
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

bool Mailbox::withdraw(Message& m) noexcept {
    if (m.to_ == shard_ || smp_.lane(shard_, m.to_).credits >= 0) return false;  // Nobody waits.
    // BEGIN 9.5: back-pressure
    // Is `m` in the line? Then it leaves, and neither `credits` nor `outstanding_` counts it.
    return todo_soft("9.5", "Mailbox::withdraw", false);
    // END 9.5
}

void Mailbox::move_line_on([[maybe_unused]] Lane& lane) noexcept {
    // BEGIN 9.5: back-pressure
    // A request has come back, and somebody waits for its credit: hand it over, so that no newcomer
    // can take it.
    return todo_soft("9.5", "Mailbox::move_line_on");
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
    // that flushes, in the executor's queue.
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
    const std::uint64_t before = received_;
    for (Lane* lane : inbound_) {
        // All of them are fetched from the other core's cache at once, not one after the other.
        std::array<Message*, kReceiveMax> batch;
        Message** end = batch.data();
        received_ += lane->ring.consume(kReceiveMax, [&](Message*&& m) {
            __builtin_prefetch(m, 1);
            __builtin_prefetch(reinterpret_cast<char*>(m) + kCacheLineBytes, 1);
            *end++ = m;
        });
        for (Message** m = batch.data(); m != end; ++m) receive(**m);
    }
    if (received_ == before) return;
    // release, both: pair with check_quiescent. No longer idle before they count as received.
    here_.idle.store(false, std::memory_order_release);
    here_.received.store(received_, std::memory_order_release);
}

void Mailbox::receive(Message& m) noexcept {
    if (m.from_ != shard_) return executor_.schedule(m);
    Lane& lane = smp_.lane(shard_, m.to_);
    if (++lane.credits <= 0) move_line_on(lane);
    --outstanding_;
    m.returned();
}

bool Mailbox::before_sleep() noexcept {
    // BEGIN 9.4: sleep and wake without missing
    // Say that this shard sleeps, then look whether a message has come in any inbound lane. Look at
    // nothing before you have said it; and which memory order makes "then" true for the other core,
    // too? Refuse also when something is still staged.
    return todo_soft("9.4", "Mailbox::before_sleep", false);
    // END 9.4
}

bool Mailbox::report_idle() noexcept {
    if (outstanding_ > 0 || !unflushed_.empty()) return false;
    here_.idle.store(true, std::memory_order_release);  // Pairs with check_quiescent.
    return smp_.check_quiescent();
}

}  // namespace starling
