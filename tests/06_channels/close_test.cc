// 6.3: how a channel ends, from either end. Needs 6.1 and 6.2.
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <random>
#include <starling/channel.hh>
#include <starling/executor.hh>
#include <starling/gate.hh>
#include <starling/probes.hh>
#include <starling/story.hh>

#include "channel_bed.hh"

namespace starling {
namespace {

using testing_support::Started;
using testing_support::Story;
using testing_support::Waiter;

TEST(Ex6_3_Close, WhatIsBufferedArrivesAfterTheLastSenderHasGone) {
    Story story("the last sender has gone: is the channel at its end?");
    auto [tx, rx] = channel<int>(4);
    for (int i = 1; i <= 3; ++i) EXPECT_TRUE(tx.try_send(i));
    {
        auto gone = std::move(tx);
    }
    story.step("send 1, 2, 3, then the only sender goes");
    for (int i = 1; i <= 3; ++i) {
        Started receiver(rx.recv());
        if (!story.expect("receive without waiting", true, receiver.done())) return;
        if (!story.expect("the value", i, receiver.finish().value_or(-1))) return;
    }
    Started receiver(rx.recv());
    story.expect("receive once more: it waits", false, !receiver.done());
    story.expect("there is a value", false, receiver.finish().has_value());
}

TEST(Ex6_3_Close, WaitingReceiverLearnsThatTheLastSenderHasGone) {
    Story story(
        "who wakes a receiver for which nothing will ever come, and does it hear of the end when "
        "it looks again (`try_now`, 6.2)?");
    auto [tx, rx] = channel<int>(4);
    Started a(rx.recv()), b(rx.recv());
    {
        auto gone = std::move(tx);
    }
    story.step("two receivers wait, then the only sender goes");
    story.expect("the first is done", true, a.done());
    story.expect("the second is done", true, b.done());
    story.expect("the first has a value", false, a.finish().has_value());
    story.expect("the first was stopped", false, a.stopped());
}

TEST(Ex6_3_Close, ChannelEndsWithTheLastOfItsSenders) {
    Story story("how many senders are there, copies included?");
    auto [tx, rx] = channel<int>(4);
    std::optional<Sender<int>> copy(tx);
    Started receiver(rx.recv());
    {
        auto gone = std::move(tx);
    }
    story.step("one of two senders goes");
    story.expect("the receiver is done", false, receiver.done());
    copy.reset();
    story.step("the other one goes");
    story.expect("the receiver is done", true, receiver.done());
}

TEST(Ex6_3_Close, WaitingSenderGetsItsValueBackWhenTheReceiverGoes) {
    Story story("a value that nobody will receive: where is it when the sender goes on?");
    auto [tx, rx] = channel<std::unique_ptr<int>>(1);
    EXPECT_TRUE(tx.try_send(std::make_unique<int>(1)));
    Started a(tx.send(std::make_unique<int>(2)));
    Started b(tx.send(std::make_unique<int>(3)));
    story.step("the channel is full, two senders wait with 2 and 3");
    {
        auto gone = std::move(rx);
    }
    story.step("the receiver goes");
    story.expect("the first send is over", true, a.done());
    story.expect("the second send is over", true, b.done());
    auto result = a.finish();
    story.expect("it was sent", false, bool(result));
    story.expect("because the channel is closed", true, result.status() == SendStatus::closed);
    if (!story.expect("the value came back", true, result.value() != nullptr)) return;
    story.expect("it is", 2, *result.value());
    story.expect("the second one's value is", 3, *b.finish().value());
}

TEST(Ex6_3_Close, ReceiverThatClosesStillGetsWhatWasSent) {
    Story story("close() refuses what comes: and what is here already?");
    auto [tx, rx] = channel<int>(2);
    EXPECT_TRUE(tx.try_send(1));
    EXPECT_TRUE(tx.try_send(2));
    Started waiting(tx.send(3));
    rx.close();
    story.step("1 and 2 are in the channel, a sender waits with 3; the receiver closes");
    story.expect("the waiting sender is done", true, waiting.done());
    story.expect("its value came back", 3, std::move(waiting.finish()).value());
    for (int i = 1; i <= 2; ++i) {
        Started receiver(rx.recv());
        if (!story.expect("receive without waiting", true, receiver.done())) return;
        story.expect("the value", i, receiver.finish().value_or(-1));
    }
    Started receiver(rx.recv());
    story.expect("at the end: it waits", false, !receiver.done());
    story.expect("ended()", true, rx.ended());
}

TEST(Ex6_3_Close, ClosingEndsReceiversThatWait) {
    auto [tx, rx] = channel<int>(2);
    Started receiver(rx.recv());
    rx.close();
    ASSERT_TRUE(receiver.done()) << "Ask yourself: what will ever wake it now?";
    EXPECT_FALSE(receiver.finish().has_value());
}

TEST(Ex6_3_Close, OperationMayOutliveTheChannel) {
    std::optional<Started<RecvOperation<int>>> receiver;
    {
        auto [tx, rx] = channel<int>(1);
        receiver.emplace(rx.recv());
    }
    ASSERT_TRUE(receiver->done()) << "Ask yourself: what will ever wake it now?";
    EXPECT_FALSE(receiver->finish().has_value());
    receiver.reset();
}

TEST(Ex6_3_Close, WhoeverHearsOfTheEndMayDropTheChannel) {
    Story story("two lines are served, and who is served may drop the channel: when does he run?");
    {
        std::optional<Channel<int>> ends(channel<int>(1));
        EXPECT_TRUE(ends->sender.try_send(1));
        auto send = std::make_unique<SendOperation<int>>(ends->sender.send(2));
        Waiter drops([&] { send.reset(), ends.reset(); });
        send->start(drops);
        story.step("outside of a scheduler: a sender waits that drops all; the receiver closes");
        ends->receiver.close();
        story.expect("times the sender was resumed", 1, drops.resumed);
    }
    std::optional<Channel<int>> ends(channel<int>(1));
    auto recv = std::make_unique<RecvOperation<int>>(ends->receiver.recv());
    Waiter drops([&] { recv.reset(), ends.reset(); });
    recv->start(drops);
    story.step("the same with a receiver that waits");
    ends->receiver.close();
    story.expect("times the receiver was resumed", 1, drops.resumed);
}

TEST(Ex6_3_Close, LoopOverAChannelEndsWithIt) {
    Executor executor;
    int sum = 0;
    executor.block_on([&]() -> Task<> {
        auto [tx, rx] = channel<int>(2);
        for (int id = 0; id < 3; ++id) {
            spawn([](Sender<int> tx) -> Task<> {
                for (int i = 0; i < 100; ++i) EXPECT_TRUE(bool(co_await tx.send(1)));
            }(tx))
                .detach();
        }
        {
            auto gone = std::move(tx);
        }
        while (auto value = co_await rx.recv()) sum += *value;
    });
    EXPECT_EQ(sum, 300)
        << "Ask yourself: when does the loop end, and what was still buffered then?";
}

TEST(Ex6_3_Close, EveryValueIsReceivedOrComesBack) {
    for (unsigned seed = 1; seed <= 50; ++seed) {
        std::mt19937 random(seed);
        int received = 0, came_back = 0, destroyed_in_channel = 0;
        {
            Gate senders;
            Executor executor;
            executor.block_on([&]() -> Task<> {
                {
                    auto [tx, rx] = channel<int>(1 + random() % 4);
                    for (int id = 0; id < 5; ++id) {
                        spawn([](Sender<int> tx, Gate::Holder, int& came_back) -> Task<> {
                            for (int i = 0; i < 20; ++i) {
                                if (!co_await tx.send(i)) ++came_back;
                            }
                        }(tx, senders.hold(), came_back))
                            .detach();
                    }
                    {
                        auto gone = std::move(tx);
                    }
                    const int wanted = static_cast<int>(random() % 120);
                    for (; received < wanted; ++received) {
                        if (!co_await rx.recv()) break;
                    }
                    destroyed_in_channel = static_cast<int>(rx.size());
                }
                co_await senders.close();
            });
        }
        ASSERT_EQ(received + came_back + destroyed_in_channel, 100)
            << "seed " << seed << ": of 100 values " << received << " were received, " << came_back
            << " came back to their senders, " << destroyed_in_channel << " went with the channel";
    }
}

}  // namespace
}  // namespace starling
