// Outcome is given: this is its specification, and a first look at how these tests read.
#include <gtest/gtest.h>
#include <memory>
#include <starling/outcome.hh>
#include <starling/probes.hh>
#include <stdexcept>
#include <string>
#include <utility>

namespace starling {
namespace {

using testing_support::Tracked;

TEST(Given1_Outcome, StartsEmptyAndHoldsOneOfFourThings) {
    Outcome<int> outcome;
    EXPECT_TRUE(outcome.empty());
    outcome.set_value(7);
    EXPECT_TRUE(outcome.has_value());
    EXPECT_EQ(outcome.take(), 7);
    EXPECT_TRUE(outcome.empty()) << "take() gives the value away";
    outcome.set_error(std::make_exception_ptr(std::runtime_error("no")));
    EXPECT_TRUE(outcome.has_error());
    EXPECT_THROW(outcome.take(), std::runtime_error);
    outcome.set_stopped();
    EXPECT_TRUE(outcome.stopped());
    EXPECT_THROW(outcome.take(), Cancelled);
    EXPECT_TRUE(outcome.empty());
}

TEST(Given1_Outcome, CarriesMoveOnlyValuesReferencesAndNothingAtAll) {
    Outcome<std::unique_ptr<int>> owner;
    owner.set_value(std::make_unique<int>(1));
    EXPECT_EQ(*owner.take(), 1);

    int x = 2;
    Outcome<int&> reference;
    reference.set_value(x);
    EXPECT_EQ(&reference.take(), &x);

    Outcome<void> nothing;
    nothing.set_value();
    nothing.take();
    EXPECT_TRUE(nothing.empty());
}

TEST(Given1_Outcome, DestroysWhatItHoldsExactlyOnce) {
    Tracked::alive = 0;
    {
        Outcome<Tracked> a;
        a.set_value(5);
        Outcome<Tracked> b(std::move(a));
        EXPECT_TRUE(a.empty());
        a = std::move(b);
        EXPECT_EQ(a.take().value, 5);
        b.set_value(6);
        b.reset();
        b.set_value(7);
    }
    EXPECT_EQ(Tracked::alive, 0);
}

TEST(Given1_Outcome, TellsACancellationFromAnError) {
    Outcome<int> outcome;
    try {
        throw Cancelled{};
    } catch (...) {
        outcome.set_current_exception();
    }
    EXPECT_TRUE(outcome.stopped()) << "combinators look at this instead of catching";
    outcome.reset();
    try {
        throw std::string("anything");
    } catch (...) {
        outcome.set_current_exception();
    }
    EXPECT_TRUE(outcome.has_error());
    EXPECT_THROW(outcome.take(), std::string);
}

TEST(Given1_Outcome, StaysEmptyWhenTheValueCannotBeMade) {
    struct Picky {
        explicit Picky(int x) {
            if (x < 0) throw std::invalid_argument("negative");
        }
    };
    Outcome<Picky> outcome;
    EXPECT_THROW(outcome.set_value(-1), std::invalid_argument);
    EXPECT_TRUE(outcome.empty());
    outcome.set_value(1);
    EXPECT_TRUE(outcome.has_value());
}

}  // namespace
}  // namespace starling
