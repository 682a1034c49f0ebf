// 1.2: both ends may move, and still find each other.
#include <gtest/gtest.h>
#include <memory>
#include <starling/future.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/when_all.hh>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace starling {
namespace {

using testing_support::ScriptedPost;
using testing_support::Story;
using testing_support::Tracked;
using testing_support::Waiter;

TEST(Ex1_2_Relink, FutureThatMovedStillGetsTheValue) {
    Story story("the promise holds an address; whose is it now?");
    Promise<int> promise;
    Future<int> old = promise.get_future();
    Future<int> future(std::move(old));
    story.step("ask for the future, then move it: Future<int> future(std::move(old))");
    promise.set_value(7);
    story.step("promise.set_value(7)");
    story.expect("the moved-from future is ready", false, old.ready());
    if (!story.expect("the future is ready", true, future.ready())) return;
    story.expect("its value", 7, future.get());
}

TEST(Ex1_2_Relink, PromiseThatMovedStillReachesItsFuture) {
    Story story("when the old promise is destroyed, what does it think of its future?");
    auto old = std::make_unique<Promise<int>>();
    Future<int> future = old->get_future();
    Promise<int> promise(std::move(*old));
    old.reset();
    story.step("move the promise and destroy the moved-from one");
    if (!story.expect("the future is ready", false, future.ready())) return;
    promise.set_value(7);
    story.step("promise.set_value(7)");
    if (!story.expect("the future is ready", true, future.ready())) return;
    story.expect("its value", 7, future.get());
}

TEST(Ex1_2_Relink, PairsSurviveTheGrowthOfTheirVectors) {
    std::vector<Promise<int>> promises;
    std::vector<Future<int>> futures;
    constexpr int kPairs = 100;
    for (int i = 0; i < kPairs; ++i) {  // Reallocations move all ends, several times.
        promises.emplace_back();
        futures.push_back(promises.back().get_future());
    }
    for (int i = 0; i < kPairs; ++i) promises[i].set_value(i);
    for (int i = 0; i < kPairs; ++i) {
        ASSERT_TRUE(futures[i].ready()) << "pair " << i << " lost its way";
        ASSERT_EQ(futures[i].get(), i);
    }
}

TEST(Ex1_2_Relink, WaiterMovesAlong) {
    ScriptedPost posts;
    Promise<int> promise;
    Future<int> old = promise.get_future();
    Waiter waiter;
    old.start(waiter);
    Future<int> future(std::move(old));
    promise.set_value(7);
    EXPECT_EQ(posts.run_all(), 1u) << "the waiter waits for the value, wherever the future is";
    EXPECT_EQ(future.get(), 7);
}

TEST(Ex1_2_Relink, ResultMovesAlong) {
    Tracked::alive = 0;
    {
        Promise<Tracked> early;
        early.set_value(1);
        Promise<Tracked> promise(std::move(early));  // The value waits in the promise.
        Future<Tracked> old = promise.get_future();
        ASSERT_TRUE(old.ready()) << "the promise moved with a value that nobody had asked for yet. "
                                    "Where is that value now?";
        Future<Tracked> future(std::move(old));  // The value is in the future.
        EXPECT_FALSE(old.valid()) << "a moved-from future has no value and will get none";
        ASSERT_TRUE(future.ready()) << "the future moved with its value. Where is the value now?";
        EXPECT_EQ(future.get().value, 1);
    }
    EXPECT_EQ(Tracked::alive, 0);
}

TEST(Ex1_2_Relink, MoveAssignmentJoinsTheNewPair) {
    Promise<std::string> promise;
    Future<std::string> future;
    EXPECT_FALSE(future.valid());
    future = promise.get_future();
    EXPECT_TRUE(future.valid());
    Promise<std::string> other;
    other = std::move(promise);
    other.set_value("here");
    ASSERT_TRUE(future.ready());
    EXPECT_EQ(future.get(), "here");
}

TEST(Ex1_2_Relink, MoveToItselfChangesNothing) {
    Promise<int> promise;
    Future<int> future = promise.get_future();
    Future<int> moved(std::move(future));
    auto& same_promise = promise;
    auto& same_future = moved;
    promise = std::move(same_promise);
    moved = std::move(same_future);
    promise.set_value(7);
    ASSERT_TRUE(moved.ready());
    EXPECT_EQ(moved.get(), 7);
}

TEST(Ex1_2_Relink, PromiseThatMovedKnowsThatItsFutureIsGivenOut) {
    Promise<int> old;
    Future<int> future = old.get_future();
    Promise<int> promise(std::move(old));
    EXPECT_THROW(auto second = promise.get_future(), FutureError)
        << "a second future for one value. Which of the promise's members says that there is one?";
    promise.set_value(7);
    ASSERT_TRUE(future.ready());
    EXPECT_EQ(future.get(), 7);
}

TEST(Ex1_2_Relink, MovedFromPromiseIsRefused) {
    Promise<int> old;
    Promise<int> promise(std::move(old));
    EXPECT_THROW(auto future = old.get_future(), FutureError);
    try {
        old.set_value(1);
        FAIL() << "a moved-from promise has no future to bring a value to";
    } catch (const FutureError& e) {
        EXPECT_EQ(e.code(), FutureError::Code::no_state);
    }
    EXPECT_NO_THROW(promise.set_value(2));
}

TEST(Ex1_2_WhenAll, KeepsEveryResultAndEveryException) {
    ScriptedPost posts;
    std::vector<Promise<int>> promises(4);
    std::vector<Future<int>> futures;
    for (auto& p : promises) futures.push_back(p.get_future());
    auto all = when_all(std::move(futures));
    promises[2].set_exception(std::runtime_error("two"));
    promises[0].set_value(0);
    promises[3].set_exception(std::runtime_error("three"));
    promises[1].set_value(1);
    posts.run_all();
    ASSERT_TRUE(all.ready());
    auto results = all.get();
    EXPECT_EQ(results[0].get(), 0);
    EXPECT_EQ(results[1].get(), 1);
    EXPECT_THROW(results[2].get(), std::runtime_error);
    EXPECT_THROW(results[3].get(), std::runtime_error) << "the second exception is not lost";
}

}  // namespace
}  // namespace starling
