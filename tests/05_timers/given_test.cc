// What is given in this step.
#include <gtest/gtest.h>
#include <starling/intrusive_list.hh>
#include <starling/sleep.hh>
#include <starling/timeout.hh>
#include <string>

namespace starling {
namespace {

using namespace std::chrono_literals;

struct Item : ListLink {
    explicit Item(char name) : name(name) {}
    char name;
};

std::string names(IntrusiveList<Item>& list) {
    std::string text;
    while (!list.empty()) text += list.pop_front().name;
    return text;
}

TEST(Given5_IntrusiveList, IsFirstInFirstOut) {
    IntrusiveList<Item> list;
    Item a('a'), b('b'), c('c');
    for (Item* item : {&a, &b, &c}) list.push_back(*item);
    EXPECT_EQ(list.after(a), &b);
    EXPECT_EQ(list.after(c), nullptr);
    EXPECT_EQ(names(list), "abc");
}

TEST(Given5_IntrusiveList, ElementLeavesWithoutKnowingItsList) {
    IntrusiveList<Item> list;
    Item a('a'), b('b'), c('c');
    for (Item* item : {&a, &b, &c}) list.push_back(*item);
    b.unlink();
    EXPECT_FALSE(b.linked());
    EXPECT_EQ(names(list), "ac");
}

TEST(Given5_IntrusiveList, SplicingKeepsTheOrderAndEmptiesTheSource) {
    IntrusiveList<Item> list, other;
    Item a('a'), b('b'), c('c');
    list.push_back(a);
    other.push_back(b);
    other.push_back(c);
    list.splice_back(other);
    EXPECT_TRUE(other.empty());
    list.splice_back(other);
    EXPECT_EQ(names(list), "abc");
}

TEST(Given5_Service, SleepOutsideOfAnExecutorSaysWhatIsMissing) {
    try {
        (void)sleep(1s);
        FAIL() << "sleep without an executor did not throw";
    } catch (const std::logic_error& e) {
        EXPECT_EQ(std::string(e.what()).find("sleep needs a TimerService"), 0u) << e.what();
    }
}

TEST(Given5_Service, TimeoutInAnExecutorWithoutTimersSaysWhatIsMissing) {
    Executor executor;
    executor.block_on([]() -> Task<> {
        try {
            (void)timeout(yield(), 1s);
            ADD_FAILURE() << "timeout without a TimerService did not throw";
        } catch (const std::logic_error& e) {
            EXPECT_EQ(std::string(e.what()).find("timeout needs a TimerService"), 0u) << e.what();
        }
        co_return;
    });
}

TEST(Given5_Service, DelayBeyondAllTimeIsTheEndOfTime) {
    Executor executor;
    TimerService timers(executor);
    EXPECT_EQ(timers.after(Duration::max()), TimePoint::max());
}

}  // namespace
}  // namespace starling
