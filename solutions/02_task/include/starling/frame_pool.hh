// The frame pool: recycled memory for coroutine frames and other small, short-lived objects.
//
//     class   1    2    3   …   64        one free list per size class of 16 bytes, per thread
//             ▼    ▼    ▼        ▼
//            ▢►▢  nil  ▢►▢►▢    ▢         a freed block's first word links to the next free one
//
// A hit is a load and a store (about 2 ns; malloc and free take 15). Blocks above 1 KiB, and any
// block that finds its list full, go to the global allocator. A block may be freed on another
// thread than the one that took it: it joins that thread's list. Under AddressSanitizer every
// block comes from the global allocator, so that a use after free is found.
//
// Affinity: any thread; each thread has its own lists.
#pragma once

#include <cstddef>
#include <new>

#if defined(__SANITIZE_ADDRESS__)
#define STARLING_FRAME_POOL_OFF 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define STARLING_FRAME_POOL_OFF 1
#endif
#endif

namespace starling {

/// Free lists of memory blocks, one set per thread. \affinity any thread
class FramePool {
  public:
    static constexpr std::size_t kClassBytes = 16;       ///< From one size class to the next.
    static constexpr std::size_t kBlockBytesMax = 1024;  ///< Larger ones are not recycled.
    static constexpr unsigned kFreeBlocksMax = 4096;     ///< Per class and thread.

    /// Memory for `bytes`, aligned for any ordinary type. \throws std::bad_alloc. O(1).
    static void* allocate(std::size_t bytes) {
#if STARLING_FRAME_POOL_OFF
        return ::operator new(bytes);
#else
        const std::size_t index = class_of(bytes);
        if (index >= kClasses) [[unlikely]] return ::operator new(bytes);
        FreeList& list = lists_[index];
        Block* block = list.head;
        if (block == nullptr) [[unlikely]] return ::operator new((index + 1) * kClassBytes);
        list.head = block->next;
        ++list.room;
        return block;
#endif
    }

    /// Gives memory back. \pre it came from `allocate(bytes)`. O(1).
    static void deallocate(void* memory, [[maybe_unused]] std::size_t bytes) noexcept {
#if STARLING_FRAME_POOL_OFF
        ::operator delete(memory);
#else
        const std::size_t index = class_of(bytes);
        if (index >= kClasses) [[unlikely]] return ::operator delete(memory);
        FreeList& list = lists_[index];
        if (list.room == 0) [[unlikely]] return deallocate_slowly(memory, index);
        --list.room;
        list.head = ::new (memory) Block{list.head};
#endif
    }

    /// Frees what this thread's lists hold. O(blocks).
    static void trim() noexcept;

  private:
    struct Block {
        Block* next;
    };
    struct FreeList {
        Block* head;
        unsigned room;  // How many more blocks it takes. At first none: see deallocate_slowly.
        bool open;
    };
    static constexpr std::size_t kClasses = kBlockBytesMax / kClassBytes;
    static std::size_t class_of(std::size_t bytes) noexcept { return (bytes - 1) / kClassBytes; }

    /// The list is full, or this is its first block.
    static void deallocate_slowly(void* memory, std::size_t index) noexcept;
    struct ExitHandler;

    static inline constinit thread_local FreeList lists_[kClasses] = {};
};

/// Derive from it to have `new` and `delete` of a type use the pool.
struct Pooled {
    /// From the pool. \throws std::bad_alloc
    static void* operator new(std::size_t bytes) { return FramePool::allocate(bytes); }
    /// Back to the pool.
    static void operator delete(void* memory, std::size_t bytes) noexcept {
        FramePool::deallocate(memory, bytes);
    }
};

}  // namespace starling
