// 7.3, 7.4: streams and closing on real kernels: the same cases on every rung of io_uring and on
// epoll. They turn the executor without sleeping, so they wait for 7.1 to 7.4 only.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>
#include <starling/io_stream.hh>
#include <starling/probes.hh>
#include <starling/scripted_ring.hh>
#include <starling/story.hh>
#include <starling/test_drivers.hh>
#include <vector>

#include "io_helpers.hh"

namespace starling {
namespace {

using testing_support::as_text;
using testing_support::count_fds;
using testing_support::IoShard;
using testing_support::Listener;
using testing_support::pattern;
using testing_support::ScriptedIo;
using testing_support::Story;
using testing_support::stream_pair;
using testing_support::TestDriver;
using testing_support::Waiter;

class Ex7_3_Streams : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex7_3_Streams, testing_support::all_drivers(),
                         testing_support::driver_label);

class Ex7_4_Streams : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex7_4_Streams, testing_support::all_drivers(),
                         testing_support::driver_label);

TEST_P(Ex7_4_Streams, BytesArriveInOrderUntilTheEnd) {
    IoShard shard(GetParam(), {.buffer_bytes = 4096});
    if (shard.missing()) return;
    const auto sent = pattern(1'000'000);
    std::vector<std::byte> received;
    auto [a, b] = stream_pair();
    IoFd out(shard.driver(), std::move(a));
    IoFd in(shard.driver(), std::move(b));
    auto sender = shard.executor().spawn([&]() -> Task<> {
        std::span<const std::byte> rest = sent;
        while (!rest.empty()) rest = rest.subspan(co_await SendOp(out, rest));
        out.shutdown(SHUT_WR);
    });
    shard.run([&]() -> Task<> {
        RecvStream stream(in, 4);  // Less than a socket holds: it pauses, and goes on.
        while (!stream.at_end()) {
            co_await stream.wait();
            while (!stream.empty()) {
                const auto bytes = stream.front();
                received.insert(received.end(), bytes.begin(), bytes.end());
                stream.consume(bytes.size());
            }
        }
        EXPECT_EQ(0, stream.error());
        co_await sender;
        co_await in.close();
    });
    EXPECT_TRUE(received == sent) << received.size() << " of " << sent.size() << " bytes";
}

