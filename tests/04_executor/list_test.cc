// The list that everything waits in: given.
#include <gtest/gtest.h>
#include <starling/intrusive_list.hh>
#include <string>

namespace starling {
namespace {

struct Item : ListLink {
    explicit Item(char name) : name(name) {}
    char name;
};

std::string names(IntrusiveList<Item>& list) {
    std::string text;
    while (!list.empty()) text += list.pop_front().name;
    return text;
}

TEST(Given4_IntrusiveList, IsFirstInFirstOut) {
    IntrusiveList<Item> list;
    Item a('a'), b('b'), c('c');
    for (Item* item : {&a, &b, &c}) list.push_back(*item);
    EXPECT_EQ(list.first(), &a);
    EXPECT_EQ(list.after(a), &b);
    EXPECT_EQ(list.after(c), nullptr);
    Item z('z');
    list.push_front(z);
    EXPECT_EQ(names(list), "zabc");
    EXPECT_EQ(list.first(), nullptr);
}

TEST(Given4_IntrusiveList, ElementLeavesWithoutKnowingItsList) {
    IntrusiveList<Item> list;
    Item a('a'), b('b'), c('c');
    for (Item* item : {&a, &b, &c}) list.push_back(*item);
    b.unlink();
    EXPECT_FALSE(b.linked());
    EXPECT_EQ(names(list), "ac");
}

TEST(Given4_IntrusiveList, SplicingKeepsTheOrderAndEmptiesTheSource) {
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

}  // namespace
}  // namespace starling
