// BufferPool: the memory that streams receive into. One per driver, equal-sized buffers.
//
//     pool: free stack ◄──release── PooledBuffer (the reader's) ◄──take── stream's read-ahead
//             └──provide──► kernel's buffer ring ──recv completion──►┘
//
// A connection that waits for data owns no buffer: the kernel picks one when bytes arrive. Ten thousand
// idle connections therefore need no buffer memory. The memory is reserved at once and touched only
// when used; the most recently used buffer goes out first, so it is still in the cache.
//
// Affinity: owner shard.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

namespace starling {

class BufferPool;

/// A buffer with some bytes in it; gives it back when destroyed. Move-only.
/// \affinity owner shard
class PooledBuffer {
  public:
    PooledBuffer() = default;
    PooledBuffer(BufferPool& pool, std::uint32_t index, std::uint32_t begin,
                 std::uint32_t end) noexcept
        : pool_(&pool), index_(index), begin_(begin), end_(end) {}
    PooledBuffer(PooledBuffer&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)),
          index_(other.index_),
          begin_(other.begin_),
          end_(other.end_) {}
    PooledBuffer& operator=(PooledBuffer other) noexcept {
        std::swap(pool_, other.pool_);
        std::swap(index_, other.index_);
        std::swap(begin_, other.begin_);
        std::swap(end_, other.end_);
        return *this;
    }
    ~PooledBuffer();

    /// Whether this holds a buffer. One without is what the end of a stream looks like.
    bool valid() const noexcept { return pool_ != nullptr; }
    bool empty() const noexcept { return size() == 0; }
    std::size_t size() const noexcept { return pool_ == nullptr ? 0 : end_ - begin_; }
    /// The bytes that have not been consumed.
    std::span<std::byte> bytes() const noexcept;
    /// The whole buffer, to write into; `set_size` then says how much.
    std::span<std::byte> storage() const noexcept;
    /// The first `size` bytes of the storage are the content now.
    void set_size(std::size_t size) noexcept {
        begin_ = 0;
        end_ = static_cast<std::uint32_t>(size);
    }
    /// Drops the first `n` bytes. \pre n <= size()
    void consume(std::size_t n) noexcept {
        assert(n <= size());
        begin_ += static_cast<std::uint32_t>(n);
    }

  private:
    friend class BufferQueue;
    BufferPool* pool_ = nullptr;  // Borrows: it outlives its buffers.
    std::uint32_t index_ = 0;     // Owns: this buffer of the pool.
    std::uint32_t begin_ = 0;
    std::uint32_t end_ = 0;
};

/// \affinity owner shard
class BufferPool {
  public:
    static constexpr std::uint32_t kNone = ~0U;

    /// Reserves count × bytes of address space. \throws std::system_error if it cannot be had
    BufferPool(std::uint32_t count, std::uint32_t bytes);
    ~BufferPool();
    BufferPool(const BufferPool&) = delete;
    BufferPool& operator=(const BufferPool&) = delete;

    std::uint32_t count() const noexcept { return count_; }
    std::uint32_t buffer_bytes() const noexcept { return bytes_; }
    /// How many `take` could return now.
    std::uint32_t available() const noexcept { return free_count_; }
    std::byte* data(std::uint32_t index) const noexcept {
        return memory_ + std::size_t{index} * bytes_;
    }

    /// An empty buffer; one that is not valid if all are out. O(1).
    PooledBuffer take() noexcept {
        const std::uint32_t index = take_index();
        return index == kNone ? PooledBuffer() : PooledBuffer(*this, index, 0, 0);
    }

    /// For drivers: a buffer by number. kNone if all are out. O(1).
    std::uint32_t take_index() noexcept {
        if (free_count_ == 0) return kNone;
        --free_count_;
        if (free_ == kNone) return fresh_++;
        return std::exchange(free_, notes_[free_].next);
    }
    void release_index(std::uint32_t index) noexcept {
        assert(free_count_ < count_);
        notes_[index].next = std::exchange(free_, index);
        ++free_count_;
    }

  private:
    friend class BufferQueue;
    struct Note {
        std::uint32_t next;        // In the free stack, or in a BufferQueue.
        std::uint32_t begin, end;  // In a BufferQueue.
    };

    const std::uint32_t count_;
    const std::uint32_t bytes_;
    std::byte* memory_;               // Owns: a mapping.
    std::unique_ptr<Note[]> notes_;   // One per buffer, not initialized: pages nobody needs stay away.
    std::uint32_t free_ = kNone;      // The most recently released buffer…
    std::uint32_t fresh_ = 0;         // …and the first that was never used.
    std::uint32_t free_count_;
};

/// Buffers in order, linked through the pool's notes: a stream's read-ahead, of any length, without
/// memory of its own. \affinity owner shard
class BufferQueue {
  public:
    explicit BufferQueue(BufferPool& pool) noexcept : pool_(pool) {}
    BufferQueue(const BufferQueue&) = delete;
    ~BufferQueue() {
        while (size_ > 0) pop();
    }

    std::size_t size() const noexcept { return size_; }
    void push_back(std::uint32_t index, std::uint32_t bytes) noexcept {
        (size_ == 0 ? head_ : pool_.notes_[tail_].next) = index;
        pool_.notes_[index] = {BufferPool::kNone, 0, bytes};
        tail_ = index;
        ++size_;
    }
    /// \pre `buffer` is valid and of this queue's pool
    void push_front(PooledBuffer buffer) noexcept {
        const std::uint32_t index = buffer.index_;
        pool_.notes_[index] = {head_, buffer.begin_, buffer.end_};
        if (size_++ == 0) tail_ = index;
        head_ = index;
        buffer.pool_ = nullptr;
    }
    /// \pre size() > 0
    std::span<std::byte> front() const noexcept {
        const BufferPool::Note& note = pool_.notes_[head_];
        return {pool_.data(head_) + note.begin, pool_.data(head_) + note.end};
    }
    /// Drops `n` bytes of the front, and the front if none are left. \pre n <= front().size()
    void consume(std::size_t n) noexcept {
        BufferPool::Note& note = pool_.notes_[head_];
        note.begin += static_cast<std::uint32_t>(n);
        if (note.begin == note.end) pop();
    }
    /// \pre size() > 0
    PooledBuffer pop() noexcept {
        const std::uint32_t index = head_;
        const BufferPool::Note& note = pool_.notes_[index];
        head_ = note.next;
        --size_;
        return PooledBuffer(pool_, index, note.begin, note.end);
    }

  private:
    BufferPool& pool_;  // Borrows: the driver's.
    std::uint32_t head_ = BufferPool::kNone;
    std::uint32_t tail_ = BufferPool::kNone;
    std::uint32_t size_ = 0;
};

inline PooledBuffer::~PooledBuffer() {
    if (pool_ != nullptr) pool_->release_index(index_);
}
inline std::span<std::byte> PooledBuffer::bytes() const noexcept {
    if (pool_ == nullptr) return {};
    return {pool_->data(index_) + begin_, pool_->data(index_) + end_};
}
inline std::span<std::byte> PooledBuffer::storage() const noexcept {
    if (pool_ == nullptr) return {};
    return {pool_->data(index_), pool_->buffer_bytes()};
}

}  // namespace starling
