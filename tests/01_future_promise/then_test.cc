// 1.3: `then` and its relatives: what to do with a value, attached before the value is here.
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <starling/future.hh>
#include <starling/probes.hh>
#include <starling/story.hh>
#include <starling/when_all.hh>
#include <stdexcept>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <starling/allocations.hh>

namespace starling {
namespace {

using testing_support::ScriptedPost;
using testing_support::Story;
using testing_support::Tracked;

TEST(Ex1_3_Then, MapsAValueThatIsHere) {
    int calls = 0;
    Future<std::string> text = make_ready_future<int>(7).then([&](int x) {
        ++calls;
        return std::to_string(x);
    });
    EXPECT_EQ(calls, 1) << "nothing to wait for: the function runs at once";
    ASSERT_TRUE(text.ready());
    EXPECT_EQ(text.get(), "7");
}

TEST(Ex1_3_Then, MapsAValueThatComesLater) {
    Story story("who calls the function, and where does its result go?");
    ScriptedPost posts;
    Promise<int> promise;
    int calls = 0;
    Future<int> doubled = promise.get_future().then([&](int x) {
        ++calls;
        return 2 * x;
    });
    story.step("attach a function to a future that is not ready");
    story.expect("calls", 0, calls);
    promise.set_value(21);
    posts.run_all();
    story.step("set_value(21), and everybody posted has run");
    story.expect("calls", 1, calls);
    if (!story.expect("the result is ready", true, doubled.ready())) return;
    story.expect("the result", 42, doubled.get());
}

TEST(Ex1_3_Then, FlattensAFutureThatIsReady) {
    Future<int> result =
        make_ready_future<int>(1).then([](int x) { return make_ready_future<int>(x + 1); });
    ASSERT_TRUE(result.ready()) << "a future of a future of an int is a future of an int";
    EXPECT_EQ(result.get(), 2);
}

TEST(Ex1_3_Then, FlattensAFutureThatIsReadyLater) {
    Story story("the inner future is about to be destroyed: who must its promise talk to?");
    ScriptedPost posts;
    Promise<int> outer;
    Promise<int> inner;
    Future<int> result = outer.get_future().then([&](int) { return inner.get_future(); });
    outer.set_value(1);
    posts.run_all();
    story.step("the outer value came, the function returned a future that is not ready");
    story.expect("the result is ready", false, result.ready());
    inner.set_value(2);
    posts.run_all();
    story.step("the inner value came: 2");
    if (!story.expect("the result is ready", true, result.ready())) return;
    story.expect("the result", 2, result.get());
}

TEST(Ex1_3_Then, LinkBehindAPendingInnerFutureStillRuns) {
    Story story("somebody waits at the outer future already: does he still, when you are through?");
    ScriptedPost posts;
    Promise<int> outer;
    Promise<int> inner;
    Future<int> last =
        outer.get_future().then([&](int) { return inner.get_future(); }).then([](int x) {
            return x + 1;
        });
    story.step("a chain of two: the first returns a future, the second adds 1");
    outer.set_value(1);
    posts.run_all();
    story.step("the outer value came; the first function returned a future that is not ready");
    inner.set_value(2);
    posts.run_all();
    story.step("the inner value came: 2");
    if (!story.expect("the end of the chain is ready", true, last.ready())) return;
    story.expect("its value", 3, last.get());
}

TEST(Ex1_3_Then, ResultMayMoveWhileTheInnerFutureWaits) {
    ScriptedPost posts;
    Promise<int> outer;
    Promise<int> inner;
    Future<int> before = outer.get_future().then([&](int) { return inner.get_future(); });
    Future<int> between(std::move(before));
    outer.set_value(1);
    posts.run_all();
    Future<int> after(std::move(between));
    Promise<int> moved(std::move(inner));
    moved.set_value(2);
    posts.run_all();
    ASSERT_TRUE(after.ready()) << "relinked ends move like any others";
    EXPECT_EQ(after.get(), 2);
}

TEST(Ex1_3_Then, ExceptionOfTheFunctionGoesIntoTheResult) {
    Story story("whose fault is it, and who should hear of it: the one who called set_value?");
    ScriptedPost posts;
    const auto throws = [](int) -> int { throw std::out_of_range("f"); };
    std::optional<Future<int>> at_once;
    EXPECT_NO_THROW(at_once = make_ready_future<int>(1).then(throws));
    story.step("attach a function that throws to a ready future");
    if (!story.expect("then() returns a future", true, at_once.has_value())) return;
    EXPECT_THROW(at_once->get(), std::out_of_range);

    Promise<int> promise;
    Future<int> result = promise.get_future().then(throws);
    story.step("attach it to a future that is not ready; set_value");
    EXPECT_NO_THROW(promise.set_value(1));
    posts.run_all();
    if (!story.expect("the result is ready", true, result.ready())) return;
    story.expect("the result is an exception", true, result.failed());
    EXPECT_THROW(result.get(), std::out_of_range);
}

TEST(Ex1_3_Then, ExceptionSkipsFunctionsUntilItIsHandled) {
    std::vector<std::string> log;
    auto result = make_exception_future<int>(std::runtime_error("first"))
                      .then([&](int x) { return log.push_back("then"), x; })
                      .then([&](int x) { return log.push_back("then"), x; })
                      .handle_exception([&](auto) { return log.push_back("handle"), 5; })
                      .then([&](int x) { return log.push_back("then"), x + 1; });
    EXPECT_EQ(log, (std::vector<std::string>{"handle", "then"}));
    EXPECT_EQ(result.get(), 6);
}

TEST(Ex1_3_Then, HandleExceptionIsNotCalledForAValue) {
    bool called = false;
    auto result = make_ready_future<int>(3).handle_exception([&](std::exception_ptr) {
        called = true;
        return 0;
    });
    EXPECT_FALSE(called);
    EXPECT_EQ(result.get(), 3);
}

TEST(Ex1_3_Then, SubstituteIsWhateverAValueCanBeMadeFrom) {
    const auto failed = [] { return std::make_exception_ptr(std::runtime_error("x")); };
    auto text = make_exception_future<std::string>(failed()).handle_exception(
        [](auto) { return "a literal, where a string is expected"; });
    EXPECT_EQ(text.get(), "a literal, where a string is expected");
    auto number = make_exception_future<long>(failed()).handle_exception([](auto) { return 7; });
    EXPECT_EQ(number.get(), 7);
    auto nothing = make_exception_future<>(failed()).handle_exception([](auto) {});
    EXPECT_FALSE(nothing.failed());
    auto rethrown = make_exception_future<long>(failed()).handle_exception(
        [](std::exception_ptr e) -> int { std::rethrow_exception(e); });
    EXPECT_THROW(rethrown.get(), std::runtime_error);
}

TEST(Ex1_3_Then, FinallyRunsEitherWayAndPassesTheResultOn) {
    ScriptedPost posts;
    Promise<void> cleaned;
    auto value = make_ready_future<int>(3).finally([&] { return cleaned.get_future(); });
    EXPECT_FALSE(value.ready()) << "finally waits for the future that its function returned";
    cleaned.set_value();
    posts.run_all();
    EXPECT_EQ(value.get(), 3);

    int calls = 0;
    auto failed = make_exception_future<int>(std::runtime_error("x")).finally([&] { ++calls; });
    EXPECT_EQ(calls, 1);
    EXPECT_THROW(failed.get(), std::runtime_error);

    auto replaced = make_ready_future<int>(3).finally([] { throw std::out_of_range("clean-up"); });
    EXPECT_THROW(replaced.get(), std::out_of_range);
}

TEST(Ex1_3_Then, WrappedFunctionSeesTheFutureItself) {
    auto seen = make_exception_future<int>(std::runtime_error("x")).then_wrapped([](Future<int> f) {
        return f.failed() ? (f.get_exception(), std::string("failed")) : std::string("fine");
    });
    EXPECT_EQ(seen.get(), "failed");
}

TEST(Ex1_3_Then, VoidReferencesAndMoveOnlyValuesGoThrough) {
    int x = 1;
    Promise<int&> promise;
    promise.set_value(x);
    auto result = promise.get_future()
                      .then([&](int& r) { EXPECT_EQ(&r, &x); })
                      .then([] { return std::make_unique<int>(2); })
                      .then([p = std::make_unique<int>(3)](auto q) { return *p + *q; });
    EXPECT_EQ(result.get(), 5);
}

TEST(Ex1_3_Then, FunctionIsDestroyedAfterItsCall) {
    ScriptedPost posts;
    Tracked::alive = 0;
    Promise<int> promise;
    auto result = promise.get_future().then([t = Tracked(1)](int x) { return x + t.value; });
    EXPECT_EQ(Tracked::alive, 1) << "one copy of the function waits with the future";
    promise.set_value(1);
    posts.run_all();
    EXPECT_EQ(Tracked::alive, 0) << "what it captured goes with it";
    EXPECT_EQ(result.get(), 2);
}

TEST(Ex1_3_Then, ReadyFuturesAllocateNothing) {
    Story story("what has to live on the heap when nobody waits?");
    const std::size_t before = test::allocations();
    int result = 0;
    for (int i = 0; i < 100; ++i) {
        result += make_ready_future<int>(i)
                      .then([](int x) { return x + 1; })
                      .then([](int x) { return make_ready_future<int>(x * 2); })
                      .finally([] {})
                      .get();
    }
    const std::size_t after = test::allocations();
    story.step("100 chains of three functions on ready futures");
    story.expect("sum", 10'100, result);
    story.expect("allocations", 0u, after - before);
}

TEST(Ex1_3_Then, PendingFutureAllocatesOneNodePerFunction) {
    ScriptedPost posts;
    Promise<int> promise;
    Future<int> future = promise.get_future();
    const std::size_t before = test::allocations();
    Future<int> result = std::move(future).then([](int x) { return x; });
    EXPECT_LE(test::allocations() - before, 2u) << "a node that waits, and little else";
    promise.set_value(1);
    posts.run_all();
    EXPECT_EQ(result.get(), 1);
}

TEST(Ex1_3_WhenAll, WaitsForTheSlowest) {
    ScriptedPost posts;
    Promise<int> a;
    Promise<std::string> b;
    auto all = when_all(a.get_future(), b.get_future());
    b.set_value("b");
    posts.run_all();
    EXPECT_FALSE(all.ready()) << "b is here, a is not";
    a.set_value(1);
    posts.run_all();
    ASSERT_TRUE(all.ready());
    auto [first, second] = all.get();
    EXPECT_EQ(first.get(), 1);
    EXPECT_EQ(second.get(), "b");
}

TEST(Ex1_3_WhenAll, OfNothingOrOfReadyFuturesIsReady) {
    EXPECT_TRUE(when_all(std::vector<Future<int>>{}).ready());
    auto both = when_all(make_ready_future<int>(1), make_ready_future<>());
    ASSERT_TRUE(both.ready());
    EXPECT_EQ(std::get<0>(both.get()).get(), 1);
}

}  // namespace
}  // namespace starling
