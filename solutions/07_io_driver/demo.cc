// Demo of step 07: a thousand reads, and how often the kernel was called for them.
//
// Each of many socket pairs has one byte waiting. First the old way: one read(2) after the other. Then
// through your driver, with submission queues of different sizes: what is queued goes down together.
// The same driver, the same reads; only the size of the batch changes.
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <memory>
#include <starling/driver.hh>
#include <starling/executor.hh>
#include <starling/io_op.hh>
#include <string>
#include <vector>

namespace {

using namespace starling;

struct Pair {
    OwnedFd ours;
    OwnedFd theirs;
};

/// Socket pairs, as many of `wanted` as this process may have.
std::vector<Pair> make_pairs(std::size_t wanted) {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
    std::vector<Pair> pairs;
    while (pairs.size() < wanted) {
        std::array<int, 2> ends{};
        if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) < 0) break;
        pairs.push_back({OwnedFd(ends[0]), OwnedFd(ends[1])});
    }
    return pairs;
}

void put_a_byte_in_each(const std::vector<Pair>& pairs) {
    for (const Pair& p : pairs) {
        if (::send(p.theirs.get(), "*", 1, MSG_NOSIGNAL) != 1) std::perror("send");
    }
}

void print_row(const std::string& how, std::size_t reads, std::size_t calls, double microseconds) {
    constexpr std::size_t kBarMax = 40;
    const std::size_t bar = std::max<std::size_t>(1, calls * kBarMax / std::max(reads, calls));
    std::printf("  %-34s %5zu reads %6zu system calls %8.0f us  %s\n", how.c_str(), reads, calls,
                microseconds, std::string(bar, '#').c_str());
}

double since(TimePoint start) {
    return std::chrono::duration<double, std::micro>(Clock::steady().now() - start).count();
}

void read_one_by_one(const std::vector<Pair>& pairs) {
    put_a_byte_in_each(pairs);
    const TimePoint start = Clock::steady().now();
    std::size_t reads = 0;
    char byte = 0;
    for (const Pair& p : pairs) reads += ::recv(p.ours.get(), &byte, 1, 0) == 1;
    print_row("recv(2), one after the other", reads, pairs.size(), since(start));
}

Task<> read_byte(IoFd& fd, std::size_t& reads) {
    std::array<std::byte, 1> byte{};
    const std::size_t n = co_await RecvOp(fd, byte);
    reads += n;
}

Task<> read_all(std::vector<IoFd>& fds, std::size_t& reads) {
    std::vector<JoinHandle<void>> tasks;
    tasks.reserve(fds.size());
    for (IoFd& fd : fds) tasks.push_back(spawn(read_byte(fd, reads), {.name = "reader"}));
    for (auto& task : tasks) co_await task;
}

/// \return the driver's own words about itself
std::string read_through_driver(const std::vector<Pair>& pairs, DriverKind kind, unsigned batch) {
    const auto driver = make_driver({.kind = kind, .entries = batch});
    Executor executor({.parker = driver.get(), .batch_max = pairs.size() + 1});
    executor.add_source(*driver);
    std::vector<IoFd> fds;
    for (const Pair& p : pairs) fds.emplace_back(*driver, OwnedFd(::dup(p.ours.get())));
    put_a_byte_in_each(pairs);
    const auto before = driver->stats().syscalls();
    const TimePoint start = Clock::steady().now();
    std::size_t reads = 0;
    executor.block_on(read_all(fds, reads));
    const double took = since(start);
    const bool ring = kind != DriverKind::epoll && driver->note().empty();
    print_row(ring ? "io_uring, room for " + std::to_string(batch) : driver->name(), reads,
              driver->stats().syscalls() - before, took);
    return driver->note();
}

}  // namespace

int main() {
    constexpr std::size_t kReads = 1000;
    const auto pairs = make_pairs(kReads);
    std::printf("%zu sockets, a byte in each:\n\n", pairs.size());
    read_one_by_one(pairs);
    read_through_driver(pairs, DriverKind::epoll, 1);
    for (const unsigned batch : {1U, 8U, 64U, 512U}) {
        const std::string note = read_through_driver(pairs, DriverKind::automatic, batch);
        if (note.empty()) continue;
        std::printf("\n%s\n", note.c_str());
        break;
    }
    std::printf("\nEach row read the same bytes. What you wrote decides how many fit in one call.\n");
}
