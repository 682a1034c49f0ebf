// The pool that streams receive into: given, and small enough to be read.
#include <gtest/gtest.h>
#include <starling/buffer_pool.hh>

#include <vector>

namespace starling {
namespace {

TEST(Given7_BufferPool, BuffersComeBackAndTheLastOneReturnedGoesOutFirst) {
    BufferPool pool(4, 64);
    std::vector<PooledBuffer> all;
    for (int i = 0; i < 4; ++i) all.push_back(pool.take());
    EXPECT_EQ(0U, pool.available());
    EXPECT_FALSE(pool.take().valid()) << "all are out";
    const std::byte* address = all[2].storage().data();
    all.erase(all.begin() + 2);
    EXPECT_EQ(1U, pool.available());
    EXPECT_EQ(address, pool.take().storage().data());
    all.clear();
    EXPECT_EQ(4U, pool.available());
}

TEST(Given7_BufferPool, ConsumedBytesAreGoneFromTheFront) {
    BufferPool pool(1, 64);
    PooledBuffer buffer = pool.take();
    EXPECT_TRUE(buffer.empty());
    buffer.storage()[0] = std::byte{1};
    buffer.storage()[1] = std::byte{2};
    buffer.set_size(2);
    buffer.consume(1);
    ASSERT_EQ(1U, buffer.size());
    EXPECT_EQ(std::byte{2}, buffer.bytes()[0]);
}

TEST(Given7_BufferPool, QueueKeepsOrderAtBothEnds) {
    BufferPool pool(4, 64);
    BufferQueue queue(pool);
    for (std::uint32_t i = 1; i <= 3; ++i) queue.push_back(pool.take_index(), i);
    PooledBuffer first = queue.pop();
    EXPECT_EQ(1U, first.size());
    queue.push_front(std::move(first));
    EXPECT_EQ(3U, queue.size());
    queue.consume(1);
    EXPECT_EQ(2U, queue.front().size());
    queue.consume(1);
    EXPECT_EQ(1U, queue.front().size());
    queue.consume(1);
    EXPECT_EQ(3U, queue.pop().size());
    EXPECT_EQ(0U, queue.size());
    EXPECT_EQ(4U, pool.available());
}

}  // namespace
}  // namespace starling
