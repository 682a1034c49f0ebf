// 6.1: the ring, and a channel whose ends never wait.
#include <gtest/gtest.h>
#include <memory>
#include <starling/channel.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <string>

#include "channel_bed.hh"

namespace starling {
namespace {

using testing_support::Started;
using testing_support::Story;
using testing_support::Tracked;

TEST(Ex6_1_Ring, IsFirstInFirstOut) {
    Story story("at which end does an item come in, and at which does it go?");
    Ring<std::string> ring;
    for (const char* item : {"a", "b", "c"}) ring.push_back(item);
    story.step("push a, b, c at the back");
    story.expect("size", 3u, ring.size());
    std::string out;
    while (!ring.empty()) out += ring.pop_front();
    story.expect("popped", std::string("abc"), out);
}

TEST(Ex6_1_Ring, KeepsItsOrderOnceAroundItsMemory) {
    Story story("what follows the last slot of the memory?");
    Ring<int> ring;
    int in = 0;
    int out = 0;
    for (int i = 0; i < 3; ++i) ring.push_back(in++);
    story.step("three items stay in the ring, a thousand pass through");
    for (int i = 0; i < 1000; ++i) {
        ring.push_back(in++);
        if (const int got = ring.pop_front(); got != out++) {
            story.expect("item " + std::to_string(out - 1), out - 1, got);
            return;
        }
    }
    story.expect("size", 3u, ring.size());
}

TEST(Ex6_1_Ring, GrowsInTheMiddleOfItsMemory) {
    Story story("the items lie around the end of the old memory: in which order do they move?");
    Ring<std::string> ring;
    for (int i = 0; i < 5; ++i) ring.push_back("x");
    for (int i = 0; i < 5; ++i) (void)ring.pop_front();
    story.step("push and pop five, so that the front is somewhere in the middle");
    for (int i = 0; i < 100; ++i) ring.push_back(std::to_string(i));
    story.step("push 0 to 99");
    for (int i = 0; i < 100; ++i) {
        const std::string got = ring.pop_front();
        if (!story.expect("pop", std::to_string(i), got)) return;
    }
}

TEST(Ex6_1_Ring, ItemGoesBackToTheFront) {
    Story story("which slot comes before the first one?");
    Ring<int> ring;
    ring.push_front(2);
    ring.push_back(3);
    ring.push_front(1);
    story.step("2 into the empty ring, 3 at the back, 1 at the front");
    for (int i = 1; i <= 3; ++i) story.expect("pop", i, ring.pop_front());
}

TEST(Ex6_1_Ring, IsFullAtItsLimitWhateverItsMemory) {
    Story story("who knows the limit: the memory or the ring?");
    Ring<int> ring(3);
    story.expect("an empty ring with limit 3 is full", false, ring.full());
    for (int i = 0; i < 3; ++i) ring.push_back(int{i});
    story.expect("with three items", true, ring.full());
    ring.push_front(-1);
    story.expect("with four, one of which was put back", true, ring.full());
    story.expect("pop", -1, ring.pop_front());
    story.expect("with three again", true, ring.full());
    (void)ring.pop_front();
    story.expect("with two", false, ring.full());
}

TEST(Ex6_1_Ring, EveryItemIsDestroyedOnce) {
    Story story("an item was moved out of its slot: is there still something in the slot?");
    Tracked::alive = 0;
    {
        Ring<Tracked> ring;
        for (int i = 0; i < 20; ++i) ring.push_back(Tracked(i));
        story.step("push 20 items");
        story.expect("items alive", 20, Tracked::alive);
        for (int i = 0; i < 7; ++i) (void)ring.pop_front();
        story.step("pop 7");
        story.expect("items alive", 13, Tracked::alive);
    }
    story.step("destroy the ring");
    story.expect("items alive", 0, Tracked::alive);
}

TEST(Ex6_1_TryForms, BoundedChannelTakesAsManyAsItsCapacity) {
    Story story("who compares the number of items with the capacity?");
    auto [tx, rx] = channel<int>(2);
    story.expect("send 1", true, bool(tx.try_send(1)));
    story.expect("send 2", true, bool(tx.try_send(2)));
    auto third = tx.try_send(3);
    story.expect("send 3, into a channel of capacity 2", false, bool(third));
    story.expect("why", true, third.status() == SendStatus::full);
    story.expect("the value came back", 3, third.status() == SendStatus::sent ? 0 : third.value());
    story.expect("receive", 1, rx.try_recv().value_or(-1));
    story.expect("send 3 again", true, bool(tx.try_send(3)));
}

TEST(Ex6_1_TryForms, ReceivingFromAnEmptyChannelGivesNothing) {
    auto [tx, rx] = channel<std::unique_ptr<int>>(2);
    EXPECT_FALSE(rx.try_recv().has_value());
    EXPECT_TRUE(tx.try_send(std::make_unique<int>(5)));
    auto got = rx.try_recv();
    ASSERT_TRUE(got.has_value());
    EXPECT_EQ(**got, 5);
    EXPECT_FALSE(rx.try_recv().has_value());
}

TEST(Ex6_1_TryForms, UnboundedChannelTakesEverything) {
    Story story("which capacity has a channel without a bound?");
    auto [tx, rx] = unbounded_channel<int>();
    int sent = 0;
    while (sent < 10'000 && tx.try_send(sent)) ++sent;
    story.expect("values that could be sent", 10'000, sent);
    story.expect("size", 10'000u, rx.size());
    for (int i = 0; i < sent; ++i) ASSERT_EQ(rx.try_recv().value_or(-1), i);
}

TEST(Ex6_1_TryForms, WhatIsInTheChannelGoesWithTheReceiver) {
    Story story("who destroys the items that nobody has received?");
    Tracked::alive = 0;
    auto [tx, rx] = channel<Tracked>(8);
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(tx.try_send(Tracked(i)));
    story.step("send five items");
    {
        auto gone = std::move(rx);
    }
    story.step("destroy the receiver");
    story.expect("items alive", 0, Tracked::alive);
}

TEST(Ex6_1_TryForms, SendingToNobodyGivesTheValueBack) {
    Story story("is there anybody at the other end?");
    auto [tx, rx] = channel<int>(4);
    {
        auto gone = std::move(rx);
    }
    story.step("the receiver goes");
    story.expect("the sender knows", true, tx.closed());
    const auto tried = tx.try_send(5);
    story.expect("try_send says closed", true, tried.status() == SendStatus::closed);
    story.expect("the value came back", 5, tried.value());
}

TEST(Ex6_1_Room, SenderWithRoomDoesNotWait) {
    auto [tx, rx] = channel<int>(1);
    Started sender(tx.send(1));
    EXPECT_TRUE(sender.done());
    EXPECT_EQ(sender.resumed(), 0) << "an operation that was ready is not posted";
    EXPECT_TRUE(bool(sender.finish()));
    EXPECT_EQ(rx.try_recv().value_or(-1), 1);
}

TEST(Ex6_1_Room, UnboundedSenderNeverWaits) {
    auto [tx, rx] = unbounded_channel<int>();
    for (int i = 0; i < 1000; ++i) {
        Started sender(tx.send(i));
        ASSERT_TRUE(sender.done()) << "Ask yourself: when is a channel without a bound full?";
        ASSERT_TRUE(bool(sender.finish()));
    }
    EXPECT_EQ(rx.size(), 1000u);
}

}  // namespace
}  // namespace starling
