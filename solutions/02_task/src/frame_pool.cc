// The frame pool's slow paths: a thread's first block, and its last moments. See frame_pool.hh.
//
// Affinity: each thread has its own lists.
#include <starling/frame_pool.hh>

namespace starling {
namespace {

// 0: the thread has no list yet; 1: lists take blocks; 2: the thread is ending, they take none.
constinit thread_local int pool_phase = 0;

}  // namespace

/// Frees the lists when the thread ends.
struct FramePool::ExitHandler {
    ExitHandler() { pool_phase = 1; }
    ~ExitHandler() {
        pool_phase = 2;
        trim();
    }
};

void FramePool::deallocate_slowly(void* memory, std::size_t index) noexcept {
    FreeList& list = lists_[index];
    if (list.open || pool_phase == 2) return ::operator delete(memory);
    thread_local ExitHandler exit_handler;
    static_cast<void>(&exit_handler);
    list.open = true;
    list.room = kFreeBlocksMax - 1;
    list.head = ::new (memory) Block{list.head};
}

void FramePool::trim() noexcept {
    for (FreeList& list : lists_) {
        while (Block* block = list.head) {
            list.head = block->next;
            ::operator delete(block);
        }
        list.room = list.open && pool_phase == 1 ? kFreeBlocksMax : 0;
    }
}

}  // namespace starling