TEST_P(Ex7_4_Streams, ReadAheadIsBoundedAndGoesOnWhenThereIsRoom) {
    IoShard shard(GetParam(), {.buffers = 1024, .buffer_bytes = 256});
    if (shard.missing()) return;
    auto [a, b] = stream_pair();
    IoFd in(shard.driver(), std::move(a));
    RecvStream stream(in, 4);
    Waiter waiter;
    StreamWait wait = stream.wait();
    wait.start(waiter);
    const auto sent = pattern(600'000);  // More than the socket and all buffers together hold.
    ::fcntl(b.get(), F_SETFL, O_NONBLOCK);
    std::size_t written = 0;
    auto send_what_fits = [&, raw = b.get()] {
        const auto rest = std::span(sent).subspan(written);
        if (rest.empty()) return;
        const auto n = ::send(raw, rest.data(), rest.size(), MSG_NOSIGNAL);
        if (n > 0) written += static_cast<std::size_t>(n);
    };
    for (int i = 0; i < 50; ++i) {
        send_what_fits();
        shard.driver().poll();
    }
    EXPECT_GT(written, 40'000U);
    EXPECT_LT(written, sent.size());
    EXPECT_GT(shard.driver().buffers().available(), 512U)
        << "the reader does not read: one of those must not take every buffer";
    std::vector<std::byte> received;
    ASSERT_TRUE(shard.turn_until([&] {
        while (!stream.empty()) {
            PooledBuffer buffer = stream.take();
            received.insert(received.end(), buffer.bytes().begin(), buffer.bytes().end());
        }
        if (received.size() == sent.size()) return true;
        send_what_fits();
        if (waiter.resumed > 0) {
            wait.finish();
            wait.start(waiter);
            waiter.resumed = 0;
        }
        return false;
    }));
    EXPECT_TRUE(received == sent);
    b = OwnedFd();
    shard.turn_until([&] { return waiter.resumed > 0; });
    wait.finish();
}

TEST_P(Ex7_4_Streams, StoppingAWaiterIsLocalAndLosesNothing) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    auto [a, b] = stream_pair();
    IoFd in(shard.driver(), std::move(a));
    RecvStream stream(in);
    {
        Context context;
        Waiter waiter;
        waiter.set_context(&context);
        StreamWait wait = stream.wait();
        wait.start(waiter);
        shard.driver().poll();
        const auto before = shard.driver().stats();
        context.request_stop();
        Story story("the stream goes on: what would a cancel be good for?");
        story.step("wait for bytes, stop the waiter");
        story.expect("it goes on at once", 1, waiter.resumed);
        story.expect("stopped", true, wait.stopped());
        story.expect("new submissions", before.submissions, shard.driver().stats().submissions);
        EXPECT_THROW(wait.finish(), Cancelled);
    }
    ASSERT_EQ(3, ::send(b.get(), "abc", 3, MSG_NOSIGNAL));
    ASSERT_TRUE(shard.turn_until([&] { return !stream.empty(); }))
        << "nobody waits, and the bytes come all the same";
    EXPECT_EQ("abc", as_text(stream.front()));
}

TEST(Ex7_4_StreamWait, WaiterThatHasBeenPostedIsNotPostedAgainByAStop) {
    ScriptedIo io;
    AcceptStream stream(io.fd());
    testing_support::ScriptedPost posts;
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    StreamWait wait = stream.wait();
    wait.start(waiter);
    io.driver.poll();
    Story story(
        "the stream has woken its waiter: who knows that, when there is nothing left in it?");
    story.step("a task waits for a connection; one comes");
    const int connection = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    io.kernel.complete(io.kernel.taken.back().key, {.result = connection, .more = true});
    io.driver.poll();
    story.expect("posted, and not run yet", std::size_t{1}, posts.waiting());
    stream.take();
    context.request_stop();
    story.step("somebody else takes the connection; the task is stopped; then it runs");
    posts.run_all();
    story.expect("it has gone on", 1, waiter.resumed);
    story.expect("because it was stopped", false, wait.stopped());
    wait.finish();
}

TEST_P(Ex7_4_Streams, ReaderThatWasStoppedIsNotWokenByLaterBytes) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    auto [a, b] = stream_pair();
    IoFd in(shard.driver(), std::move(a));
    RecvStream stream(in);
    Context context;
    Waiter waiter;
    waiter.set_context(&context);
    StreamWait wait = stream.wait();
    wait.start(waiter);
    shard.driver().poll();
    context.request_stop();
    ASSERT_EQ(1, waiter.resumed);
    ASSERT_EQ(3, ::send(b.get(), "abc", 3, MSG_NOSIGNAL));
    ASSERT_TRUE(shard.turn_until([&] { return !stream.empty(); }));
    EXPECT_EQ(1, waiter.resumed) << "it waits for something else by now";
}

TEST_P(Ex7_4_Streams, BytesThatNobodyWantedComeFirstAgain) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    shard.run([&]() -> Task<> {
        auto [a, b] = stream_pair();
        IoFd in(shard.driver(), std::move(a));
        RecvStream stream(in);
        EXPECT_EQ(6, ::send(b.get(), "abcdef", 6, MSG_NOSIGNAL));
        co_await stream.wait();
        PooledBuffer buffer = stream.take();
        buffer.consume(2);
        stream.give_back(std::move(buffer));
        EXPECT_EQ("cdef", as_text(stream.front()));
        stream.consume(4);
        EXPECT_TRUE(stream.empty());
    });
}

