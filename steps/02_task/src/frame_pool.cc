// The frame pool's slow paths: a thread's first block, and its last moments. See frame_pool.hh.
//
// Affinity: each thread has its own lists.
#include <starling/frame_pool.hh>

namespace starling {

bool FramePool::open(const List& list) noexcept {
    struct Lists {
        Lists() {
            for (List& each : lists_) each.room = kFreeBlocksMax;
        }
        ~Lists() {  // The thread ends: they take no more.
            trim();
            for (List& each : lists_) each.room = 0;
        }
    };
    thread_local const Lists opened;
    static_cast<void>(&opened);
    return list.room > 0;
}

void FramePool::trim() noexcept {
    for (List& list : lists_) {
        while (Block* block = list.head) {
            list.head = block->next;
            ++list.room;
            ::operator delete(block);
        }
    }
}

}  // namespace starling
