// The stop source is given: this is its specification.
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <starling/probes.hh>
#include <starling/stop_token.hh>
#include <string>
#include <utility>
#include <vector>

namespace starling {
namespace {

using testing_support::ScriptedPost;
using testing_support::Waiter;

TEST(Given2_Stop, RequestRunsEveryCallbackOnce) {
    StopSource source;
    int calls = 0;
    StopCallback first(StopToken(source), [&] { ++calls; });
    StopCallback second(StopToken(source), [&] { ++calls; });
    EXPECT_FALSE(source.stop_requested());
    EXPECT_TRUE(source.request_stop());
    EXPECT_EQ(calls, 2);
    EXPECT_FALSE(source.request_stop()) << "the second request changes nothing";
    EXPECT_EQ(calls, 2);
}

TEST(Given2_Stop, CallbackThatComesLateRunsAtOnce) {
    StopSource source;
    source.request_stop();
    bool called = false;
    StopCallback late(StopToken(source), [&] { called = true; });
    EXPECT_TRUE(called);
}

TEST(Given2_Stop, CallbackThatIsGoneIsNotCalled) {
    StopSource source;
    int calls = 0;
    std::vector<int> order;
    StopCallback a(StopToken(source), [&] { order.push_back(1); });
    {
        StopCallback b(StopToken(source), [&] { ++calls; });
    }
    StopCallback c(StopToken(source), [&] { order.push_back(3); });
    source.request_stop();
    EXPECT_EQ(calls, 0);
    EXPECT_EQ(order, (std::vector<int>{3, 1})) << "newest first";
}

TEST(Given2_Stop, CallbackMayDestroyOtherCallbacks) {
    StopSource source;
    int calls = 0;
    const auto count = [&] { ++calls; };
    std::optional<StopCallback<decltype(count)>> victim;
    victim.emplace(StopToken(source), count);
    StopCallback killer(StopToken(source), [&] { victim.reset(); });
    source.request_stop();
    EXPECT_EQ(calls, 0) << "it was destroyed before its turn";
}

TEST(Given2_Stop, CallbackMayRegisterMore) {
    StopSource source;
    int calls = 0;
    const auto count = [&] { ++calls; };
    std::optional<StopCallback<decltype(count)>> more;
    StopCallback first(StopToken(source), [&] { more.emplace(StopToken(source), count); });
    source.request_stop();
    EXPECT_EQ(calls, 1);
}

TEST(Given2_Stop, SourceMayGoBeforeItsCallbacks) {
    auto source = std::make_unique<StopSource>();
    StopCallback orphan(StopToken(*source), [] {});
    source.reset();  // And the callback's destructor has nothing to unlink from.
}

TEST(Given2_Stop, WhoeverIsPostedRunsAfterTheLastCallback) {
    // Otherwise it could destroy the source while that still looks at its list.
    auto source = std::make_unique<StopSource>();
    Waiter waiter([&] { source.reset(); });
    bool both = false;
    StopCallback last(StopToken(*source), [&] { both = source != nullptr; });
    StopCallback first(StopToken(*source), [&] { post(waiter); });
    source->request_stop();
    EXPECT_TRUE(both) << "the waiter ran in the middle of request_stop";
    EXPECT_EQ(waiter.resumed, 1);
}

TEST(Given2_Stop, DefaultTokenNeverAsks) {
    StopToken never;
    EXPECT_FALSE(never.stop_requested());
    StopCallback callback(never, [] { FAIL(); });
}

}  // namespace
}  // namespace starling
