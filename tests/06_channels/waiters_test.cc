// 6.2: whoever cannot go on waits in line. Needs 6.1. The senders live on in all of these: ends
// are 6.3.
#include <gtest/gtest.h>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <starling/allocations.hh>
#include <starling/channel.hh>
#include <starling/executor.hh>
#include <starling/story.hh>
#include <vector>

#include "channel_bed.hh"

namespace starling {
namespace {

using testing_support::ImmediatePost;
using testing_support::ScriptedPost;
using testing_support::Started;
using testing_support::Story;
using testing_support::Tracked;

TEST(Ex6_2_Backpressure, SenderWaitsWhileTheBufferIsFull) {
    Story story("where is the value of a sender that waits, and who moves it?");
    auto [tx, rx] = channel<int>(1);
    EXPECT_TRUE(tx.try_send(1));
    Started sender(tx.send(2));
    story.step("a channel of capacity 1 with 1 in it; start sending 2");
    story.expect("the send is over", false, sender.done());
    story.expect("receive", 1, rx.try_recv().value_or(-1));
    story.expect("the send is over", true, sender.done());
    story.expect("it was sent", true, bool(sender.finish()));
    story.expect("receive", 2, rx.try_recv().value_or(-1));
}

TEST(Ex6_2_Backpressure, ReceiverWaitsForAValue) {
    Story story("who looks for a waiting receiver when a value is sent?");
    auto [tx, rx] = channel<int>(1);
    Started receiver(rx.recv());
    story.step("receive from an empty channel");
    story.expect("it is over", false, receiver.done());
    EXPECT_TRUE(tx.try_send(7));
    story.step("send 7");
    story.expect("it is over", true, receiver.done());
    story.expect("the value", 7, receiver.finish().value_or(-1));
    story.expect("values left in the channel", 0u, rx.size());
}

TEST(Ex6_2_Fifo, SendersAreServedInTheOrderInWhichTheyCame) {
    Story story("at which end of the line does a sender join, and at which is it served?");
    auto [tx, rx] = channel<int>(1);
    EXPECT_TRUE(tx.try_send(0));
    Started a(tx.send(1)), b(tx.send(2)), c(tx.send(3));
    story.step("the channel holds 0; three senders wait with 1, 2 and 3");
    for (int i = 0; i <= 3; ++i) {
        if (!story.expect("receive", i, rx.try_recv().value_or(-1))) return;
    }
}

TEST(Ex6_2_Fifo, NewcomerDoesNotOvertakeAWaitingSender) {
    Story story("a place becomes free: whose is it, from that very moment on?");
    ScriptedPost posts;  // Nobody who was woken runs before we say so.
    auto [tx, rx] = channel<int>(1);
    EXPECT_TRUE(tx.try_send(0));
    Started waiting(tx.send(1));
    story.step("the channel holds 0; a sender waits with 1");
    story.expect("receive", 0, rx.try_recv().value_or(-1));
    story.expect("a newcomer sends 2 before the waiting one has run: it could", false,
                 bool(tx.try_send(2)));
    story.expect("receive", 1, rx.try_recv().value_or(-1));
    posts.run_all();
    story.expect("the first one's send is over", true, waiting.done());
}

TEST(Ex6_2_Fifo, NewcomerDoesNotTakeAWaitingReceiversValue) {
    Story story("a value arrives for one who waits: where is it until that one runs?");
    ScriptedPost posts;
    auto [tx, rx] = channel<int>(1);
    Started waiting(rx.recv());
    EXPECT_TRUE(tx.try_send(1));
    story.step("a receiver waits; send 1");
    story.expect("a newcomer receives before the waiting one has run", -1,
                 rx.try_recv().value_or(-1));
    posts.run_all();
    story.expect("the waiting one got", 1, waiting.finish().value_or(-1));
}

TEST(Ex6_2_Fifo, ReceiversAreServedInTheOrderInWhichTheyCame) {
    Story story("which of several receivers has waited longest?");
    auto [tx, rx] = channel<int>(4);
    Started a(rx.recv()), b(rx.recv()), c(rx.recv());
    for (int i = 1; i <= 3; ++i) EXPECT_TRUE(tx.try_send(i));
    story.step("three receivers wait; send 1, 2, 3");
    story.expect("the first got", 1, a.finish().value_or(-1));
    story.expect("the second got", 2, b.finish().value_or(-1));
    story.expect("the third got", 3, c.finish().value_or(-1));
}

TEST(Ex6_2_Fifo, OneReceiveAdmitsOneSender) {
    Story story("how many places does one received value make free?");
    auto [tx, rx] = channel<int>(2);
    EXPECT_TRUE(tx.try_send(0));
    EXPECT_TRUE(tx.try_send(1));
    Started a(tx.send(2)), b(tx.send(3));
    (void)rx.try_recv();
    story.step("a full channel of capacity 2, two senders wait; receive once");
    story.expect("the first sender is done", true, a.done());
    story.expect("the second sender is done", false, b.done());
    story.expect("values in the channel", 2u, rx.size());
    while (rx.try_recv()) {
    }
}

TEST(Ex6_2_Fifo, SenderThatRunsAtOnceFindsTheChannelInOrder) {
    Story story(
        "serve_some posts, and that may run the waiter inside your loop: is your own state settled "
        "by then? And has everybody who waits a context (`start`)?");
    ImmediatePost immediate;
    auto [tx, rx] = channel<int>(1);
    EXPECT_TRUE(tx.try_send(0));
    std::size_t size_seen = 99;
    testing_support::Waiter looks([&, &rx = rx] { size_seen = rx.size(); });
    SendOperation<int> send = tx.send(1);
    ASSERT_FALSE(send.ready());
    send.start(looks);
    story.step("a waiting sender that looks at the channel as soon as it is granted");
    (void)rx.try_recv();
    story.expect("values in the channel at that moment", 1u, size_seen);
    story.expect("receive", 1, rx.try_recv().value_or(-1));
}

TEST(Ex6_2_Fifo, ReceiverMayDropTheChannelAsSoonAsItRuns) {
    Story story("whoever you post may drop its operation, and the channel: when does it run?");
    std::optional<Channel<int>> ends(channel<int>(1));
    auto op = std::make_unique<RecvOperation<int>>(ends->receiver.recv());
    int got = -1;
    testing_support::Waiter drops([&] {
        got = op->finish().value_or(-1);
        op.reset();
        ends.reset();
    });
    op->start(drops);
    EXPECT_TRUE(bool(ends->sender.try_send(7)));
    story.step("outside of a scheduler: a receiver waits that drops everything; send 7");
    story.expect("it got", 7, got);
}

TEST(Ex6_2_Fifo, SenderInItsOwnChannelDoesNotKeepItAlive) {
    Story story("the channel owns an item that owns the channel: who lets go first?");
    struct Item {
        Tracked tracked;
        Sender<Item> back;
    };
    Tracked::alive = 0;
    {
        auto [tx, rx] = channel<Item>(4);
        Started receiver(rx.recv());
        EXPECT_TRUE(tx.try_send(Item{Tracked(1), tx}));
        EXPECT_TRUE(tx.try_send(Item{Tracked(2), tx}));
        Sender<Item> gone = std::move(tx);
        story.step("send two items that hold a sender; one has been received");
        (void)receiver.finish();
    }
    story.step("both ends go");
    story.expect("items alive", 0, Tracked::alive);
}

TEST(Ex6_2_Fifo, DestroyedWaitersLeaveTheirLines) {
    Story story("a waiting operation goes: who still knows its address?");
    auto [tx, rx] = channel<int>(1);
    {
        Started receiver(rx.recv());
    }
    EXPECT_TRUE(tx.try_send(1));
    {
        Started sender(tx.send(2));
    }
    story.step("a waiting receiver and a waiting sender are destroyed");
    story.expect("receive", 1, rx.try_recv().value_or(-1));
    story.expect("there is another one", false, rx.try_recv().has_value());
}

TEST(Ex6_2_Fifo, ReceiveThatIsAwaitedTwiceKeepsNothingAlive) {
    testing_support::Waiter waiter;
    auto [tx, rx] = channel<int>(1);
    RecvOperation<int> receiver = rx.recv();
    for (int i = 1; i <= 2; ++i) {
        receiver.start(waiter);
        EXPECT_TRUE(tx.try_send(i));
        EXPECT_EQ(receiver.finish().value_or(-1), i);
    }
    EXPECT_EQ(waiter.resumed, 2);
}  // A channel that is still alive here is a leak.

TEST(Ex6_2_Tasks, EveryValueArrivesInOrder) {
    for (const std::size_t capacity : {1u, 2u, 3u, 16u, 1000u}) {
        auto [tx, rx] = channel<int>(capacity);
        Executor executor;
        executor.block_on([&, &tx = tx, &rx = rx]() -> Task<> {
            auto producer = spawn([&]() -> Task<> {
                for (int i = 0; i < 5000; ++i) EXPECT_TRUE(bool(co_await tx.send(i)));
            });
            for (int i = 0; i < 5000; ++i) {
                auto got = co_await rx.recv();
                if (got.value_or(-1) == i) continue;
                ADD_FAILURE() << "capacity " << capacity << ": value " << i << " came as "
                              << got.value_or(-1);
                break;
            }
            producer.abort();
        });
    }
}

TEST(Ex6_2_Tasks, EachSendersValuesKeepTheirOrder) {
    auto [tx, rx] = channel<std::pair<int, int>>(3);
    auto producer = [&tx = tx](int id) -> Task<> {
        for (int i = 0; i < 500; ++i) {
            EXPECT_TRUE(bool(co_await tx.send({id, i})));
            if ((i + id) % 7 == 0) co_await yield();
        }
    };
    Executor executor;
    executor.block_on([&, &rx = rx]() -> Task<> {
        for (int id = 0; id < 10; ++id) spawn(producer(id)).detach();
        std::map<int, int> next;
        for (int i = 0; i < 5000; ++i) {
            const auto got = co_await rx.recv();
            EXPECT_EQ(got->second, next[got->first]++) << "sender " << got->first;
        }
    });
}

TEST(Ex6_2_Tasks, PassingAValueAllocatesNothing) {
    Story story(
        "what do you allocate for one who waits? or does your ring allocate, once it has "
        "reached its size?");
    auto [tx, rx] = channel<int>(4);
    Executor executor;
    executor.block_on([&, &tx = tx, &rx = rx]() -> Task<> {
        auto producer = spawn([&]() -> Task<> {
            for (int i = 0; i < 1100; ++i) EXPECT_TRUE(bool(co_await tx.send(i)));
        });
        for (int i = 0; i < 100; ++i) (void)co_await rx.recv();
        const std::size_t before = test::allocations();
        for (int i = 0; i < 1000; ++i) (void)co_await rx.recv();
        const std::size_t after = test::allocations();
        story.step("a thousand values through a channel of capacity 4, both ends waiting in turn");
        story.expect("allocations", std::size_t{0}, after - before);
    });
}

TEST(Ex6_2_Tasks, NoSchedulerIsNeeded) {
    auto [tx, rx] = channel<int>(1);
    Context context;
    testing_support::Waiter done;
    int sum = 0;
    auto consumer = [](Receiver<int>& rx, int& sum) -> Task<> {
        for (int i = 0; i < 100; ++i) sum += (co_await rx.recv()).value_or(0);
    }(rx, sum);
    auto producer = [](Sender<int>& tx) -> Task<> {
        for (int i = 0; i < 100; ++i) EXPECT_TRUE(bool(co_await tx.send(1)));
    }(tx);
    for (auto* task : {&consumer, &producer}) {
        task->promise().set_context(&context);
        task->promise().set_on_done(done);
        post(task->promise());
    }
    EXPECT_EQ(sum, 100);
}

}  // namespace
}  // namespace starling
