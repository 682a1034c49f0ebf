// 6.4: operations that are stopped, and values that nobody takes. Needs 6.1 to 6.3.
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <starling/channel.hh>
#include <starling/story.hh>
#include <starling/task_probes.hh>

#include "channel_bed.hh"

namespace starling {
namespace {

using testing_support::ScriptedPost;
using testing_support::ShuffledPost;
using testing_support::Started;
using testing_support::Story;

TEST(Ex6_4_Cancel, StoppedReceiverLeavesTheLine) {
    Story story("the stopped one is not there any more: who is first in the line now?");
    auto [tx, rx] = channel<int>(4);
    Started a(rx.recv()), b(rx.recv());
    a.stop();
    story.step("two receivers wait; the first is stopped");
    story.expect("it is done", true, a.done());
    story.expect("it was stopped", true, a.stopped());
    EXPECT_TRUE(tx.try_send(1));
    story.expect("send 1: the second one gets", 1, b.done() ? b.finish().value_or(-1) : -1);
    EXPECT_THROW((void)a.finish(), Cancelled);
}

TEST(Ex6_4_Cancel, ValueSentAfterTheStopStaysInTheChannel) {
    auto [tx, rx] = channel<int>(4);
    Started receiver(rx.recv());
    receiver.stop();
    EXPECT_TRUE(tx.try_send(1));
    EXPECT_EQ(rx.size(), 1u) << "Ask yourself: was the stopped receiver still in the line?";
    EXPECT_EQ(rx.try_recv().value_or(-1), 1);
    EXPECT_EQ(receiver.resumed(), 1);
}

TEST(Ex6_4_Cancel, SendThatIsStoppedHasNotHappened) {
    Story story("the sender was stopped while it waited: where is its value?");
    auto [tx, rx] = channel<std::unique_ptr<int>>(1);
    EXPECT_TRUE(tx.try_send(std::make_unique<int>(1)));
    Started a(tx.send(std::make_unique<int>(2))), b(tx.send(std::make_unique<int>(3)));
    a.stop();
    story.step("a full channel; senders wait with 2 and 3; the first is stopped");
    story.expect("it is done", true, a.done());
    story.expect("it was stopped", true, a.stopped());
    auto value = a.op().take_back();
    story.expect("its value can be taken back", 2, value == nullptr ? -1 : *value);
    story.expect("receive", 1, *rx.try_recv().value());
    story.expect("receive", 3, *rx.try_recv().value());
    story.expect("there is another one", false, rx.try_recv().has_value());
}

TEST(Ex6_4_Cancel, ValueThatWasHandedOverBeatsAStop) {
    Story story(
        "the value is here, the receiver has not run yet, and then it is stopped: who wins?");
    ScriptedPost posts;
    auto [tx, rx] = channel<int>(1);
    Started receiver(rx.recv()), waiting(rx.recv());
    EXPECT_TRUE(tx.try_send(1));
    receiver.stop();
    waiting.stop();
    story.step("two receivers wait; send 1; stop both before anybody has run");
    posts.run_all();
    story.expect("the first was stopped", false, receiver.stopped());
    story.expect("times it was resumed", 1, receiver.resumed());
    story.expect("it got", 1, receiver.stopped() ? -1 : receiver.finish().value_or(-1));
    story.expect("the second was stopped", true, waiting.stopped());
}

TEST(Ex6_4_Cancel, SendThatHappenedBeatsAStop) {
    Story story("the value is in the channel, the sender has not run yet, and then it is stopped?");
    ScriptedPost posts;
    auto [tx, rx] = channel<int>(1);
    EXPECT_TRUE(tx.try_send(1));
    Started sender(tx.send(2));
    Started waiting(tx.send(3));
    EXPECT_EQ(rx.try_recv().value_or(-1), 1);
    sender.stop();
    waiting.stop();
    story.step("a sender's value has got its place, another one waits; stop both");
    posts.run_all();
    story.expect("the first was stopped", false, sender.stopped());
    story.expect("it was sent", true, !sender.stopped() && bool(sender.finish()));
    story.expect("the second was stopped", true, waiting.stopped());
    story.expect("receive", 2, rx.try_recv().value_or(-1));
    story.expect("there is another one", false, rx.try_recv().has_value());
}

TEST(Ex6_4_Cancel, OperationThatWasStoppedCanBeAwaitedAgain) {
    Story story("the first await was stopped, the second one need not wait: what became of it?");
    auto [tx, rx] = channel<int>(1);
    EXPECT_TRUE(tx.try_send(1));
    Started sender(tx.send(2));
    sender.stop();
    story.step("the channel holds 1; a sender waits with 2, and is stopped");
    story.expect("receive", 1, rx.try_recv().value_or(-1));
    story.expect("await the send again: it need not wait", true, sender.op().ready());
    story.expect("it was stopped", false, sender.stopped());
    story.expect("it was sent", true, !sender.stopped() && bool(sender.finish()));
    story.expect("receive", 2, rx.try_recv().value_or(-1));
    Started receiver(rx.recv());
    receiver.stop();
    EXPECT_TRUE(tx.try_send(3));
    story.step("a receiver waits, and is stopped; then 3 is sent");
    story.expect("await the receive again: it need not wait", true, receiver.op().ready());
    story.expect("it was stopped", false, receiver.stopped());
    story.expect("it got", 3, receiver.stopped() ? -1 : receiver.finish().value_or(-1));
}

TEST(Ex6_4_Cancel, OperationMayGoAsSoonAsItIsPosted) {
    Story story(
        "a stop that came before is heard of inside of `link`, and the task may run at once: what "
        "is settled by then, and what is left afterwards? (`start`, 6.2)");
    auto [tx, rx] = channel<int>(1);
    auto op = std::make_unique<RecvOperation<int>>(rx.recv());
    Context context;
    context.request_stop();
    testing_support::Waiter drops([&] { op.reset(); });
    drops.set_context(&context);
    story.step("a task that is stopped already waits for a value; it drops its operation");
    op->start(drops);
    story.expect("times it went on", 1, drops.resumed);
    EXPECT_TRUE(tx.try_send(1));
    story.expect("a value that is sent now stays in the channel", 1u, rx.size());
}

TEST(Ex6_4_GiveBack, ValueOfAReceiverThatIsDestroyedIsNotLost) {
    Story story(
        "the value was handed over, and its receiver's frame goes: where does the value go?");
    ScriptedPost posts;
    auto [tx, rx] = channel<int>(4);
    {
        Started receiver(rx.recv());
        EXPECT_TRUE(tx.try_send(1));
        posts.run_all();
        story.step("a receiver waits, gets 1, and is destroyed before anybody asks it");
    }
    story.expect("receive", 1, rx.try_recv().value_or(-1));
}

TEST(Ex6_4_GiveBack, ValueGoesBackToTheFront) {
    Story story("which is older: the value that comes back, or those in the buffer?");
    auto [tx, rx] = channel<int>(4);
    {
        Started receiver(rx.recv());
        for (int i = 1; i <= 3; ++i) EXPECT_TRUE(tx.try_send(i));
        story.step("a receiver waits; send 1, 2, 3; the receiver is destroyed with 1");
    }
    for (int i = 1; i <= 3; ++i) story.expect("receive", i, rx.try_recv().value_or(-1));
}

TEST(Ex6_4_GiveBack, ValueGoesBackEvenIntoAFullChannel) {
    Story story("the value had a place in the channel once: is there one when it comes back?");
    auto [tx, rx] = channel<int>(1);
    {
        Started receiver(rx.recv());
        EXPECT_TRUE(tx.try_send(1));
        EXPECT_TRUE(tx.try_send(2));
        story.step("capacity 1: a receiver waits; send 1 and 2; the receiver is destroyed with 1");
    }
    Started sender(tx.send(3));
    story.expect("a sender has to wait", false, sender.done());
    story.expect("receive", 1, rx.try_recv().value_or(-1));
    story.expect("the sender still has to wait", false, sender.done());
    story.expect("receive", 2, rx.try_recv().value_or(-1));
    story.expect("the sender is done", true, sender.done());
    story.expect("receive", 3, rx.try_recv().value_or(-1));
}

TEST(Ex6_4_GiveBack, ValueGoesToTheNextReceiverThatWaits) {
    Story story("a value comes back, and somebody waits for one: do they meet?");
    ScriptedPost posts;
    auto [tx, rx] = channel<int>(4);
    std::optional<Started<RecvOperation<int>>> first(std::in_place, rx.recv());
    Started second(rx.recv());
    EXPECT_TRUE(tx.try_send(1));
    posts.run_all();
    first.reset();
    posts.run_all();
    story.step("two receivers wait; send 1; the first is destroyed with it");
    story.expect("the second is done", true, second.done());
    story.expect("it got", 1, second.done() ? second.finish().value_or(-1) : -1);
}

TEST(Ex6_4_GiveBack, ValueThatNobodyCanReceiveAnyMoreGoesAtOnce) {
    Story story("the receiver has gone: who could still get what comes back?");
    auto value = std::make_shared<int>(1);
    auto [tx, rx] = channel<std::shared_ptr<int>>(4);
    {
        Started receiver(rx.recv());
        EXPECT_TRUE(tx.try_send(value));
        {
            auto gone = std::move(rx);
        }
        story.step(
            "a recv waits and gets a value; the Receiver goes; then the recv, with its value");
    }
    story.expect("owners of the value, while a sender is left", 1L, value.use_count());
}

TEST(Ex6_4_GiveBack, ReadyReceiverThatIsNeverAwaitedGivesItsValueBack) {
    Story story("ready() may take the value already: what if nobody calls finish()?");
    auto [tx, rx] = channel<int>(4);
    EXPECT_TRUE(tx.try_send(1));
    EXPECT_TRUE(tx.try_send(2));
    {
        RecvOperation<int> op = rx.recv();
        EXPECT_TRUE(op.ready());
        RecvOperation<int> moved = std::move(op);
        story.step(
            "1 and 2 are in the channel; ask a receive whether it is ready, move it, drop it");
    }
    story.expect("receive", 1, rx.try_recv().value_or(-1));
    story.expect("receive", 2, rx.try_recv().value_or(-1));
    story.expect("there is another one", false, rx.try_recv().has_value());
}

TEST(Ex6_4_GiveBack, ChannelMayBeGoneWhenAReceiveIsDestroyed) {
    Story story("the receive has got its value, and both ends have gone: where is the channel?");
    ScriptedPost posts;
    testing_support::Waiter never_asks;
    std::optional<RecvOperation<int>> op;
    {
        auto [tx, rx] = channel<int>(1);
        EXPECT_TRUE(tx.try_send(1));
        op.emplace(rx.recv());
        op->start(never_asks);
    }
    op.reset();
    posts.run_all();
    story.step("start a receive: 1 is there already; both ends go, then the receive");
    story.expect("times its task was resumed", 1, never_asks.resumed);
}

/// Everybody sends, receives, stops and destroys at random; whoever was posted runs at random.
class Crowd {
  public:
    explicit Crowd(unsigned seed) : posts_(seed), ends_(channel<int>(1 + seed % 5)) {}

