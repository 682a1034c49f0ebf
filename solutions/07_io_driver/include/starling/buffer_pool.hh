// BufferPool: the memory that streams receive into. One per driver, equal-sized buffers.
//
//     pool ──provide──► kernel ──recv completion──► stream's read-ahead ──take──► the reader
//      ▲                                                                            │
//      └─────────────────────────── ~PooledBuffer ◄─────────────────────────────────┘
//
// A connection that waits for data owns no buffer: the kernel picks one when bytes arrive. Ten
// thousand idle connections therefore need no buffer memory. A buffer is allocated when it is first
// needed, and the most recently used one goes out first: it is still in the cache.
//
// Affinity: owner shard.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace starling {

/// Equal-sized buffers, made when they are first needed. \affinity owner shard
class BufferPool {
  public:
    /// At most `count` buffers of `bytes` each.
    BufferPool(std::uint32_t count, std::uint32_t bytes) : count_(count), bytes_(bytes) {}
    BufferPool(const BufferPool&) = delete;

    /// How many buffers there may be.
    std::uint32_t count() const noexcept { return count_; }
    /// How many `take_index` could return now.
    std::size_t available() const noexcept { return count_ - made_.size() + free_.size(); }
    /// A buffer's memory. \pre `index` came from `take_index`
    std::span<std::byte> memory(std::uint32_t index) const noexcept {
        return {made_[index].get(), bytes_};
    }

    /// A buffer's number, for a driver to lend to the kernel. \pre some are available. O(1).
    std::uint32_t take_index() {
        assert(available() > 0);
        if (free_.empty()) {
            free_.push_back(static_cast<std::uint32_t>(made_.size()));
            made_.emplace_back(new std::byte[bytes_]);  // Not initialized: not touched yet.
        }
        const std::uint32_t index = free_.back();
        free_.pop_back();
        return index;
    }
    /// Ends what `take_index` began. O(1).
    void release_index(std::uint32_t index) noexcept {
        assert(index < made_.size() && "a buffer was given back that had never been taken");
        free_.push_back(index);
    }

  private:
    const std::uint32_t count_;
    const std::uint32_t bytes_;
    std::vector<std::unique_ptr<std::byte[]>> made_;
    std::vector<std::uint32_t> free_;  // Made and not out; the last one back is the first to go.
};

/// A buffer with some bytes in it; gives it back when destroyed. Move-only.
/// \affinity owner shard
class PooledBuffer {
  public:
    /// Holds no buffer.
    PooledBuffer() = default;
    /// Takes over the pool's buffer `index`, whose first `size` bytes are the content.
    PooledBuffer(BufferPool& pool, std::uint32_t index, std::size_t size) noexcept
        : pool_(&pool, GiveBack{index}), end_(static_cast<std::uint32_t>(size)) {}

    /// Whether this holds a buffer. One without is what the end of a stream looks like.
    bool valid() const noexcept { return pool_ != nullptr; }
    /// Whether no bytes are left.
    bool empty() const noexcept { return size() == 0; }
    /// How many bytes have not been consumed.
    std::size_t size() const noexcept { return bytes().size(); }
    /// The bytes that have not been consumed.
    std::span<std::byte> bytes() const noexcept {
        if (!valid()) return {};
        return pool_->memory(pool_.get_deleter().index).subspan(begin_, end_ - begin_);
    }
    /// Drops the first `n` bytes. \pre n <= size()
    void consume(std::size_t n) noexcept {
        assert(n <= size());
        begin_ += static_cast<std::uint32_t>(n);
    }

  private:
    struct GiveBack {
        std::uint32_t index;
        void operator()(BufferPool* pool) const noexcept { pool->release_index(index); }
    };
    std::unique_ptr<BufferPool, GiveBack> pool_;  // Borrows: it outlives its buffers.
    std::uint32_t begin_ = 0;                     // What has not been consumed.
    std::uint32_t end_ = 0;
};

}  // namespace starling
