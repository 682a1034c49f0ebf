#include <array>
#include <starling/mailbox.hh>

namespace starling {

Endpoint::Endpoint() = default;
Endpoint::~Endpoint() = default;

Smp::Smp(unsigned shards, std::size_t credits) : credits_(credits), endpoints_(shards) {
    assert(shards >= 1 && credits >= 1);
}
Smp::~Smp() = default;

void Smp::wake_all() noexcept {
    for (Endpoint& endpoint : endpoints_) {
        if (endpoint.unparker != nullptr) endpoint.unparker->unpark();
    }
}

void Smp::close() noexcept {
    closing_.store(true);
    wake_all();
}

// The order is the point, and every access is seq_cst, so that "then" means the same to all.
bool Smp::check_quiescent() noexcept {
    std::uint64_t received = 0;
    for (Endpoint& endpoint : endpoints_) received += endpoint.received.load();
    for (Endpoint& endpoint : endpoints_) {
        if (!endpoint.idle.load()) return false;
    }
    std::uint64_t sent = 0;
    for (Endpoint& endpoint : endpoints_) sent += endpoint.sent.load();
    if (received != sent) return false;
    // release: pairs with quiescent(); whoever leaves has seen everybody's last work.
    if (!quiescent_.exchange(true, std::memory_order_acq_rel)) wake_all();
    return true;
}

Mailbox::Mailbox(Smp& smp, unsigned shard, Executor& executor)
    : smp_(smp), here_(smp.endpoint(shard)), executor_(executor), shard_(shard) {
    here_.lanes.resize(smp.shards());
    here_.unparker = executor.unparker();
    provide_service(executor.env(), this);
    executor.add_source(*this);
}

Mailbox::~Mailbox() {
    executor_.remove_source(*this);
    provide_service<Mailbox>(executor_.env(), nullptr);
}

Lane& Mailbox::lane_to(unsigned shard) {
    assert(shard < shards() && shard != shard_);
    std::unique_ptr<Lane>& slot = here_.lanes[shard];
    if (slot == nullptr) [[unlikely]] {
        slot.reset(new Lane(smp_.endpoint(shard), smp_.credits()));
        Lane* head = slot->to_.new_lanes.load(std::memory_order_relaxed);
        do {
            slot->next_new_ = head;
            // seq_cst: comes before the sleeping flag is looked at, like the publish that follows.
        } while (!slot->to_.new_lanes.compare_exchange_weak(
            head, slot.get(), std::memory_order_seq_cst, std::memory_order_relaxed));
    }
    return *slot;
}

void Mailbox::adopt_new_lanes() noexcept {
    // acquire: pairs with lane_to; makes the lane itself visible.
    Lane* lane = here_.new_lanes.exchange(nullptr, std::memory_order_acquire);
    for (; lane != nullptr; lane = lane->next_new_) inbound_.push_back(lane);
}

bool Mailbox::has_credit(unsigned to) const noexcept {
    return here_.lanes[to] == nullptr || here_.lanes[to]->credits_ > 0;
}

bool Mailbox::send(unsigned to, Message& m) {
    m.from_ = shard_;
    m.to_ = to;
    if (to == shard_) {
        ++outstanding_;
        executor_.schedule(m);
        return true;
    }
    Lane& lane = lane_to(to);
    if (lane.credits_ > 0) {
        --lane.credits_;
        ++outstanding_;
        stage(lane, m);
        return true;
    }
    // BEGIN 9.5: back-pressure
    //| No credit: the message waits in line.
    //= todo("9.5", "Mailbox::send");
    lane.line_.push_back(m);
    // END 9.5
    ++lane.waiting_;
    ++outstanding_;
    return false;
}

bool Mailbox::withdraw(Message& m) noexcept {
    if (m.to_ == shard_ || here_.lanes[m.to_]->waiting_ == 0) return false;
    Lane& lane = *here_.lanes[m.to_];
    // BEGIN 9.5: back-pressure
    //| Is `m` in the line? Then it leaves, and neither `waiting_` nor `outstanding_` counts it.
    //= return todo_soft("9.5", "Mailbox::withdraw", false);
    if (!m.linked()) return false;
    m.unlink();
    --lane.waiting_;
    --outstanding_;
    return true;
    // END 9.5
}

void Mailbox::move_line_on([[maybe_unused]] Lane& lane) noexcept {
    // BEGIN 9.5: back-pressure
    //| A request has come back, and somebody waits for its credit: hand it over, so that no newcomer
    //| can take it. The message that leaves the line is told (`departed`) after it was staged.
    //= return todo_soft("9.5", "Mailbox::move_line_on");
    Message& m = lane.line_.pop_front();
    --lane.waiting_;
    stage(lane, m);
    m.departed();
    // END 9.5
}

void Mailbox::reply(Message& m) noexcept {
    if (m.from_ != shard_) return stage(lane_to(m.from_), m);
    --outstanding_;
    m.returned();
}

void Mailbox::stage(Lane& lane, Message& m) noexcept {
    ++sent_;
    if (!std::exchange(lane.unflushed_, true)) {
        if (unflushed_.empty()) executor_.schedule(flusher_);
        unflushed_.push_back(&lane);
    }
    // BEGIN 9.2: batches
    //| Put `&m` into the ring; there is room, the credits see to that. Publish when kBatch messages
    //| have come together.
    //= return todo_soft("9.2", "Mailbox::stage");
    [[maybe_unused]] const bool pushed = lane.ring_.try_push(&m);
    assert(pushed && "more messages under way than there are credits");
    if (lane.ring_.staged() == kBatch) publish(lane);
    // END 9.2
}

void Mailbox::flush() noexcept {
    // BEGIN 9.2: batches
    //| Publish every lane in `unflushed_` that has staged messages, and empty the list (each lane
    //| has a flag that says it is in there).
    //= return todo_soft("9.2", "Mailbox::flush");
    for (Lane* lane : unflushed_) {
        lane->unflushed_ = false;
        if (lane->ring_.staged() > 0) publish(*lane);
    }
    unflushed_.clear();
    // END 9.2
}

void Mailbox::publish(Lane& lane) noexcept {
    if (census_) here_.sent.store(sent_);  // Before anybody can have received them.
    lane.ring_.publish(std::memory_order_seq_cst);
    wake_if_asleep(lane.to_);
}

void Mailbox::wake_if_asleep([[maybe_unused]] Endpoint& peer) noexcept {
    // BEGIN 9.4: sleep and wake without missing
    //| Something was published for `peer`. If it sleeps, wake it; several messages need only one
    //| wake-up, and a shard that is awake none.
    if (!peer.sleeping.load(std::memory_order_seq_cst)) return;
    if (peer.sleeping.exchange(false, std::memory_order_relaxed)) peer.unparker->unpark();
    // END 9.4
}

void Mailbox::poll() noexcept {
    if (here_.new_lanes.load(std::memory_order_relaxed) != nullptr) adopt_new_lanes();
    std::size_t count = 0;
    for (Lane* lane : inbound_) {
        // All of them are fetched from the other core's cache at once, not one after the other.
        std::array<Message*, kReceiveMax> batch;
        std::size_t size = 0;
        lane->ring_.consume(kReceiveMax, [&](Message*&& m) {
            __builtin_prefetch(m, 1);
            __builtin_prefetch(reinterpret_cast<char*>(m) + kCacheLineBytes, 1);
            batch[size++] = m;
        });
        for (std::size_t i = 0; i < size; ++i) receive(*batch[i]);
        count += size;
    }
    received_ += count;
    if (count > 0 && census_) {
        here_.idle.store(false);  // Before they count as received: they are work now.
        here_.received.store(received_);
    }
}

void Mailbox::receive(Message& m) noexcept {
    if (m.from_ != shard_) return executor_.schedule(m);
    Lane& lane = *here_.lanes[m.to_];
    --outstanding_;
    if (lane.waiting_ == 0) {
        ++lane.credits_;
    } else {
        move_line_on(lane);
    }
    m.returned();
}

bool Mailbox::before_sleep() noexcept {
    // BEGIN 9.4: sleep and wake without missing
    //| Say that this shard sleeps, then look whether anything has come: a new lane, or a message in
    //| any inbound one. Look at nothing before you have said it; and which memory order makes "then"
    //| true for the other core, too? Refuse also when something is still staged.
    //= return todo_soft("9.4", "Mailbox::before_sleep", false);
    // seq_cst, all of it: pairs with publish, then look at `sleeping`, in the sender. At least one
    // of the two sees what the other did.
    here_.sleeping.store(true, std::memory_order_seq_cst);
    if (here_.new_lanes.load(std::memory_order_seq_cst) != nullptr) return false;
    for (const Lane* lane : inbound_) {
        if (!lane->ring_.empty(std::memory_order_seq_cst)) return false;
    }
    return unflushed_.empty();
    // END 9.4
}

void Mailbox::after_sleep() noexcept { here_.sleeping.store(false, std::memory_order_relaxed); }

void Mailbox::begin_census() noexcept {
    census_ = true;
    here_.received.store(received_);
    here_.sent.store(sent_);
}

bool Mailbox::report_idle() noexcept {
    if (!census_ || outstanding_ > 0 || !unflushed_.empty()) return false;
    here_.idle.store(true);
    return smp_.check_quiescent();
}

}  // namespace starling
