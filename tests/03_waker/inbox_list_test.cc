// 3.5: the list that wake-ups travel in. Where two threads meet, the test says which of them acts
// when.
#include <gtest/gtest.h>

#include <starling/inbox_list.hh>
#include <starling/probes.hh>
#include <starling/scripted_atomic.hh>
#include <starling/story.hh>
#include <string>
#include <utility>
#include <vector>

namespace starling {
namespace {

using testing_support::Interleave;
using testing_support::ScriptedAtomic;
using testing_support::StackProbe;
using testing_support::Story;

struct Node {
    char name;
    Node* next_ = nullptr;
};
using List = InboxList<Node, ScriptedAtomic<Node*>>;

constexpr int kAccessesMax = 8;  // More than any reasonable step of the list has.

/// Adds the names of nodes to `names`.
auto write_to(std::string& names) {
    return [&names](Node& node) { names += node.name; };
}

TEST(Ex3_5_InboxList, NodesComeOutInTheOrderInWhichTheyWentIn) {
    Story story("each node points to the one before it: which of them does the list begin with?");
    List list;
    Node a{'a'};
    Node b{'b'};
    Node c{'c'};
    for (int round = 1; round <= 2; ++round) {
        std::string names;
        for (Node* node : {&a, &b, &c}) {
            if (!story.expect("push(): it was taken", true, list.push(*node))) return;
        }
        story.expect("the list is empty", false, list.empty());
        list.drain(write_to(names));
        story.step("drain()");
        if (!story.expect("what came out", std::string("abc"), names)) return;
        story.expect("the list is empty", true, list.empty());
    }
}

TEST(Ex3_5_InboxList, TwoPushesAtOnceLoseNothing) {
    // Another thread pushes between any two accesses of our push, wherever that is.
    for (int access = 0; access < kAccessesMax; ++access) {
        Story story("what can another thread do between your look at the list and your change?");
        List list;
        Node first{'0'};
        Node ours{'1'};
        Node theirs{'2'};
        list.push(first);
        Interleave interleave(access, [&] { list.push(theirs); });
        list.push(ours);
        if (!interleave.acted()) break;
        story.step("a node is in the list; our push() has made " + std::to_string(access) +
                   " accesses to it");
        story.step("now another thread calls push() from beginning to end");
        story.step("our push() goes on; then drain()");
        std::vector<const Node*> out;  // A bound, so that a list that goes round ends too.
        list.drain([&](Node& node) {
            if (out.size() < 10) out.push_back(&node);
        });
        story.expect("how many came out", std::size_t{3}, out.size());
        story.expect("the oldest of them is the first", true, !out.empty() && out[0] == &first);
    }
}

TEST(Ex3_5_InboxList, PushInTheMiddleOfADrainIsNotLost) {
    for (int access = 0; access < kAccessesMax; ++access) {
        Story story(
            "it came while the list was being taken out: is it out, or is it in there still?");
        List list;
        Node a{'a'};
        Node b{'b'};
        Node late{'c'};
        std::string names;
        list.push(a);
        list.push(b);
        Interleave interleave(access, [&] { list.push(late); });
        list.drain(write_to(names));
        if (!interleave.acted()) break;
        story.step("two nodes are there; drain() has made " + std::to_string(access) +
                   " accesses to the list");
        story.step("now another thread calls push()");
        list.drain(write_to(names));
        story.step("drain() goes on; then drain() once more");
        story.expect("what came out", std::string("abc"), names);
    }
}

TEST(Ex3_5_InboxList, DrainInTheMiddleOfAPushLosesNothing) {
    for (int access = 0; access < kAccessesMax; ++access) {
        Story story("the list that you saw has been taken out: what does your node point to?");
        List list;
        Node a{'a'};
        Node b{'b'};
        std::string names;
        list.push(a);
        Interleave interleave(access, [&] { list.drain(write_to(names)); });
        list.push(b);
        if (!interleave.acted()) break;
        story.step("a node is there; push() of another has made " + std::to_string(access) +
                   " accesses to the list");
        story.step("now the owner calls drain()");
        list.drain(write_to(names));
        story.step("push() goes on; then drain() once more");
        story.expect("what came out", std::string("ab"), names);
    }
}

TEST(Ex3_5_InboxList, PushThatMeetsTheEndGetsInOrIsToldSo) {
    for (int access = 0; access < kAccessesMax; ++access) {
        Story story("the list was open when you looked: how often do you look?");
        List list;
        Node node{'a'};
        std::string names;
        Interleave interleave(access, [&] { list.close(write_to(names)); });
        const bool taken = list.push(node);
        if (!interleave.acted()) break;
        story.step("push() has made " + std::to_string(access) + " accesses to the list");
        story.step("now the owner calls close()");
        story.step("push() goes on");
        story.step(taken ? "it says that the node was taken" : "it says that the list is closed");
        if (!story.expect("what came out of close()", std::string(taken ? "a" : ""), names)) return;
        story.expect("the next push() is taken", false, list.push(node));
    }
}

TEST(Ex3_5_InboxList, ClosedListGivesWhatItHadAndTakesNothing) {
    Story story("the owner has looked for the last time: who would take out what comes now?");
    List list;
    Node a{'a'};
    Node b{'b'};
    std::string names;
    list.push(a);
    list.close(write_to(names));
    story.step("push(a), then close()");
    story.expect("what came out", std::string("a"), names);
    if (!story.expect("push(b): it was taken", false, list.push(b))) return;
    list.drain(write_to(names));
    list.close(write_to(names));
    story.expect("what came out of drain() and close()", std::string("a"), names);
}

TEST(Ex3_5_InboxList, PushAndDrainAskForTheOrdersThatTheirPartnersNeed) {
    // On one thread no order makes a difference, so it is read.
    using Word = ScriptedAtomic<Node*>;
    List list;
    Node node{'a'};
    {
        Story story(
            "push, then look who sleeps; say 'I sleep', then look at the list: may both miss?");
        list.push(node);
        story.step("push()");
        story.expect("the node was published in a read-modify-write that is seq_cst", true,
                     Word::last_order == std::memory_order_seq_cst);
    }
    Story story("another thread wrote next_ before it published the node: do you see that?");
    list.drain([](Node&) {});
    const std::memory_order order = Word::last_order;
    story.step("drain()");
    story.expect("the list was taken out in a read-modify-write that acquires", true,
                 order == std::memory_order_acquire || order == std::memory_order_acq_rel ||
                     order == std::memory_order_seq_cst);
}

TEST(Ex3_5_InboxList, LongListNeedsTheStackOfAShortOne) {
    Story story("the oldest comes first and is the last that you find: where do the others wait?");
    List list;
    std::vector<Node> nodes(20'000, Node{'a'});
    for (Node& node : nodes) list.push(node);
    StackProbe stack;
    std::size_t out = 0;
    list.drain([&](Node&) {
        stack.touch();
        ++out;
    });
    story.step("20,000 pushes, then drain()");
    story.expect("how many came out", nodes.size(), out);
    story.expect("less than 64 KiB of stack between them", true, stack.bytes() < 64 * 1024);
}

TEST(Ex3_5_InboxList, NodeMayBeGoneOrInAListAgainBehindItsCall) {
    // AddressSanitizer watches.
    Story story("f(node) may be the node's end: what of it do you read after that?");
    List list;
    List other;
    Node stays{'b'};
    list.push(*new Node{'a'});
    list.push(stays);
    list.push(*new Node{'c'});
    std::string names;
    story.step("a, b and c come out; a and c are freed, b goes into another list");
    list.drain([&](Node& node) {
        names += node.name;
        if (&node == &stays) {
            other.push(node);
        } else {
            delete &node;
        }
    });
    story.expect("what came out", std::string("abc"), names);
    names.clear();
    other.drain(write_to(names));
    story.expect("what came out of the other list", std::string("b"), names);
}

}  // namespace
}  // namespace starling
