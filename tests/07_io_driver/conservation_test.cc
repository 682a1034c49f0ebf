// 7.4: conservation on real kernels: what goes in comes out, whatever is stopped, and when. The
// cases turn the executor without sleeping, so they wait for 7.1 to 7.4 only.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <random>
#include <starling/io_stream.hh>
#include <starling/probes.hh>
#include <starling/test_drivers.hh>
#include <vector>

#include "io_helpers.hh"

namespace starling {
namespace {

using testing_support::count_fds;
using testing_support::IoShard;
using testing_support::Listener;
using testing_support::pattern;
using testing_support::stream_pair;
using testing_support::TestDriver;
using testing_support::Waiter;

class Ex7_4_Conservation : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex7_4_Conservation, testing_support::all_drivers(),
                         testing_support::driver_label);

/// Starts operations made by `make` on one end, stops each after a random while, and counts.
struct RandomStops {
    explicit RandomStops(IoShard& shard_, unsigned seed) : shard(shard_), random(seed) {}

    /// \return whether the operation succeeded before its stop
    template <class Op>
    bool run(Op& op) {
        Context context;
        Waiter waiter;
        waiter.set_context(&context);
        if (!op.ready()) {
            op.start(waiter);
            for (auto n = random() % 4; n > 0; --n) shard.executor().run_once();
            if (random() % 4 != 0) context.request_stop();
            meanwhile();
            if (!shard.turn_until([&] { return waiter.resumed > 0; })) {
                ADD_FAILURE() << "an operation never ended";
                std::abort();
            }
        }
        return !op.stopped();
    }

    IoShard& shard;
    std::mt19937 random;
    std::function<void()> meanwhile = [] {};
};

TEST_P(Ex7_4_Conservation, BytesReceivedUnderRandomStopsAreAllThatWereSent) {
    for (unsigned seed = 0; seed < 5; ++seed) {
        IoShard shard(GetParam());
        if (shard.missing()) return;
        const auto sent = pattern(20'000);
        std::vector<std::byte> received;
        auto [a, b] = stream_pair();
        IoFd in(shard.driver(), std::move(a));
        RandomStops stops(shard, seed);
        std::size_t written = 0;
        stops.meanwhile = [&, raw = b.get()] {
            const std::size_t n =
                std::min<std::size_t>(stops.random() % 200 + 1, sent.size() - written);
            if (n == 0 || ::send(raw, &sent[written], n, MSG_NOSIGNAL) < 0) return;
            written += n;
        };
        while (received.size() < sent.size()) {
            std::array<std::byte, 150> buffer{};
            RecvOp op(in, buffer);
            if (!stops.run(op)) continue;
            const std::size_t n = op.finish();
            received.insert(received.end(), buffer.begin(), buffer.begin() + static_cast<long>(n));
        }
        ASSERT_TRUE(received == sent) << "seed " << seed << ": a stopped receive kept bytes";
    }
}

TEST_P(Ex7_4_Conservation, BytesSentUnderRandomStopsAreCountedExactly) {
    for (unsigned seed = 0; seed < 5; ++seed) {
        IoShard shard(GetParam());
        if (shard.missing()) return;
        const auto sent = pattern(2'000'000);
        std::vector<std::byte> received;
        auto [a, b] = stream_pair();
        IoFd out(shard.driver(), std::move(a));
        ::fcntl(b.get(), F_SETFL, O_NONBLOCK);
        auto drain = [&, raw = b.get()] {
            std::array<std::byte, 60'000> buffer;
            const auto n = ::recv(raw, buffer.data(), buffer.size(), 0);
            if (n > 0) received.insert(received.end(), buffer.begin(), buffer.begin() + n);
        };
        RandomStops stops(shard, seed);
        stops.meanwhile = drain;
        std::size_t counted = 0;
        while (counted < sent.size()) {
            SendOp op(out, std::span(sent).subspan(
                               counted, std::min<std::size_t>(100'000, sent.size() - counted)));
            if (stops.run(op)) counted += op.finish();
            drain();
        }
        for (int i = 0; i < 1000 && received.size() < sent.size(); ++i) drain();
        ASSERT_TRUE(received == sent)
            << "seed " << seed << ": counted " << counted << ", arrived " << received.size();
    }
}

TEST_P(Ex7_4_Conservation, DescriptorsUnderRandomStopsAreAllAccountedFor) {
    const int before = count_fds();
    for (unsigned seed = 0; seed < 3; ++seed) {
        IoShard shard(GetParam());
        if (shard.missing()) return;
        constexpr int kConnections = 100;
        Listener listener;
        IoFd listening(shard.driver(), std::move(listener.fd));
        std::vector<OwnedFd> clients;
        RandomStops stops(shard, seed);
        stops.meanwhile = [&] {
            if (clients.size() < kConnections) clients.push_back(listener.connect());
        };
        int accepted = 0;
        while (accepted < kConnections) {
            AcceptOp op(listening);
            if (!stops.run(op)) continue;
            ASSERT_TRUE(op.finish().valid());
            ++accepted;
        }
        EXPECT_EQ(kConnections, accepted);
    }
    EXPECT_EQ(before, count_fds());
}

TEST_P(Ex7_4_Conservation, StreamsUnderRandomStopsLoseNothing) {
    for (unsigned seed = 0; seed < 3; ++seed) {
        IoShard shard(GetParam(), {.buffers = 16, .buffer_bytes = 64});
        if (shard.missing()) return;
        const auto sent = pattern(30'000);
        std::vector<std::byte> received;
        auto [a, b] = stream_pair();
        IoFd in(shard.driver(), std::move(a));
        RecvStream stream(in, 3);
        RandomStops stops(shard, seed);
        std::size_t written = 0;
        stops.meanwhile = [&, raw = b.get()] {
            const std::size_t n =
                std::min<std::size_t>(stops.random() % 500 + 1, sent.size() - written);
            if (n > 0 && ::send(raw, &sent[written], n, MSG_NOSIGNAL) > 0) written += n;
        };
        while (received.size() < sent.size()) {
            StreamWait wait = stream.wait();
            const bool came = stops.run(wait);
            if (came) {
                wait.finish();
            } else {
                EXPECT_THROW(wait.finish(), Cancelled);
            }
            while (!stream.empty() && stops.random() % 4 != 0) {
                PooledBuffer buffer = stream.take();
                received.insert(received.end(), buffer.bytes().begin(), buffer.bytes().end());
            }
        }
        ASSERT_TRUE(received == sent) << "seed " << seed;
    }
}

TEST_P(Ex7_4_Conservation, BufferIsNotWrittenAfterTheReceiveHasEnded) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    for (unsigned seed = 0; seed < 200; ++seed) {
        auto [a, b] = stream_pair();
        IoFd in(shard.driver(), std::move(a));
        std::array<std::byte, 8> buffer{};
        RandomStops stops(shard, seed);
        stops.meanwhile = [] {};
        Context context;
        Waiter waiter;
        waiter.set_context(&context);
        RecvOp op(in, buffer);
        op.start(waiter);
        if (seed % 2 == 0) shard.driver().poll();
        context.request_stop();
        ASSERT_TRUE(shard.turn_until([&] { return waiter.resumed > 0; }));
        ASSERT_TRUE(op.stopped());
        ASSERT_EQ(3, ::send(b.get(), "xyz", 3, MSG_NOSIGNAL));
        shard.driver().poll();
        ASSERT_EQ(std::byte{0}, buffer[0])
            << "the kernel still had the buffer of a stopped receive";
    }
}

}  // namespace
}  // namespace starling
