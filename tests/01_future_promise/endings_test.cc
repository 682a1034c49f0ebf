// 1.4: endings that nobody wants: results that never come, and results that nobody looks at.
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <ostream>
#include <starling/future.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace starling {

/// How a failed expectation shows one.
static void PrintTo(FutureError::Code code, std::ostream* out) {
    *out << '"' << FutureError(code).what() << '"';
}

namespace {

using testing_support::IgnoredExceptions;
using testing_support::ImmediatePost;
using testing_support::ScriptedPost;
using testing_support::Story;
using testing_support::Tracked;
using testing_support::Waiter;

/// The code of the FutureError that `f` throws.
template <class F>
std::optional<FutureError::Code> code_of(F f) {
    try {
        f();
    } catch (const FutureError& e) {
        return e.code();
    }
    return std::nullopt;
}

TEST(Ex1_4_Endings, PromiseThatGoesAwayBreaksItsPromise) {
    Story story("set_value will never be called now: what does the future still wait for?");
    Future<int> future;
    {
        Promise<int> promise;
        future = promise.get_future();
    }
    story.step("a promise is destroyed without a result");
    if (!story.expect("its future is ready", true, future.ready())) return;
    story.expect("with an exception", true, future.failed());
    EXPECT_EQ(code_of([&] { future.get(); }), FutureError::Code::broken_promise);
}

TEST(Ex1_4_Endings, WhoeverWaitsHearsOfABrokenPromise) {
    Story story("the waiter waits; who will ever post it?");
    ScriptedPost posts;
    auto promise = std::make_unique<Promise<int>>();
    Future<int> future = promise->get_future();
    Waiter waiter;
    future.start(waiter);
    promise.reset();
    posts.run_all();
    story.step("somebody waits, and the promise is destroyed");
    story.expect("times the waiter ran", 1, waiter.resumed);
}

TEST(Ex1_4_Endings, BrokenPromiseTravelsAlongAChain) {
    ScriptedPost posts;
    int calls = 0;
    Future<int> end;
    {
        Promise<int> promise;
        end = promise.get_future().then([&](int x) { return ++calls, x; });
    }
    posts.run_all();
    EXPECT_EQ(calls, 0);
    EXPECT_EQ(code_of([&] { end.get(); }), FutureError::Code::broken_promise);
}

TEST(Ex1_4_Endings, AssignmentBreaksTheOldPromiseLast) {
    // Whoever hears of it may destroy the promise that is being assigned to.
    ImmediatePost posts;
    auto promise = std::make_unique<Promise<int>>();
    Future<int> old = promise->get_future();
    Promise<int> fresh;
    Future<int> next = fresh.get_future();
    Waiter waiter([&] { promise.reset(); });
    old.start(waiter);
    *promise = std::move(fresh);
    EXPECT_EQ(waiter.resumed, 1);
    EXPECT_EQ(code_of([&] { old.get(); }), FutureError::Code::broken_promise);
    EXPECT_EQ(code_of([&] { next.get(); }), FutureError::Code::broken_promise)
        << "the new promise was destroyed, too, by the waiter of the old";
}

TEST(Ex1_4_Endings, PromiseIsWantedWhileItsFutureHasNoResult) {
    Story story("who is still there to get a value?");
    Promise<int> promise;
    story.expect("a new promise is wanted", false, promise.wanted());
    {
        Future<int> future = promise.get_future();
        story.step("somebody asks for the future");
        story.expect("it is wanted", true, promise.wanted());
    }
    story.step("the future goes");
    story.expect("it is wanted", false, promise.wanted());

    Promise<int> kept;
    Future<int> future = kept.get_future();
    kept.set_value(7);
    story.step("another one, whose future gets a value");
    story.expect("it is wanted", false, kept.wanted());
}

TEST(Ex1_4_Endings, ResultIsTakenOnce) {
    Promise<int> promise;
    Future<int> future = promise.get_future();
    EXPECT_EQ(code_of([&] { future.get(); }), FutureError::Code::not_ready);
    promise.set_value(1);
    EXPECT_EQ(future.get(), 1);
    EXPECT_EQ(code_of([&] { future.get(); }), FutureError::Code::already_retrieved);
    Future<int> moved(std::move(future));
    EXPECT_EQ(code_of([&] { moved.get(); }), FutureError::Code::already_retrieved)
        << "it moved after its value was taken, and forgot that (adopt, 1.2)";
    EXPECT_EQ(code_of([&] { future.get(); }), FutureError::Code::no_state)
        << "it was moved from, and has no past of its own any more (adopt, 1.2)";
}

TEST(Ex1_4_Endings, FutureWithoutAPromiseSaysSo) {
    Future<int> none;
    Waiter waiter;
    EXPECT_EQ(code_of([&] { none.get(); }), FutureError::Code::no_state);
    EXPECT_EQ(code_of([&] { none.start(waiter); }), FutureError::Code::no_state);
    EXPECT_EQ(code_of([&] { auto f = std::move(none).then([](int) {}); }),
              FutureError::Code::no_state);

    Future<int> from = make_ready_future<int>(1);
    Future<int> to(std::move(from));
    EXPECT_EQ(code_of([&] { from.get(); }), FutureError::Code::no_state) << "moved from";
    EXPECT_EQ(to.get(), 1);
}

TEST(Ex1_4_Endings, FunctionThatReturnsAMovedFromFutureIsTold) {
    Future<int> used = make_ready_future<int>(1);
    EXPECT_EQ(used.get(), 1);
    ScriptedPost posts;
    Promise<void> promise;
    auto result = promise.get_future().then([&] { return std::move(used); });
    promise.set_value();
    posts.run_all();
    ASSERT_TRUE(result.ready()) << "that future has no promise: nobody else will end this wait";
    EXPECT_TRUE(code_of([&] { result.get(); }).has_value());
    EXPECT_TRUE(code_of([&] { result.get(); }).has_value());
}

TEST(Ex1_4_Endings, PromiseOutlivesItsFuture) {
    ScriptedPost posts;
    Promise<std::vector<int>> promise;
    {
        Future<std::vector<int>> future = promise.get_future();
    }
    EXPECT_NO_THROW(promise.set_value({1, 2, 3})) << "nobody wants the value; that is no error";
    EXPECT_EQ(posts.waiting(), 0u);
}

TEST(Ex1_4_Endings, ValueThatNobodyWantsIsNotKept) {
    Tracked::alive = 0;
    Promise<Tracked> promise;
    {
        Future<Tracked> gone = promise.get_future();
    }
    promise.set_value(1);
    EXPECT_EQ(Tracked::alive, 0) << "the future has come and gone, and there is no second one: for "
                                    "whom does the promise keep the value? (satisfy, 1.1)";
}

TEST(Ex1_4_Endings, DroppedWaiterIsNotPosted) {
    ScriptedPost posts;
    Promise<int> promise;
    Waiter waiter;
    {
        Future<int> future = promise.get_future();
        future.start(waiter);
    }
    promise.set_value(1);
    EXPECT_EQ(posts.waiting(), 0u) << "with the future goes the interest of whoever waited for it";
}

TEST(Ex1_4_Endings, AssignmentLeavesTheOldPair) {
    Promise<int> first;
    Promise<int> second;
    Future<int> future = first.get_future();
    future = second.get_future();
    first.set_value(1);
    EXPECT_FALSE(future.ready()) << "1 was for the future that this one replaced";
    second.set_value(2);
    EXPECT_EQ(future.get(), 2);
}

TEST(Ex1_4_Endings, DroppedResultDoesNotStopTheFunction) {
    ScriptedPost posts;
    Promise<int> outer;
    Promise<int> inner;
    int calls = 0;
    {
        auto dropped = outer.get_future().then([&](int) { return ++calls, inner.get_future(); });
    }
    outer.set_value(1);
    posts.run_all();
    EXPECT_EQ(calls, 1);
    EXPECT_NO_THROW(inner.set_value(2));
    posts.run_all();
}

TEST(Ex1_4_Ignored, ExceptionThatComesWhenTheFutureIsGoneIsReported) {
    Story story(
        "the future has come and gone: a value is dropped; and an exception? (satisfy, 1.1)");
    IgnoredExceptions ignored;
    {
        Promise<int> promise;
        {
            Future<int> gone = promise.get_future();
        }
        story.step("a promise whose future is gone: set_exception(\"too late\")");
        promise.set_exception(std::runtime_error("too late"));
    }
    story.expect("exceptions reported once the promise is gone, too", std::size_t{1},
                 ignored.seen.size());
}

TEST(Ex1_4_Ignored, ExceptionNobodyLookedAtIsReported) {
    IgnoredExceptions ignored;
    {
        auto dropped = make_exception_future<int>(std::runtime_error("dropped"));
    }
    {
        Promise<int> promise;
        {
            Future<int> gone = promise.get_future();
        }
        promise.set_exception(std::runtime_error("too late"));
    }
    {
        Promise<int> never_asked;
        never_asked.set_exception(std::runtime_error("never asked"));
    }
    EXPECT_EQ(ignored.seen, (std::vector<std::string>{"dropped", "too late", "never asked"}));
}

TEST(Ex1_4_Ignored, AssignmentReportsWhatItReplaces) {
    IgnoredExceptions ignored;
    auto future = make_exception_future<int>(std::runtime_error("replaced"));
    future = make_ready_future<int>(1);
    EXPECT_EQ(ignored.seen, (std::vector<std::string>{"replaced"}));
    EXPECT_EQ(future.get(), 1);
}

TEST(Ex1_4_Ignored, ExceptionThatWasLookedAtIsNotReported) {
    IgnoredExceptions ignored;
    {
        auto thrown = make_exception_future<int>(std::runtime_error("caught"));
        EXPECT_THROW(thrown.get(), std::runtime_error);
        auto taken = make_exception_future<int>(std::runtime_error("taken"));
        EXPECT_NE(taken.get_exception(), nullptr);
        auto handled = make_exception_future<int>(std::runtime_error("handled"))
                           .handle_exception([](std::exception_ptr) { return 0; });
        auto skipped = make_exception_future<int>(std::runtime_error("skipped"))
                           .then([](int x) { return x; })
                           .handle_exception([](std::exception_ptr) { return 0; });
        auto moved_from = make_exception_future<int>(std::runtime_error("moved"));
        auto moved = std::move(moved_from);
        EXPECT_THROW(moved.get(), std::runtime_error);
    }
    EXPECT_EQ(ignored.seen, (std::vector<std::string>{}));
    {
        auto pending = Promise<int>().get_future();
    }
    EXPECT_EQ(ignored.seen.size(), 1u) << "a broken promise is an exception like any other";
}

}  // namespace
}  // namespace starling