TEST_P(Ex7_3_Streams, StreamsOutliveAShortageOfBuffers) {
    IoShard shard(GetParam(), {.buffers = 2, .buffer_bytes = 16});
    if (shard.missing()) return;
    constexpr int kStreams = 5;
    struct End {
        End(Driver& driver, std::pair<OwnedFd, OwnedFd> ends)
            : in(driver, std::move(ends.first)), out(std::move(ends.second)), stream(in) {}
        IoFd in;
        OwnedFd out;
        RecvStream stream;
        std::size_t got = 0;
    };
    std::deque<End> all;
    std::vector<JoinHandle<void>> readers;
    for (int i = 0; i < kStreams; ++i) {
        End& end = all.emplace_back(shard.driver(), stream_pair());
        readers.push_back(shard.executor().spawn([&end]() -> Task<> {
            while (!end.stream.at_end()) {
                co_await end.stream.wait();
                co_await yield();  // Holds its buffers for a turn, so that others starve.
                while (!end.stream.empty()) end.got += end.stream.take().size();
            }
        }));
        const auto bytes = pattern(1000);
        ASSERT_EQ(1000, ::send(end.out.get(), bytes.data(), 1000, MSG_NOSIGNAL));
        end.out = OwnedFd();
    }
    shard.run([&]() -> Task<> {
        for (auto& reader : readers) co_await reader;
    });
    for (End& end : all) EXPECT_EQ(1000U, end.got);
}

TEST_P(Ex7_4_Streams, ListenerGivesItsConnectionsAndKeepsWhatNobodyTook) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    shard.run([&]() -> Task<> {
        Listener listener;
        std::deque<OwnedFd> clients;
        IoFd listening(shard.driver(), std::move(listener.fd));
        AcceptStream stream(listening, 2);  // Pauses after two.
        for (int i = 0; i < 10; ++i) clients.push_back(listener.connect());
        int accepted = 0;
        while (accepted < 10) {
            co_await stream.wait();
            EXPECT_EQ(0, stream.take_error());
            EXPECT_TRUE(stream.take().valid());
            ++accepted;
        }
    });
}

TEST_P(Ex7_4_Streams, ErrorEndsTheStreamOnceAndTheNextWaitTriesAgain) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    Listener listener(0);  // Does not listen yet.
    const int number = listener.fd.get();
    IoFd listening(shard.driver(), std::move(listener.fd));
    AcceptStream stream(listening);
    Waiter first;
    StreamWait wait = stream.wait();
    wait.start(first);
    ASSERT_TRUE(shard.turn_until([&] { return first.resumed == 1; }));
    wait.finish();
    EXPECT_TRUE(stream.empty());
    EXPECT_EQ(-EINVAL, stream.take_error());
    EXPECT_EQ(0, stream.take_error()) << "it is told once";
    ASSERT_EQ(0, ::listen(number, 8));
    OwnedFd client = listener.connect();
    Waiter second;
    StreamWait again = stream.wait();
    ASSERT_FALSE(again.ready());
    again.start(second);
    ASSERT_TRUE(shard.turn_until([&] { return second.resumed == 1; }));
    again.finish();
    EXPECT_TRUE(stream.take().valid());
}

TEST(Ex7_3_ScriptedStreams, TooManyOpenFilesIsReportedAndDoesNotSpin) {
    ScriptedIo io;
    auto& stream = *new AcceptStream(io.fd());
    static auto* kept = &stream;
    (void)kept;
    Waiter waiter;
    StreamWait wait = stream.wait();
    wait.start(waiter);
    io.driver.poll();
    ASSERT_EQ(1U, io.kernel.count(IoCode::accept_multi));
    io.kernel.complete(io.kernel.taken.front().key, {.result = -EMFILE});
    for (int i = 0; i < 5; ++i) io.driver.poll();
    Story story("it cannot get better by trying again at once: who decides when to?");
    story.step("the kernel ends the accept stream with -EMFILE");
    story.expect("the waiter goes on", 1, waiter.resumed);
    wait.finish();
    story.expect("error", -EMFILE, stream.take_error());
    story.expect("it was armed once", std::size_t{1}, io.kernel.count(IoCode::accept_multi));
    StreamWait again = stream.wait();
    again.start(waiter);
    io.driver.poll();
    story.step("wait again, later");
    story.expect("now it is armed again", std::size_t{2}, io.kernel.count(IoCode::accept_multi));
}

