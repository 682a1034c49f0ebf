#include <sys/mman.h>

#include <cerrno>
#include <new>
#include <starling/buffer_pool.hh>
#include <system_error>

namespace starling {

BufferPool::BufferPool(std::uint32_t count, std::uint32_t bytes)
    : count_(count), bytes_(bytes), notes_(new Note[count]), free_count_(count) {
    const std::size_t size = std::size_t{count} * bytes;
#ifndef MAP_NORESERVE
    constexpr int MAP_NORESERVE = 0;
#endif
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        throw std::system_error(errno, std::generic_category(), "mmap of the buffer pool");
    }
#ifdef MADV_NOHUGEPAGE
    ::madvise(memory, size, MADV_NOHUGEPAGE);  // One byte must not cost two megabytes.
#endif
    memory_ = static_cast<std::byte*>(memory);
}

BufferPool::~BufferPool() {
    ::munmap(memory_, std::size_t{count_} * bytes_);
}

}  // namespace starling
