// WatchedTimers: timers that count at how many of them somebody looks.
//
// Each lives in a memory page of its own. While they are watched the pages are locked: the first
// look at one is a fault, which is counted, and unlocks it. So work is counted, and no time
// measured.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <memory>
#include <system_error>

#include "wheel_bed.hh"

namespace starling::testing_support {

/// One such object at a time. \affinity one thread
class WatchedTimers {
  public:
    explicit WatchedTimers(std::size_t count) : size_(count) {
        void* memory = ::mmap(nullptr, size_ * page_, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "mmap");
        memory_ = static_cast<std::byte*>(memory);
        for (std::size_t i = 0; i < size_; ++i) std::construct_at(&(*this)[i]);
        watched_ = this;
        struct sigaction action = {};
        action.sa_flags = SA_SIGINFO;
        action.sa_sigaction = &on_fault;
        ::sigaction(SIGSEGV, &action, &previous_);
    }
    /// \pre no wheel holds one
    ~WatchedTimers() {
        looked_at();
        ::sigaction(SIGSEGV, &previous_, nullptr);
        for (std::size_t i = 0; i < size_; ++i) std::destroy_at(&(*this)[i]);
        ::munmap(memory_, size_ * page_);
    }
    WatchedTimers(const WatchedTimers&) = delete;

    std::size_t size() const noexcept { return size_; }
    CountedTimer& operator[](std::size_t i) noexcept {
        return *reinterpret_cast<CountedTimer*>(memory_ + i * page_);
    }
    /// From now on looks are counted.
    void watch() noexcept { ::mprotect(memory_, size_ * page_, PROT_NONE); }
    /// Until here. \return at how many timers somebody has looked
    std::size_t looked_at() noexcept {
        ::mprotect(memory_, size_ * page_, PROT_READ | PROT_WRITE);
        return faults_;
    }

  private:
    static void on_fault(int, siginfo_t* info, void*) {
        WatchedTimers& self = *watched_;
        const auto offset =
            static_cast<std::size_t>(static_cast<std::byte*>(info->si_addr) - self.memory_);
        if (offset >= self.size_ * self.page_) {  // Not ours: it happens again, without us.
            ::sigaction(SIGSEGV, &self.previous_, nullptr);
            return;
        }
        ++self.faults_;
        ::mprotect(self.memory_ + offset / self.page_ * self.page_, self.page_,
                   PROT_READ | PROT_WRITE);
    }

    static inline WatchedTimers* watched_ = nullptr;
    const std::size_t page_ = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    const std::size_t size_;
    std::byte* memory_;
    std::size_t faults_ = 0;
    struct sigaction previous_ = {};
};

}  // namespace starling::testing_support
