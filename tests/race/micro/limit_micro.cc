// What the machine itself needs, to compare messages with: two threads, no runtime.
#include <sys/eventfd.h>

#include <atomic>
#include <thread>

#include "micro.hh"

namespace starling_micro {
namespace {

// A cache line goes there and back; nobody sleeps.
double spinning_round_trip(std::size_t) {
    pin(0);
    return ns_each([](std::size_t count) {
        alignas(64) std::atomic<std::size_t> there{0};
        alignas(64) std::atomic<std::size_t> back{0};
        std::thread other([&] {
            pin(1);
            for (std::size_t i = 1; i <= count; ++i) {
                while (there.load(std::memory_order_acquire) != i) {
                }
                back.store(i, std::memory_order_release);
            }
        });
        for (std::size_t i = 1; i <= count; ++i) {
            there.store(i, std::memory_order_release);
            while (back.load(std::memory_order_acquire) != i) {
            }
        }
        other.join();
    });
}

void signal(int fd) {
    const std::uint64_t one = 1;
    if (write(fd, &one, sizeof one) != sizeof one) std::abort();
}
void await_signal(int fd) {
    std::uint64_t value = 0;
    if (read(fd, &value, sizeof value) != sizeof value) std::abort();
}

// Both sleep in read() until the other writes: two wake-ups a round trip.
double eventfd_round_trip(std::size_t) {
    pin(0);
    return ns_each([](std::size_t count) {
        const int there = eventfd(0, EFD_CLOEXEC);
        const int back = eventfd(0, EFD_CLOEXEC);
        std::thread other([&] {
            pin(1);
            for (std::size_t i = 0; i < count; ++i) {
                await_signal(there);
                signal(back);
            }
        });
        for (std::size_t i = 0; i < count; ++i) {
            signal(there);
            await_signal(back);
        }
        other.join();
        close(there);
        close(back);
    });
}

}  // namespace
}  // namespace starling_micro

int main(int argc, char** argv) {
    using namespace starling_micro;
    static constexpr Case kCases[] = {
        {"message-spinning", spinning_round_trip, 0},
        {"message-sleeping", eventfd_round_trip, 0},
    };
    return micro_main(kCases, argc, argv);
}
