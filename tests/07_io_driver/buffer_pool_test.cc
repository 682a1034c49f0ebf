// The pool that streams receive into: given, and small enough to be read.
#include <gtest/gtest.h>
#include <starling/buffer_pool.hh>

#include <starling/scripted_ring.hh>
#include <vector>

namespace starling {
namespace {

TEST(Given7_BufferPool, BuffersComeBackAndTheLastOneReturnedGoesOutFirst) {
    BufferPool pool(4, 64);
    std::vector<PooledBuffer> all;
    for (int i = 0; i < 4; ++i) all.emplace_back(pool, pool.take_index(), 64);
    EXPECT_EQ(0U, pool.available()) << "all are out";
    const std::byte* address = all[2].bytes().data();
    all.erase(all.begin() + 2);
    EXPECT_EQ(1U, pool.available());
    all.emplace_back(pool, pool.take_index(), 64);
    EXPECT_EQ(address, all.back().bytes().data());
    all.clear();
    EXPECT_EQ(4U, pool.available());
}

TEST(Given7_BufferPool, ConsumedBytesAreGoneFromTheFront) {
    BufferPool pool(1, 64);
    const std::uint32_t index = pool.take_index();
    pool.memory(index)[0] = std::byte{1};
    pool.memory(index)[1] = std::byte{2};
    PooledBuffer buffer(pool, index, 2);
    buffer.consume(1);
    ASSERT_EQ(1U, buffer.size());
    EXPECT_EQ(std::byte{2}, buffer.bytes()[0]);
    const PooledBuffer next = std::move(buffer);
    EXPECT_EQ(1U, next.size());
    EXPECT_FALSE(buffer.valid());
    EXPECT_TRUE(buffer.empty());
}

TEST(Given7_BufferPool, DriverHasAtLeastOneAndNoMoreThanAKernelCanNumber) {
    const auto buffers_of = [](std::uint32_t asked) {
        testing_support::ScriptedIo io(8, {.buffers = asked, .buffer_bytes = 0});
        EXPECT_LT(0U, io.driver.buffers().memory(io.driver.buffers().take_index()).size())
            << "bytes that are received into no memory look like the end of the stream";
        return io.driver.buffers().count();
    };
    EXPECT_EQ(1U, buffers_of(0)) << "a reader would wait for ever";
    EXPECT_EQ(100U, buffers_of(100));
    EXPECT_EQ(65'536U, buffers_of(1'000'000)) << "io_uring's numbers of buffers have 16 bits";
}

}  // namespace
}  // namespace starling
