// WakeFd: an eventfd that ends a sleep in the kernel.
//
//     any thread: unpark() ──write──► [ counter ] ──readable──► the owner's ring or epoll set
//                                          ▲
//                                    owner: drain()           or it stays readable, and nobody
//                                    sleeps
//
// Drivers and foreign threads share it by reference count, so that a wake-up that comes late finds
// a descriptor that is still its own.
//
// Affinity: unpark any thread; drain owner shard. Source: eventfd(2).
#pragma once

#include <starling/inbox.hh>
#include <starling/kernel.hh>

namespace starling {

/// Makes a descriptor readable that its owner sleeps on.
/// \affinity `unpark` any thread; the rest owner shard
class WakeFd final : public Unparker {
  public:
    /// \throws std::system_error
    WakeFd();
    /// Makes the descriptor readable. One system call. Errno stays as it was.
    void unpark() noexcept override;
    /// Makes it not readable until the next `unpark`.
    void drain() noexcept;
    /// What becomes readable.
    int fd() const noexcept { return fd_.get(); }

  private:
    OwnedFd fd_, pipe_end_;  // The second one: where there is no eventfd.
    int write_fd_;           // One of them.
};

}  // namespace starling
