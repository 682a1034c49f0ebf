// 1.1: a result may come before or after somebody asks for it. Nothing moves here yet (1.2), and
// nothing needs the trampoline (1.5): the tests say themselves when a posted continuation runs.
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <starling/future.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <stdexcept>
#include <utility>

namespace starling {
namespace {

using testing_support::ImmediatePost;
using testing_support::ScriptedPost;
using testing_support::Story;
using testing_support::Waiter;

TEST(Ex1_1_Deliver, ValueThatComesAfterTheFutureIsThere) {
    Story story("where does set_value put the value when the future exists already?");
    Promise<int> promise;
    Future<int> future = promise.get_future();
    story.step("ask a promise for its future");
    story.expect("the future is ready", false, future.ready());
    promise.set_value(7);
    story.step("promise.set_value(7)");
    if (!story.expect("the future is ready", true, future.ready())) return;
    story.expect("its value", 7, future.get());
}

TEST(Ex1_1_Deliver, ValueThatComesBeforeTheFutureIsThere) {
    Story story("where does a value wait until somebody asks for the future?");
    Promise<int> promise;
    promise.set_value(7);
    story.step("promise.set_value(7), and only then get_future()");
    Future<int> future = promise.get_future();
    if (!story.expect("the future is ready", true, future.ready())) return;
    story.expect("its value", 7, future.get());
}

TEST(Ex1_1_Deliver, FutureOfAnEarlyValueOutlivesItsPromise) {
    Story story("the value came before the future: what still ties the two?");
    auto promise = std::make_unique<Promise<int>>();
    promise->set_value(7);
    Future<int> future = promise->get_future();
    story.step("set_value(7), get_future(), and then the promise goes");
    promise.reset();
    if (!story.expect("the future is ready", true, future.ready())) return;
    story.expect("its value", 7, future.get());
}

TEST(Ex1_1_Deliver, FutureOfALateValueOutlivesItsPromise) {
    Story story("the value is here: does either end still know where the other one is?");
    auto promise = std::make_unique<Promise<int>>();
    Future<int> future = promise->get_future();
    promise->set_value(7);
    story.step("get_future(), set_value(7), and then the promise goes, before the future does");
    promise.reset();
    story.expect("its value", 7, future.get());
}

TEST(Ex1_1_Deliver, WaiterThatComesFirstIsPostedWhenTheValueArrives) {
    Story story("which of the two ends knows that somebody waits, when the value arrives?");
    ScriptedPost posts;
    Promise<int> promise;
    Future<int> future = promise.get_future();
    Waiter waiter;
    future.start(waiter);
    story.step("future.start(waiter) on a future that is not ready");
    story.expect("continuations posted", 0u, posts.waiting());
    promise.set_value(7);
    story.step("promise.set_value(7)");
    story.expect("continuations posted", 1u, posts.waiting());
    posts.run_all();
    story.expect("times the waiter ran", 1, waiter.resumed);
    story.expect("the value", 7, future.get());
}

TEST(Ex1_1_Deliver, WaiterThatComesLateIsPostedAtOnce) {
    Story story("nobody will call set_value again: who posts a waiter that comes after it?");
    ScriptedPost posts;
    Promise<int> promise;
    Future<int> future = promise.get_future();
    promise.set_value(7);
    Waiter waiter;
    future.start(waiter);
    story.step("set_value(7), then future.start(waiter)");
    story.expect("continuations posted", 1u, posts.waiting());
    story.expect("times the waiter ran before its turn", 0, waiter.resumed);
    posts.run_all();
    story.expect("times the waiter ran", 1, waiter.resumed);
}

TEST(Ex1_1_Deliver, WaiterIsPostedExactlyOnce) {
    ScriptedPost posts;
    Waiter waiter;
    {
        Promise<int> promise;
        Future<int> future = promise.get_future();
        future.start(waiter);
        promise.set_value(7);
        posts.run_all();
        EXPECT_EQ(future.get(), 7);
    }  // Neither end has anything to say when it goes.
    EXPECT_EQ(posts.run_all(), 0u) << "somebody posted the waiter again after the value was taken";
    EXPECT_EQ(waiter.resumed, 1);
}

TEST(Ex1_1_Deliver, ForgottenWaiterIsNotPosted) {
    ScriptedPost posts;
    Promise<int> promise;
    Future<int> future = promise.get_future();
    Waiter waiter;
    future.start(waiter);
    future.forget_waiter();
    promise.set_value(7);
    EXPECT_EQ(posts.waiting(), 0u) << "forget_waiter() came before the value: nobody waits";
    EXPECT_EQ(future.get(), 7) << "the value does not depend on whether somebody waits";
}

TEST(Ex1_1_Deliver, ExceptionArrivesInBothOrders) {
    Promise<int> late;
    Future<int> first = late.get_future();
    late.set_exception(std::runtime_error("after"));
    EXPECT_TRUE(first.failed());
    EXPECT_THROW(first.get(), std::runtime_error);

    Promise<int> early;
    early.set_exception(std::runtime_error("before"));
    Future<int> second = early.get_future();
    EXPECT_TRUE(second.failed());
    EXPECT_THROW(std::rethrow_exception(second.get_exception()), std::runtime_error);
    EXPECT_FALSE(second.failed()) << "get_exception() takes the exception";
}

template <class P>
concept SetsNothing = requires(P& promise) { promise.set_value(); };

TEST(Ex1_1_Deliver, VoidFutureCarriesOnlyTheFact) {
    static_assert(SetsNothing<Promise<void>> && !SetsNothing<Promise<int>> &&
                  !SetsNothing<Promise<int&>>);
    ScriptedPost posts;
    Promise<void> promise;
    Future<void> future = promise.get_future();
    Waiter waiter;
    future.start(waiter);
    promise.set_value();
    EXPECT_EQ(posts.run_all(), 1u);
    EXPECT_TRUE(future.ready());
    future.get();
}

TEST(Ex1_1_Deliver, MoveOnlyValuesAndReferencesArrive) {
    Promise<std::unique_ptr<int>> owner;
    Future<std::unique_ptr<int>> owned = owner.get_future();
    owner.set_value(std::make_unique<int>(7));
    EXPECT_EQ(*owned.get(), 7);

    int x = 1;
    Promise<int&> pointing;
    pointing.set_value(x);
    Future<int&> reference = pointing.get_future();
    EXPECT_EQ(&reference.get(), &x) << "the same object, not a copy";
}

TEST(Ex1_1_Deliver, SecondValueIsRefused) {
    const auto code_of_second_set = [](Promise<int>& promise) {
        promise.set_value(1);
        try {
            promise.set_value(2);
        } catch (const FutureError& e) {
            return e.code();
        }
        return FutureError::Code::no_state;
    };
    Promise<int> with_future;
    Future<int> future = with_future.get_future();
    EXPECT_EQ(code_of_second_set(with_future), FutureError::Code::already_satisfied);
    EXPECT_EQ(future.get(), 1) << "the first value counts";
    Promise<int> without;
    EXPECT_EQ(code_of_second_set(without), FutureError::Code::already_satisfied);
}

TEST(Ex1_1_Deliver, SecondFutureIsRefused) {
    Promise<int> promise;
    Future<int> future = promise.get_future();
    try {
        Future<int> second = promise.get_future();
        FAIL() << "a promise has one future; a second one would share its value with whom?";
    } catch (const FutureError& e) {
        EXPECT_EQ(e.code(), FutureError::Code::already_retrieved);
    }
    promise.set_value(3);
    EXPECT_EQ(future.get(), 3) << "the refusal changed nothing";
}

TEST(Ex1_1_Deliver, ValueThatCannotBeMadeLeavesThePromiseAsItWas) {
    struct Picky {
        explicit Picky(int x) : value(x) {
            if (x < 0) throw std::invalid_argument("negative");
        }
        int value;
    };
    ScriptedPost posts;
    Promise<Picky> promise;
    Future<Picky> future = promise.get_future();
    Waiter waiter;
    future.start(waiter);
    EXPECT_THROW(promise.set_value(-1), std::invalid_argument);
    EXPECT_FALSE(future.ready()) << "nothing arrived, so nothing has happened";
    EXPECT_EQ(posts.waiting(), 0u);
    ASSERT_NO_THROW(promise.set_value(4)) << "the first value could not be made, so there is none. "
                                             "When is a promise satisfied?";
    EXPECT_EQ(posts.run_all(), 1u);
    EXPECT_EQ(future.get().value, 4);

    Promise<Picky> early;
    EXPECT_THROW(early.set_value(-1), std::invalid_argument);
    EXPECT_NO_THROW(early.set_value(5)) << "nobody has asked for the future yet, and nothing has "
                                           "been kept. When is a promise satisfied?";
    EXPECT_EQ(early.get_future().get().value, 5);
}

TEST(Ex1_1_Deliver, FutureWhoseWaiterWasPostedTakesAnother) {
    ScriptedPost posts;
    Promise<int> promise;
    Future<int> future = promise.get_future();
    Waiter first, second;
    future.start(first);
    promise.set_value(7);
    EXPECT_EQ(posts.run_all(), 1u);
    future.start(second);  // Asserts that nobody waits.
    EXPECT_EQ(posts.run_all(), 1u) << "the value is here: whoever waits now is posted at once";
    EXPECT_EQ(future.get(), 7);
}

TEST(Ex1_1_Deliver, ReadyFutureWhoseWaiterWasPostedTakesAnother) {
    Story story("the first waiter was posted at once: does the future still remember it?");
    ScriptedPost posts;
    Promise<int> promise;
    Future<int> future = promise.get_future();
    promise.set_value(7);
    Waiter first, second;
    story.step("set_value(7), start(first), start(second)");
    future.start(first);
    future.start(second);  // Asserts that nobody waits.
    story.expect("continuations posted", 2u, posts.run_all());
    story.expect("the value", 7, future.get());
}

TEST(Ex1_1_Deliver, WaiterMayDestroyBothEndsWhileItRuns) {
    // Under AddressSanitizer a touch of either end behind the post is a report.
    struct Pair {
        Promise<int> promise;
        Future<int> future = promise.get_future();
    };
    ImmediatePost posts;
    auto pair = std::make_unique<Pair>();
    int got = 0;
    Waiter waiter([&] {
        got = pair->future.get();
        pair.reset();
    });
    pair->future.start(waiter);
    pair->promise.set_value(7);
    EXPECT_EQ(got, 7);
    EXPECT_EQ(pair, nullptr);
}

}  // namespace
}  // namespace starling
