// The frame pool is given: this is its specification.
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <set>
#include <starling/frame_pool.hh>
#include <thread>
#include <utility>
#include <vector>

namespace starling {
namespace {

constexpr bool kRecycles =
#if STARLING_FRAME_POOL_OFF
    false;
#else
    true;
#endif

TEST(Given2_FramePool, BlockComesBack) {
    if (!kRecycles) GTEST_SKIP() << "with AddressSanitizer every block comes from the heap";
    void* first = FramePool::allocate(100);
    FramePool::deallocate(first, 100);
    void* second = FramePool::allocate(100);
    EXPECT_EQ(first, second);
    void* third = FramePool::allocate(100);
    EXPECT_NE(second, third);
    FramePool::deallocate(second, 100);
    FramePool::deallocate(third, 100);
}

TEST(Given2_FramePool, BlocksOfAnySizeAreWholeAndAligned) {
    std::vector<std::pair<void*, std::size_t>> blocks;
    for (std::size_t bytes = 1; bytes <= 2 * FramePool::kBlockBytesMax; bytes += 7) {
        void* memory = FramePool::allocate(bytes);
        ASSERT_EQ(reinterpret_cast<std::uintptr_t>(memory) % alignof(std::max_align_t), 0u);
        std::memset(memory, static_cast<int>(bytes), bytes);
        blocks.emplace_back(memory, bytes);
    }
    for (auto [memory, bytes] : blocks) {
        const auto* first = static_cast<unsigned char*>(memory);
        ASSERT_EQ(first[0], static_cast<unsigned char>(bytes)) << "two blocks overlap";
        ASSERT_EQ(first[bytes - 1], static_cast<unsigned char>(bytes));
        FramePool::deallocate(memory, bytes);
    }
}

TEST(Given2_FramePool, HoldsOnlySoManyFreeBlocks) {
    // More blocks than a list takes: the rest goes to the heap, and nothing leaks.
    std::vector<void*> blocks;
    for (unsigned i = 0; i < FramePool::kFreeBlocksMax + 100; ++i) {
        blocks.push_back(FramePool::allocate(64));
    }
    EXPECT_EQ(std::set<void*>(blocks.begin(), blocks.end()).size(), blocks.size());
    for (void* block : blocks) FramePool::deallocate(block, 64);
    FramePool::trim();
}

TEST(Given2_FramePool, BlockMayBeFreedOnAnotherThread) {
    void* memory = FramePool::allocate(200);
    std::thread([memory] {
        FramePool::deallocate(memory, 200);
        void* mine = FramePool::allocate(200);
        if (kRecycles) {
            EXPECT_EQ(mine, memory) << "it joins that thread's list";
        }
        FramePool::deallocate(mine, 200);
    }).join();  // What the thread's lists hold goes with the thread.
}

TEST(Given2_FramePool, PooledObjectsUseIt) {
    struct Node : Pooled {
        int x[8] = {};
    };
    auto* first = new Node;
    delete first;
    auto* second = new Node;
    if (kRecycles) {
        EXPECT_EQ(static_cast<void*>(first), static_cast<void*>(second));
    }
    delete second;
}

}  // namespace
}  // namespace starling
