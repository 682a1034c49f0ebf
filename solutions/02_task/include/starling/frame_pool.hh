// The frame pool: recycled memory for coroutine frames and other small, short-lived objects.
//
//     class   0    1    2   …   63        one free list per size class, per thread
//             ▼    ▼    ▼        ▼
//            ▢►▢  nil  ▢►▢►▢    ▢         a freed block's first word links to the next free one
//
// A hit is a load and a store (BM_FramePool_TakeAndGive: an eighth of malloc and free). The classes
// hold 8, 24, 40 … bytes, which is what a malloc has to give without waste. Larger blocks, and what
// a thread frees when it keeps enough already, go to the global allocator. A block may be freed on
// another thread than the one that took it: it joins that thread's list. Under AddressSanitizer
// every block comes from the global allocator, so that a use after free is found.
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
    static constexpr std::size_t kBlockBytesMax = 1016;  ///< Larger ones are not recycled.
    static constexpr unsigned kFreeBlocksMax = 4096;     ///< Kept per class and thread.

    /// Memory for `bytes`, aligned for any ordinary type. \throws std::bad_alloc. O(1).
    static void* allocate(std::size_t bytes) {
        const std::size_t index = class_of(bytes);
        if (index >= kClasses) return ::operator new(bytes);
        FreeList& list = free_lists_[index];
        Block* block = list.head;
        if (block == nullptr) return ::operator new(index * kClassBytes + kClassBytes / 2);
        list.head = block->next;
        ++list.room;
        return block;
    }

    /// Gives memory back. \pre it came from `allocate(bytes)`. O(1).
    static void deallocate(void* memory, std::size_t bytes) noexcept {
        const std::size_t index = class_of(bytes);
        if (index >= kClasses) return ::operator delete(memory);
        FreeList& list = free_lists_[index];
        if (list.room == 0 && !open(list)) return ::operator delete(memory);
        --list.room;
        list.head = ::new (memory) Block{list.head};
    }

    /// Frees what this thread's lists hold. O(blocks).
    static void trim() noexcept {
        for (FreeList& list : free_lists_) {
            while (Block* block = list.head) {
                list.head = block->next;
                ++list.room;
                ::operator delete(block);
            }
        }
    }

  private:
    struct Block {
        Block* next;
    };
    struct FreeList {
        Block* head;
        unsigned room;  // How many more blocks it takes.
    };
#if STARLING_FRAME_POOL_OFF
    static constexpr std::size_t kClasses = 0;
#else
    static constexpr std::size_t kClasses = (kBlockBytesMax + kClassBytes / 2) / kClassBytes;
#endif
    static constexpr std::size_t class_of(std::size_t bytes) noexcept {
        return (bytes + kClassBytes / 2 - 1) / kClassBytes;
    }
    /// The list has no room: it is full, or the thread has just begun, or it is ending.
    /// \return whether there is room now
    [[gnu::noinline]] static bool open(const FreeList& list) noexcept {
        struct Opening {
            Opening() {
                for (FreeList& each : free_lists_) each.room = kFreeBlocksMax;
            }
            ~Opening() {  // The thread ends: they take no more.
                trim();
                for (FreeList& each : free_lists_) each.room = 0;
            }
        };
        thread_local const Opening once;  // Constructed when a thread first comes by.
        return list.room > 0;
    }

    static inline constinit thread_local FreeList free_lists_[kClasses + 1] = {};
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
