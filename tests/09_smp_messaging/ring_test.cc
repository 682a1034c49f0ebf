// 9.1: a ring for one producer and one consumer.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <random>
#include <starling/atomic_steps.hh>
#include <starling/spsc_ring.hh>
#include <thread>
#include <vector>

namespace starling {
namespace {

template <class T>
std::vector<T> take_all(SpscRing<T>& ring) {
    std::vector<T> items;
    ring.consume(ring.capacity(), [&](T&& item) { items.push_back(std::move(item)); });
    return items;
}

TEST(Ex9_1_Ring, ItemsComeOutInTheOrderTheyWentIn) {
    SpscRing<int> ring(8);
    for (int i = 1; i <= 5; ++i) ASSERT_TRUE(ring.try_push(int{i}));
    ring.publish();
    EXPECT_EQ(take_all(ring), (std::vector{1, 2, 3, 4, 5}));
    EXPECT_TRUE(take_all(ring).empty()) << "every item comes out once";
}

TEST(Ex9_1_Ring, StagedItemsAreInvisibleUntilTheyArePublished) {
    SpscRing<int> ring(8);
    ASSERT_TRUE(ring.try_push(1));
    EXPECT_EQ(ring.staged(), 1u);
    EXPECT_TRUE(ring.empty()) << "1 was staged, nobody has published it";
    EXPECT_TRUE(take_all(ring).empty());
    ring.publish();
    EXPECT_EQ(ring.staged(), 0u);
    EXPECT_FALSE(ring.empty());
    ASSERT_TRUE(ring.try_push(2));
    EXPECT_EQ(take_all(ring), std::vector{1})
        << "1 is published, 2 only staged.\n"
           "Ask yourself: which of the two indices may the consumer see?";
}

TEST(Ex9_1_Ring, AFullRingRefusesAndTheItemIsStillYours) {
    SpscRing<std::unique_ptr<int>> ring(4);
    const std::size_t room = ring.capacity();
    for (std::size_t i = 0; i < room; ++i) {
        ASSERT_TRUE(ring.try_push(std::make_unique<int>(i)))
            << "refused item " << i << " of " << room;
    }
    auto one_more = std::make_unique<int>(99);
    EXPECT_FALSE(ring.try_push(std::move(one_more))) << "there is no room for it";
    ASSERT_NE(one_more, nullptr) << "a refused item was taken all the same";
    ring.publish();
    EXPECT_FALSE(ring.try_push(std::move(one_more))) << "published is not yet consumed";
    EXPECT_EQ(ring.consume(1, [](std::unique_ptr<int>&& first) { EXPECT_EQ(*first, 0); }), 1u);
    EXPECT_TRUE(ring.try_push(std::move(one_more))) << "one was consumed, so one fits";
}

TEST(Ex9_1_Ring, EveryCapacityHoldsAtLeastWhatWasAskedFor) {
    for (std::size_t wanted = 1; wanted <= 70; ++wanted) {
        SpscRing<void*> ring(wanted);
        ASSERT_GE(ring.capacity(), wanted);
        std::size_t held = 0;
        while (held <= 1000 && ring.try_push(nullptr)) ++held;
        ASSERT_EQ(held, ring.capacity()) << "asked for " << wanted;
    }
}

TEST(Ex9_1_Ring, ConsumeStopsAtTheNumberThatWasAskedFor) {
    SpscRing<int> ring(32);
    for (int i = 0; i < 30; ++i) ASSERT_TRUE(ring.try_push(int{i}));
    ring.publish();
    std::vector<int> got;
    auto take = [&](int&& i) { got.push_back(i); };
    EXPECT_EQ(ring.consume(3, take), 3u);
    EXPECT_EQ(got, (std::vector{0, 1, 2}));
    EXPECT_EQ(ring.consume(0, take), 0u);
    EXPECT_EQ(ring.consume(100, take), 27u) << "the rest, and no more than there is";
    EXPECT_EQ(got.back(), 29);
}

TEST(Ex9_1_Ring, ManyLapsAgreeWithAnOrdinaryQueue) {
    std::mt19937 random(9);
    SpscRing<int> ring(10);
    std::deque<int> staged, published;
    for (int step = 0, next = 0; step < 20'000; ++step) {
        switch (random() % 4) {
            case 0:
            case 1: {
                const bool room = staged.size() + published.size() < ring.capacity();
                ASSERT_EQ(ring.try_push(int{next}), room) << "step " << step;
                if (room) staged.push_back(next++);
                break;
            }
            case 2:
                ring.publish();
                published.insert(published.end(), staged.begin(), staged.end());
                staged.clear();
                break;
            default: {
                const std::size_t count = std::min<std::size_t>(random() % 9, published.size());
                ring.consume(count, [&](int&& item) {
                    ASSERT_EQ(item, published.front()) << "step " << step;
                    published.pop_front();
                });
            }
        }
        ASSERT_EQ(ring.empty(), published.empty()) << "step " << step;
    }
}

/// Another thread acts in the middle of an assignment.
struct Slow {
    int value = 0;
    static inline std::function<void()> meanwhile;
    Slow() = default;
    explicit Slow(int v) : value(v) {}
    Slow(Slow&& other) noexcept { *this = std::move(other); }
    Slow& operator=(Slow&& other) noexcept {
        if (auto act = std::exchange(meanwhile, nullptr)) act();
        value = std::exchange(other.value, -1);
        return *this;
    }
};

TEST(Ex9_1_Ring, ASlotIsWrittenBeforeTheConsumerHearsOfIt) {
    SpscRing<Slow> ring(4);
    std::vector<int> seen;
    auto consumer_looks = [&] {
        ring.consume(10, [&](Slow&& item) { seen.push_back(item.value); });
    };
    Slow::meanwhile = consumer_looks;  // While the producer is writing the slot.
    ASSERT_TRUE(ring.try_push(Slow(7)));
    EXPECT_TRUE(seen.empty()) << "the consumer got " << seen[0]
                              << " out of a slot that was still being written";
    ring.publish();
    consumer_looks();
    EXPECT_EQ(seen, std::vector{7})
        << "Ask yourself: the other core sees your stores in the order you make them visible. What "
           "must it never see first?";
}

TEST(Ex9_1_Ring, ASlotIsReadBeforeTheProducerGetsItBack) {
    SpscRing<Slow> ring(1);
    const int room = static_cast<int>(ring.capacity());
    for (int i = 0; i < room; ++i) ASSERT_TRUE(ring.try_push(Slow(i)));
    ring.publish();
    bool overwritten = false;
    int first = -2;
    ring.consume(1, [&](Slow&& item) {
        overwritten = ring.try_push(Slow(100));  // The producer acts while this item is being read.
        first = item.value;
    });
    EXPECT_FALSE(overwritten) << "the slot was given back before it was read";
    EXPECT_EQ(first, 0) << "what came out is not what went in";
    EXPECT_TRUE(ring.try_push(Slow(100))) << "now the slot is free";
}

TEST(Ex9_1_Ring, WhateverTheConsumerSeesWhileItemsArePublishedIsWhole) {
    if (!kAtomicHooks) GTEST_SKIP() << "needs a build with assertions";
    for (int step = 0;; ++step) {
        SpscRing<int> ring(64);
        std::vector<int> seen;
        auto look = [&] { ring.consume(100, [&](int&& item) { seen.push_back(item); }); };
        for (int i = 1; i <= 40; ++i) ASSERT_TRUE(ring.try_push(int{i}));
        ActAtStep act(step, look);
        ring.publish();
        const bool done = act.done();
        look();
        ASSERT_EQ(seen.size(), 40u) << "the consumer looked before atomic step " << step;
        for (int i = 0; i < 40; ++i) ASSERT_EQ(seen[i], i + 1) << "looked before step " << step;
        if (!done) break;
    }
}

using Steps = std::vector<detail::AtomicStep>;

/// What of `ring`'s atomics was used while `act` ran, and with which order.
template <class F>
Steps steps_of(F act) {
    AtomicTrace trace;
    act();
    return trace.steps();
}
bool releases(std::memory_order order) {
    return order != std::memory_order_relaxed && order != std::memory_order_acquire &&
           order != std::memory_order_consume;
}
bool acquires(std::memory_order order) {
    return order != std::memory_order_relaxed && order != std::memory_order_release;
}
/// Whether what `writer` has written is handed over to `reader`: each atomic that one writes and
/// the other reads is written with release at least once, and read with acquire.
void expect_handed_over(const Steps& writer, const Steps& reader, const char* what) {
    int crossings = 0;
    for (const auto& written : writer) {
        if (!written.writes) continue;
        bool read = false, released = false, acquired = false;
        for (const auto& s : reader) {
            if (s.object != written.object || !s.reads) continue;
            read = true;
            acquired |= acquires(s.order);
        }
        for (const auto& s : writer) {
            released |= s.object == written.object && s.writes && releases(s.order);
        }
        if (!read) continue;
        ++crossings;
        EXPECT_TRUE(released) << what << " is never written with release.\n"
                              << "Ask yourself: what was done before, and who may see it later?";
        EXPECT_TRUE(acquired) << what << " is never read with acquire.\n"
                              << "Ask yourself: what is done next, and may it happen earlier?";
        if (!released || !acquired) break;
    }
    EXPECT_GT(crossings, 0) << what << " is not written by one side and read by the other";
}

TEST(Ex9_1_Ring, WhatOneCoreDidIsDoneBeforeTheOtherHearsOfIt) {
    if (!kAtomicHooks) GTEST_SKIP() << "needs a build with assertions";
    SpscRing<int> ring(8);
    Steps producer, consumer;
    auto add = [](Steps& all, const Steps& more) {
        all.insert(all.end(), more.begin(), more.end());
    };
    auto fill = [&] {
        while (ring.try_push(1)) {
        }
        ring.publish();
    };
    add(producer, steps_of(fill));
    add(consumer, steps_of([&] { take_all(ring); }));
    add(producer, steps_of(fill));  // It has to find out that there is room again.
    expect_handed_over(producer, consumer, "the index that says what is published");
    expect_handed_over(consumer, producer, "the index that says which slots are free");
}

TEST(Ex9_1_Ring, PublishUsesTheOrderItIsGiven) {
    if (!kAtomicHooks) GTEST_SKIP() << "needs a build with assertions";
    SpscRing<int> ring(8);
    ASSERT_TRUE(ring.try_push(1));
    bool as_told = false;
    for (const auto& s : steps_of([&] { ring.publish(std::memory_order_seq_cst); })) {
        as_told |= s.writes && s.order == std::memory_order_seq_cst;
    }
    EXPECT_TRUE(as_told) << "publish(seq_cst) has stored nothing with that order; 9.4 relies on it";
}

TEST(Ex9_1_Ring, TheOtherCoresIndexIsReadOnlyWhenItMatters) {
    if (!kAtomicHooks) GTEST_SKIP() << "needs a build with assertions";
    SpscRing<void*> ring(64);
    const int room = static_cast<int>(ring.capacity());
    ActAtStep steps(1 << 30, [] {});
    for (int i = 0; i < room; ++i) ASSERT_TRUE(ring.try_push(nullptr));
    EXPECT_LE(steps.seen(), room / 4)
        << "there was room all the time, and `head_` was asked nearly every time.\n"
           "Ask yourself: what did it say when you last looked, and which way can it have changed?";
    ring.publish();
    const int before = steps.seen();
    EXPECT_EQ(ring.consume(room, [](void*&&) {}), static_cast<std::size_t>(room));
    EXPECT_LE(steps.seen() - before, room / 4) << "one look says how far you may go";
}

TEST(Ex9_1_Ring, TwoThreadsPassNumbersOnWithoutLosingOne) {
    constexpr std::uint64_t kNumbers = 100'000;
    // On a machine that is busy with other work each hand-over may take milliseconds.
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    SpscRing<std::uint64_t> ring(32);
    std::atomic<std::uint64_t> numbers{kNumbers};
    std::uint64_t wrong = 0;
    std::thread consumer([&] {
        for (std::uint64_t expected = 0; expected < numbers.load();) {
            const auto count =
                ring.consume(16, [&](std::uint64_t&& n) { wrong += n != expected++; });
            if (count == 0) std::this_thread::yield();
        }
    });
    for (std::uint64_t n = 0; n < numbers.load(); ++n) {
        while (!ring.try_push(std::uint64_t{n})) {
            ring.publish();
            std::this_thread::yield();
        }
        if (n % 5 == 0) ring.publish();
        if (n % 64 == 0 && std::chrono::steady_clock::now() > end) numbers.store(n + 1);
    }
    ring.publish();
    consumer.join();
    EXPECT_EQ(wrong, 0u) << "numbers were lost, repeated, or out of order";
}

}  // namespace
}  // namespace starling
