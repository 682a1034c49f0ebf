// 7.1: names for operations that find nothing once the operation has ended.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <starling/slot_table.hh>
#include <starling/story.hh>
#include <string>
#include <vector>

namespace starling {
namespace {

using testing_support::Story;

struct Op {
    int number = 0;
};

TEST(Ex7_1_Slots, KeyFindsWhatItWasGivenFor) {
    SlotTable<Op> table;
    Op a;
    Op b;
    Story story("where in the key is the slot's number?");
    const auto key_a = table.insert(a);
    const auto key_b = table.insert(b);
    story.step("insert A, insert B");
    story.expect("A's key finds A", &a, table.find(key_a));
    story.expect("B's key finds B", &b, table.find(key_b));
}

TEST(Ex7_1_Slots, ZeroIsNobodysKey) {
    SlotTable<Op> table;
    Op a;
    Story story("which generation does a slot begin with?");
    story.expect("find(0) in an empty table", static_cast<Op*>(nullptr), table.find(0));
    story.expect("the first key is not 0", true, table.insert(a) != 0);
    story.expect("find(0)", static_cast<Op*>(nullptr), table.find(0));
}

TEST(Ex7_1_Slots, GenerationZeroIsLeftToOthers) {
    SlotTable<Op> table;
    std::vector<Op> ops(4);
    Story story("the driver has names of its own, below all keys: where do your generations begin?");
    for (Op& op : ops) {
        const std::string what = "the generation (the high half of a key) is 0";
        if (!story.expect(what, false, table.insert(op) >> 32 == 0)) return;
    }
}

TEST(Ex7_1_Slots, KeyThatWasNeverGivenFindsNothing) {
    SlotTable<Op> table;
    Op a;
    const auto key = table.insert(a);
    EXPECT_EQ(nullptr, table.find(key + 1))
        << "the next slot does not exist: look before you index";
    EXPECT_EQ(nullptr, table.find(key + (std::uint64_t{1} << 32))) << "a generation still to come";
    EXPECT_EQ(nullptr, table.find(~std::uint64_t{0}));
}

TEST(Ex7_1_Slots, ErasedKeyFindsNothing) {
    SlotTable<Op> table;
    Op a;
    Story story("what does a slot hold after its owner has gone?");
    const auto key = table.insert(a);
    table.erase(key);
    story.step("insert A, erase A");
    story.expect("A's key finds nothing", static_cast<Op*>(nullptr), table.find(key));
}

TEST(Ex7_1_Slots, NoKeyFindsAFreeSlot) {
    SlotTable<Op> table;
    Op a;
    Op b;
    Op c;
    Story story("A has gone: what does its slot still know?");
    const auto key = table.insert(a);
    table.erase(key);
    story.step("insert A, erase A");
    story.expect("A's key does not find A", static_cast<Op*>(nullptr), table.find(key));
    for (std::uint64_t ahead = 1; ahead < 4; ++ahead) {
        const auto later = key + (ahead << 32);
        const std::string nor = "nor does a generation higher by " + std::to_string(ahead);
        if (!story.expect(nor, static_cast<Op*>(nullptr), table.find(later))) return;
        table.erase(later);
    }
    story.step("such keys are erased, too; insert B, insert C");
    const auto key_b = table.insert(b);
    const auto key_c = table.insert(c);
    story.expect("B's key finds B", &b, table.find(key_b));
    story.expect("C's key finds C", &c, table.find(key_c));
}

TEST(Ex7_1_Slots, LateKeyDoesNotFindTheNewOwnerOfItsSlot) {
    SlotTable<Op> table;
    Op a;
    Op b;
    Story story("A and B had the same slot, one after the other: what told their keys apart?");
    const auto key_a = table.insert(a);
    table.erase(key_a);
    const auto key_b = table.insert(b);
    story.step("insert A, erase A, insert B");
    story.expect("B's key finds B", &b, table.find(key_b));
    story.expect("A's old key finds nothing", static_cast<Op*>(nullptr), table.find(key_a));
    story.step("a late completion for A erases by A's key");
    table.erase(key_a);
    story.expect("B's key still finds B", &b, table.find(key_b));
}

TEST(Ex7_1_Slots, ErasingTwiceFreesOneSlot) {
    SlotTable<Op> table;
    Op a;
    Op b;
    Op c;
    const auto key_a = table.insert(a);
    table.erase(key_a);
    table.erase(key_a);
    Story story("how often was A's slot put back?");
    const auto key_b = table.insert(b);
    const auto key_c = table.insert(c);
    story.step("insert A, erase A twice, insert B, insert C");
    story.expect("B's key finds B", &b, table.find(key_b));
    story.expect("C's key finds C", &c, table.find(key_c));
}

TEST(Ex7_1_Slots, FreeSlotsAreUsedAgain) {
    SlotTable<Op> table;
    Op a;
    Op b;
    Story story("where does the next insert look for a free slot?");
    std::uint32_t highest = 0;
    for (int i = 0; i < 10'000; ++i) {
        const auto first = table.insert(a);
        const auto second = table.insert(b);
        highest = std::max(highest, static_cast<std::uint32_t>(std::max(first, second)));
        table.erase(first);
        table.erase(second);
    }
    story.step("10,000 times: insert A and B, erase both");
    story.expect("the index (the low half of a key) stays small", true, highest < 16);
}

TEST(Ex7_1_Slots, AgreesWithAMapUnderRandomUse) {
    SlotTable<Op> table;
    std::map<std::uint64_t, Op*> alive;
    std::vector<std::uint64_t> dead;
    std::vector<Op> ops(64);
    std::mt19937 random(7);
    for (int i = 0; i < 20'000; ++i) {
        if (alive.size() < ops.size() && random() % 2 == 0) {
            Op* op = &ops[alive.size()];
            const auto key = table.insert(*op);
            ASSERT_TRUE(alive.emplace(key, op).second) << "one key for two, at step " << i;
        } else if (!alive.empty()) {
            auto victim = std::next(alive.begin(), static_cast<long>(random() % alive.size()));
            ASSERT_EQ(victim->second, table.find(victim->first)) << "at step " << i;
            table.erase(victim->first);
            dead.push_back(victim->first);
            alive.erase(victim);
        }
        if (!dead.empty()) {
            ASSERT_EQ(nullptr, table.find(dead[random() % dead.size()]))
                << "a dead key, step " << i;
        }
    }
    for (const auto& [key, op] : alive) EXPECT_EQ(op, table.find(key));
}

}  // namespace
}  // namespace starling
