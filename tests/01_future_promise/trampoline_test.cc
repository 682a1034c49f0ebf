// 1.5: `post` without a scheduler: a loop instead of recursion.
#include <gtest/gtest.h>
#include <functional>
#include <starling/continuation.hh>
#include <starling/future.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace starling {
namespace {

using testing_support::StackProbe;
using testing_support::Story;
using testing_support::Waiter;
using Log = std::vector<std::string>;

constexpr std::size_t kFlatBytes = 64 * 1024;

TEST(Ex1_5_Trampoline, PostRunsAtOnceWhenNothingElseRuns) {
    Waiter waiter;
    post(waiter);
    EXPECT_EQ(waiter.resumed, 1) << "no loop runs on this thread, so post has to start one";
    EXPECT_FALSE(waiter.queued());
}

TEST(Ex1_5_Trampoline, PostFromInsideWaitsItsTurn) {
    Story story("who is on the stack while `second` runs?");
    Log log;
    Waiter second([&] { log.push_back("second"); });
    Waiter first([&] {
        log.push_back("first begins");
        post(second);
        log.push_back("first ends");
    });
    post(first);
    story.step("`first` posts `second` from inside its resume()");
    story.expect("what ran", Log{"first begins", "first ends", "second"}, log);
}

TEST(Ex1_5_Trampoline, FirstPostedRunsFirst) {
    Log log;
    Waiter a([&] { log.push_back("a"); });
    Waiter b([&] { log.push_back("b"); });
    Waiter c([&] { log.push_back("c"); });
    Waiter all([&] {
        post(a);
        post(b);
        post(c);
    });
    post(all);
    EXPECT_EQ(log, (Log{"a", "b", "c"}));
}

TEST(Ex1_5_Trampoline, ScopeHoldsBackUntilItEnds) {
    Story story("the caller wakes several waiters in a loop: when is its list safe to change?");
    Log log;
    Waiter a([&] { log.push_back("a"); });
    Waiter b([&] { log.push_back("b"); });
    {
        TrampolineScope scope;
        post(a);
        post(b);
        log.push_back("the loop ends");
    }
    story.step("two posts inside a TrampolineScope");
    story.expect("what ran", Log{"the loop ends", "a", "b"}, log);
}

TEST(Ex1_5_Trampoline, OnlyTheOutermostScopeRuns) {
    Log log;
    Waiter a([&] { log.push_back("a"); });
    {
        TrampolineScope outer;
        {
            TrampolineScope inner;
            post(a);
        }
        log.push_back("inner ended");
    }
    EXPECT_EQ(log, (Log{"inner ended", "a"}));
    post(a);
    EXPECT_EQ(log.size(), 3u) << "the scopes are over: post runs at once again";
}

TEST(Ex1_5_Trampoline, ContinuationMayDestroyItself) {
    // The trampoline touches nothing of a continuation once it runs: AddressSanitizer watches.
    struct Suicidal final : Continuation {
        explicit Suicidal(int& runs) : runs(runs) {}
        void resume() noexcept override {
            ++runs;
            delete this;
        }
        int& runs;
    };
    int runs = 0;
    {
        TrampolineScope scope;
        post(*new Suicidal(runs));
        post(*new Suicidal(runs));
    }
    post(*new Suicidal(runs));
    EXPECT_EQ(runs, 3);
}

/// Posts itself from its own resume() until it has hopped so often, or the stack is not flat.
struct Hop final : Continuation {
    explicit Hop(int hops) : left(hops) {}
    void resume() noexcept override {
        stack.touch();
        if (--left > 0 && stack.bytes() < kFlatBytes) post(*this);
    }
    int left;
    StackProbe stack;
};

TEST(Ex1_5_Trampoline, MillionHopsNeedTheStackOfOne) {
    Story story("how many resume() calls are on the stack at the second hop? At the millionth?");
    Hop hop(1'000'000);
    post(hop);
    story.step("a continuation posts itself from its resume(), a million times");
    story.expect("hops left", 0, hop.left);
    story.expect("less than 64 KiB of stack", true, hop.stack.bytes() < kFlatBytes);
}

/// A chain of functions on a pending future, fed with 0. \return what came out at its end
int run_chain(int links, StackProbe& stack) {
    Promise<int> promise;
    Future<int> end = promise.get_future();
    for (int i = 0; i < links; ++i) {
        end = std::move(end).then([&stack](int x) {
            stack.touch();
            return x + 1;
        });
    }
    promise.set_value(0);
    return end.ready() ? end.get() : -1;
}

TEST(Ex1_5_Trampoline, MillionLinkChainNeedsTheStackOfOne) {
    Story story("each link's function ends by setting a promise: does that call the next link?");
    for (const int links : {1'000, 1'000'000}) {
        StackProbe stack;
        const int end = run_chain(links, stack);
        story.step("feed 0 to a chain of so many links: " + std::to_string(links));
        if (!story.expect("what came out when set_value returned", links, end)) return;
        if (!story.expect("less than 64 KiB of stack", true, stack.bytes() < kFlatBytes)) return;
    }
}

/// A loop as people write it with futures: each round's function returns the future of the rest.
Future<int> count_down(int n, StackProbe& stack) {
    stack.touch();
    if (n == 0) return make_ready_future<int>(0);
    return make_ready_future<int>(n).then([&stack](int k) { return count_down(k - 1, stack); });
}

TEST(Ex1_5_Trampoline, MillionRoundsOfReadyFuturesNestOnlySoDeep) {
    StackProbe shallow;
    EXPECT_EQ(count_down(200, shallow).get(), 0);
    StackProbe deep;
    Future<int> end = count_down(1'000'000, deep);
    ASSERT_TRUE(end.ready());
    EXPECT_EQ(end.get(), 0);
    EXPECT_LE(deep.bytes(), shallow.bytes() + kFlatBytes)
        << "a ready future calls its function at once, but 64 deep it posts instead";
}

TEST(Ex1_5_Trampoline, MillionRoundsOfPendingFuturesForwardNothing) {
    // Each round's inner future is pending; relinking keeps one pair alive, not a million.
    StackProbe stack;
    Promise<void> tick;
    std::function<Future<int>(int)> rounds = [&](int n) -> Future<int> {
        stack.touch();
        if (n == 0) return make_ready_future<int>(0);
        tick = Promise<void>();
        return tick.get_future().then([&, n] { return rounds(n - 1); });
    };
    Future<int> end = rounds(1'000'000);
    while (!end.ready()) {
        Promise<void> now = std::move(tick);
        now.set_value();
    }
    EXPECT_EQ(end.get(), 0);
    EXPECT_LT(stack.bytes(), kFlatBytes);
}

TEST(Ex1_5_Trampoline, BrokenPromiseRunsDownALongChainInALoop) {
    StackProbe stack;
    Future<int> end;
    {
        Promise<int> promise;
        end = promise.get_future();
        for (int i = 0; i < 1'000; ++i) {
            end = std::move(end).then_wrapped([&stack](Future<int> f) {
                stack.touch();
                return f;
            });
        }
    }
    ASSERT_TRUE(end.ready());
    EXPECT_THROW(end.get(), FutureError);
    EXPECT_LT(stack.bytes(), kFlatBytes);
}

TEST(Ex1_5_Trampoline, HookTakesOverAndIsPutBack) {
    struct Counter {
        int posts = 0;
        static void on_post(void* self, Continuation& c) noexcept {
            ++static_cast<Counter*>(self)->posts;
            c.resume();
        }
    } counter;
    Waiter waiter;
    const PostHook previous = exchange_post_hook({&Counter::on_post, &counter});
    post(waiter);
    exchange_post_hook(previous);
    EXPECT_EQ(counter.posts, 1);
    post(waiter);
    EXPECT_EQ(counter.posts, 1) << "the trampoline is back";
    EXPECT_EQ(waiter.resumed, 2);
}

TEST(Ex1_5_Trampoline, EachThreadHasItsOwn) {
    Log log;
    Waiter here([&] { log.push_back("here"); });
    Waiter there([&] { log.push_back("there"); });
    {
        TrampolineScope scope;
        post(here);
        std::thread([&] { post(there); }).join();
        log.push_back("scope ends");
    }
    EXPECT_EQ(log, (Log{"there", "scope ends", "here"}))
        << "a scope on this thread holds nothing back on another";
}

}  // namespace
}  // namespace starling