    void step() {
        const unsigned dice = posts_.random()() % 100;
        if (dice < 30) {
            senders_.push_back(std::make_unique<Send>(ends_.sender.send(sent_++)));
        } else if (dice < 60) {
            receivers_.push_back(std::make_unique<Recv>(ends_.receiver.recv()));
        } else if (dice < 75) {
            (dice % 2 ? stop_one(senders_) : stop_one(receivers_));
        } else {
            posts_.run_one();
        }
        collect(false);
    }
    /// Runs and collects everything; what never ended is dropped. \return how many values are
    /// unaccounted for
    int missing() {
        while (posts_.run_one()) {
        }
        collect(true);
        while (ends_.receiver.try_recv()) ++received_;
        return sent_ - received_ - came_back_;
    }

  private:
    using Send = Started<SendOperation<int>>;
    using Recv = Started<RecvOperation<int>>;

    template <class Op>
    void stop_one(std::vector<std::unique_ptr<Op>>& ops) {
        if (!ops.empty()) ops[posts_.random()() % ops.size()]->stop();
    }
    void collect(bool drop) {
        std::erase_if(receivers_, [&](auto& op) {
            if (!op->done()) return drop;
            // A third of those that have got a value never ask for it.
            if (!op->stopped() && posts_.random()() % 3 != 0 && op->finish()) ++received_;
            return true;
        });
        std::erase_if(senders_, [&](auto& op) {
            if (!op->done() && !drop) return false;
            if (!op->done() || op->stopped()) ++came_back_;
            if (op->done() && !op->stopped() && !op->finish()) ++came_back_;
            return true;
        });
    }

    ShuffledPost posts_;
    Channel<int> ends_;
    std::vector<std::unique_ptr<Send>> senders_;
    std::vector<std::unique_ptr<Recv>> receivers_;
    int sent_ = 0, received_ = 0, came_back_ = 0;
};

TEST(Ex6_4_Conservation, NoValueIsLostOrDoubledUnderRandomStops) {
    for (unsigned seed = 1; seed <= 200; ++seed) {
        Crowd crowd(seed);
        for (int i = 0; i < 500; ++i) crowd.step();
        ASSERT_EQ(crowd.missing(), 0)
            << "seed " << seed << ": values sent minus received minus taken back"
            << "\nAsk yourself: between which two events is a value nobody's?";
    }
}

}  // namespace
}  // namespace starling
