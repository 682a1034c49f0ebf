// 3.6: a coroutine waits for one wake-up, or for a stop, whichever comes first.
#include <gtest/gtest.h>

#include <atomic>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <starling/probes.hh>
#include <starling/scheduler.hh>
#include <starling/story.hh>
#include <starling/task.hh>
#include <starling/task_probes.hh>
#include <starling/waker.hh>
#include <string>
#include <thread>
#include <vector>

namespace starling {
namespace {

using testing_support::Hold;
using testing_support::ImmediatePost;
using testing_support::Story;
using testing_support::Waiter;

/// Waits for one wake-up, and writes down how that ended.
Task<> wait_once(Park& park, std::string& log) {
    try {
        co_await park;
        log += "woken ";
    } catch (const Cancelled&) {
        log += "cancelled ";
    }
}

/// A task that runs in `scheduler`, in a context of its own.
struct Running {
    Running(ManualScheduler& scheduler, Task<>&& body) : task(std::move(body)) {
        task.promise().set_context(&context);
        scheduler.schedule(task.promise());
    }
    Context context{"test"};
    Task<> task;
};

TEST(Ex3_6_Park, WakeResumesTheWaiter) {
    Story story("the wake has arrived at the Park: who goes on now?");
    ManualScheduler scheduler;
    std::string log;
    Park park(scheduler.inbox());
    Running running(scheduler, wait_once(park, log));
    scheduler.run_until_idle(10);
    story.step("a coroutine awaits a Park");
    story.expect("what happened", std::string(), log);
    std::thread([waker = park.waker()] { waker.wake(); }).join();
    scheduler.run_until_idle(10);
    story.step("another thread wakes it");
    story.expect("what happened", std::string("woken "), log);
}

TEST(Ex3_6_Park, StartBehindTheWakePostsTheWaiterOnce) {
    Story story("nothing will wake this Park again: who posts whoever starts to wait now?");
    ManualScheduler scheduler;
    Park park(scheduler.inbox());
    park.waker().wake();
    scheduler.run_until_idle(10);
    story.step("wake(), and it arrives");
    testing_support::ScriptedPost posts;
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    park.start(waiter);
    story.step("park.start(waiter)");
    story.expect("posts", std::size_t{1}, posts.waiting());
    context.request_stop();
    story.step("its context is stopped: a success beats a stop");
    story.expect("posts", std::size_t{1}, posts.run_all());
}

/// Notes on whose behalf things are scheduled.
struct Recorder {
    void schedule(Continuation& c) noexcept {
        contexts.push_back(c.context());
        queue.push(c);
    }
    std::vector<Context*> contexts;
    ContinuationQueue queue;
};

TEST(Ex3_6_Park, WakeTravelsOnBehalfOfTheWaitersContext) {
    Recorder recorder;
    const auto inbox = std::make_shared<Inbox>();
    SchedulerScope scope(recorder, inbox.get());
    Park park(inbox);
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    park.start(waiter);
    park.waker().wake();
    EXPECT_EQ(recorder.contexts, std::vector<Context*>{&context})
        << "a run queue asks the context of what it gets for its priority. The node is not the "
           "waiter: how does it get to know it?";
    while (!recorder.queue.empty()) recorder.queue.pop().resume();
    EXPECT_EQ(waiter.resumed, 1);
}

TEST(Ex3_6_Park, WakeBeforeTheAwaitCounts) {
    for (const bool delivered : {true, false}) {
        Story story("nobody waits when the wake arrives: who remembers it?");
        ManualScheduler scheduler;
        std::string log;
        Park park(scheduler.inbox());
        park.waker().wake();
        if (delivered) scheduler.run_until_idle(10);
        story.step(delivered ? "wake(), and it arrives" : "wake(), still on its way");
        Running running(scheduler, wait_once(park, log));
        scheduler.run_until_idle(10);
        story.step("now a coroutine awaits the Park");
        story.expect("what happened", std::string("woken "), log);
    }
}

TEST(Ex3_6_Park, WaiterDoesNotQueueASecondTime) {
    Story story(
        "between two batches the frame may be destroyed: may a queue hold the waiter then?");
    ManualScheduler scheduler;
    std::string log;
    Park park(scheduler.inbox());
    Running running(scheduler, wait_once(park, log));
    scheduler.run_until_idle(10);
    park.waker().wake();
    story.step("a coroutine waits, and is woken");
    story.expect("run_batch() ran", 1u, scheduler.run_batch());
    story.expect("what happened", std::string("woken "), log);
    scheduler.run_until_idle(10);
}

Task<> wait_twice(Park& park, Hold& hold, std::string& log) {
    co_await park;
    log += "woken ";
    co_await hold;
    log += "held ";
}

TEST(Ex3_6_Park, SecondWakeHasNoEffect) {
    Story story("the Park still stands in the frame; where does the coroutine wait by now?");
    ManualScheduler scheduler;
    std::string log;
    Park park(scheduler.inbox());
    Hold hold;
    Running running(scheduler, wait_twice(park, hold, log));
    Waker waker = park.waker();
    scheduler.run_until_idle(10);
    waker.wake();
    scheduler.run_until_idle(10);
    story.step("a coroutine awaits a Park, is woken, and awaits something else");
    waker.wake();
    scheduler.run_until_idle(10);
    story.step("the same waker wakes again");
    story.expect("what happened", std::string("woken "), log);
    story.expect("holders: Park and waker", 2u, waker.use_count());
}

TEST(Ex3_6_Park, StopEndsTheWait) {
    Story story("the stop comes first: who is posted, and what may a wake still do?");
    ManualScheduler scheduler;
    std::string log;
    Park park(scheduler.inbox());
    Running running(scheduler, wait_once(park, log));
    scheduler.run_until_idle(10);
    {
        SchedulerScope scope(scheduler, scheduler.inbox().get());
        running.context.request_stop();
    }
    story.step("a coroutine awaits a Park; its context is stopped");
    story.expect("it runs inside of request_stop", std::string(), log);
    park.waker().wake();
    story.step("a late wake");
    scheduler.run_until_idle(10);
    story.expect("what happened", std::string("cancelled "), log);
}

TEST(Ex3_6_Park, StopAlsoEndsTheWaitAfterAStop) {
    Story story("a stop has used this Park up: what can end the next wait there?");
    ManualScheduler scheduler;
    Park park(scheduler.inbox());
    for (const char* wait : {"the first wait", "the second wait"}) {
        Context context;
        Waiter waiter;
        waiter.set_context(&context);
        park.start(waiter);
        {
            SchedulerScope scope(scheduler, scheduler.inbox().get());
            context.request_stop();
        }
        scheduler.run_until_idle(10);
        story.step(std::string(wait) + ", in a context that is then stopped");
        if (!story.expect("times the waiter ran", 1, waiter.resumed)) return;
        story.expect("the wait was stopped", true, park.stopped());
    }
}

TEST(Ex3_6_Park, StopBehindTheWakeResumesNobody) {
    Story story("the waiter is on its way already: does a stop send it a second time?");
    ManualScheduler scheduler;
    Context context;
    Park park(scheduler.inbox());
    Waiter waiter([&] { context.request_stop(); });
    waiter.set_context(&context);
    park.start(waiter);
    park.waker().wake();
    story.step("a waiter is woken, and requests a stop of its own context");
    scheduler.run_until_idle(10);
    story.expect("times it ran", 1, waiter.resumed);
    story.expect("the wait was stopped", false, park.stopped());
}

TEST(Ex3_6_Park, WakeThatWasFirstBeatsAStop) {
    Story story("the wake is on its way when the stop comes: which of them counts?");
    ManualScheduler scheduler;
    std::string log;
    Park park(scheduler.inbox());
    Running running(scheduler, wait_once(park, log));
    scheduler.run_until_idle(10);
    park.waker().wake();
    story.step("wake(), which has not arrived yet");
    {
        SchedulerScope scope(scheduler, scheduler.inbox().get());
        running.context.request_stop();
    }
    story.step("the context is stopped");
    scheduler.run_until_idle(10);
    story.expect("what happened", std::string("woken "), log);
}

TEST(Ex3_6_Park, WaiterSeesWhatTheWakerWrote) {
    ManualScheduler scheduler;
    int written = 0;
    int seen = 0;
    std::atomic<bool> woken{false};  // Relaxed: it orders nothing.
    Park park(scheduler.inbox());
    Waiter waiter([&] { seen = written; });
    park.start(waiter);
    std::thread other([&, waker = park.waker()] {
        written = 42;
        waker.wake();
        woken.store(true, std::memory_order_relaxed);
    });
    while (!woken.load(std::memory_order_relaxed)) std::this_thread::yield();
    scheduler.run_until_idle(10);
    EXPECT_EQ(seen, 42) << "what happened before wake() happens before the waiter goes on";
    other.join();
}

TEST(Ex3_6_Park, StartTouchesNothingAfterItsWaiterMayRun) {
    // The context is stopped already: the waiter runs inside of start(), and destroys the Park.
    // AddressSanitizer watches.
    ImmediatePost posts;
    Context context;
    context.request_stop();
    auto park = std::make_unique<Park>(std::make_shared<Inbox>());
    Waiter waiter([&] { park.reset(); });
    waiter.set_context(&context);
    park->start(waiter);
    EXPECT_EQ(waiter.resumed, 1);
    EXPECT_EQ(park, nullptr);
}

TEST(Ex3_6_Park, WaiterMayDestroyTheParkWhenItIsWoken) {
    // AddressSanitizer watches what is touched behind the waiter's resume().
    ManualScheduler scheduler;
    auto park = std::make_unique<Park>(scheduler.inbox());
    Waiter waiter([&] { park.reset(); });
    park->start(waiter);
    park->waker().wake();
    scheduler.run_until_idle(10);
    EXPECT_EQ(waiter.resumed, 1);
    EXPECT_EQ(park, nullptr);
}

Task<> park_here(ManualScheduler& scheduler, Waker& out, int& woken) {
    Park park(scheduler.inbox());
    out = park.waker();
    co_await park;
    ++woken;
}

TEST(Ex3_6_Park, FrameMayDieWhileItWaits) {
    Story story("the frame is gone, and with it the Park: how does the wake learn of that?");
    ManualScheduler scheduler;
    Waker waker_of_dead;
    Waker waker_of_living;
    int woken = 0;
    Running living(scheduler, park_here(scheduler, waker_of_living, woken));
    {
        Running dying(scheduler, park_here(scheduler, waker_of_dead, woken));
        scheduler.run_until_idle(10);
    }
    story.step("two coroutines wait; the frame of one is destroyed; both are woken");
    waker_of_dead.wake();
    waker_of_living.wake();
    scheduler.run_until_idle(10);
    story.expect("how many went on", 1, woken);
    story.expect("holders of the dead one's node", 1u, waker_of_dead.use_count());
}

TEST(Ex3_6_Park, HundredThousandFramesDieWithLiveWakers) {
    constexpr int kFrames = 100'000;
    ManualScheduler scheduler;
    std::vector<Waker> wakers(kFrames);
    int woken = 0;
    std::vector<std::unique_ptr<Running>> frames;
    for (Waker& waker : wakers) {
        frames.push_back(std::make_unique<Running>(scheduler, park_here(scheduler, waker, woken)));
    }
    scheduler.run_until_idle(10);
    std::atomic<bool> begun{false};
    std::thread other([&] {
        for (const Waker& waker : wakers) {
            waker.wake();
            begun.store(true, std::memory_order_relaxed);
        }
    });
    while (!begun.load(std::memory_order_relaxed)) std::this_thread::yield();
    frames.resize(1);  // While the other thread wakes them, one after the other.
    other.join();
    scheduler.run_until_idle(10);
    EXPECT_EQ(woken, 1) << "one frame was still there when its wake arrived";
    wakers.clear();
    EXPECT_EQ(scheduler.inbox()->wakers(), 0u);
}

TEST(Ex3_6_Park, EachWaitEndsOnceHoweverWakesAndStopsFall) {
    std::mt19937 random(1);
    for (int round = 0; round < 20; ++round) {
        ManualScheduler scheduler;
        std::string log;
        std::deque<Park> parks;
        std::deque<Running> tasks;
        for (int i = 0; i < 50; ++i) {
            parks.emplace_back(scheduler.inbox());
            tasks.emplace_back(scheduler, wait_once(parks.back(), log));
        }
        for (int i = 0; i < 200; ++i) {
            const std::size_t which = random() % parks.size();
            SchedulerScope scope(scheduler, scheduler.inbox().get());
            switch (random() % 4) {
                case 0:
                    parks[which].waker().wake();
                    break;
                case 1:
                    tasks[which].context.request_stop();
                    break;
                case 2:
                    std::thread([w = parks[which].waker()] { w.wake(); }).join();
                    break;
                default:
                    scheduler.run_batch();
            }
        }
        for (Park& park : parks) park.waker().wake();
        EXPECT_TRUE(scheduler.run_until_idle(1000));
        std::size_t ends = 0;
        for (const char c : log) ends += c == ' ' ? 1 : 0;
        EXPECT_EQ(ends, parks.size()) << "each of the 50 waits ends exactly once";
    }
}

}  // namespace
}  // namespace starling