TEST_P(Ex7_4_Streams, CloseEndsAWaitingReader) {
    IoShard shard(GetParam());
    if (shard.missing()) return;
    auto [a, b] = stream_pair();
    IoFd in(shard.driver(), std::move(a));
    RecvStream stream(in);
    Waiter waiter;
    StreamWait wait = stream.wait();
    wait.start(waiter);
    shard.driver().poll();
    shard.run([&]() -> Task<> { co_await in.close(); });
    EXPECT_EQ(1, waiter.resumed);
    EXPECT_EQ(-ECANCELED, stream.error());
}

TEST(Ex7_4_ScriptedStreams, ReaderDoesNotAskAgainWhereTheDescriptorIsClosing) {
    for (const int answer : {-ECANCELED, -ENOBUFS, -EINTR}) {
        ScriptedIo io;
        IoFd fd(io.driver, OwnedFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
        RecvStream stream(fd);
        Waiter reader;
        StreamWait wait = stream.wait();
        wait.start(reader);
        io.driver.poll();
        ASSERT_EQ(1U, io.kernel.taken.size());
        const auto key = io.kernel.taken.front().key;
        Waiter closer;
        CloseOp close = fd.close();
        close.start(closer);
        io.driver.poll();
        io.kernel.complete(key, {.result = answer});
        io.driver.poll();
        io.driver.poll();
        Story story("the close asks what is in flight to end, once: who would end the next one?");
        story.step("a reader waits; its descriptor is closed; the kernel answers " +
                   std::to_string(answer));
        story.expect("receives that the kernel was given", std::size_t{1},
                     io.kernel.count(IoCode::recv_multi));
        story.expect("the reader has gone on", 1, reader.resumed);
        story.expect("it is told why", answer, stream.error());
        story.expect("the close has ended", 1, closer.resumed);
        if (closer.resumed == 1) continue;
        io.kernel.complete(io.kernel.taken.back().key, {.result = 0});  // So that this case ends.
        io.driver.poll();
    }
}

TEST_P(Ex7_4_Streams, DestroyedInFlightTheyLeaveNothingBehind) {
    const int before = count_fds();
    {
        IoShard shard(GetParam());
        if (shard.missing()) return;
        for (int i = 0; i < 50; ++i) {
            auto [a, b] = stream_pair();
            IoFd in(shard.driver(), std::move(a));
            RecvStream stream(in);
            Waiter waiter;
            Context context;
            waiter.set_context(&context);
            StreamWait wait = stream.wait();
            wait.start(waiter);
            if (i % 2 == 0) shard.driver().poll();
            if (i % 3 == 0) {
                EXPECT_EQ(2, ::send(b.get(), "xy", 2, MSG_NOSIGNAL));
            }
            if (i % 5 == 0) shard.driver().poll();
            context.request_stop();
        }  // Armed, some with bytes on their way.
        Listener listener;
        OwnedFd client = listener.connect();
        IoFd listening(shard.driver(), std::move(listener.fd));
        AcceptStream stream(listening);
        Waiter waiter;
        StreamWait wait = stream.wait();
        wait.start(waiter);
        shard.turn_until([&] { return waiter.resumed == 1; });
        EXPECT_TRUE(shard.turn_until([&] { return shard.driver().in_flight() <= 1; }));
    }  // The accepted connection was never taken.
    EXPECT_EQ(before, count_fds());
}

}  // namespace
}  // namespace starling
