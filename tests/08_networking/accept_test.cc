// 8.1: connections arrive; what goes wrong with one is no reason to stop, and no reason to spin.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <optional>
#include <starling/net_world.hh>
#include <starling/scripted_ring.hh>
#include <starling/sleep.hh>
#include <starling/story.hh>
#include <starling/tcp_listener.hh>
#include <starling/watchdog.hh>
#include <vector>

namespace starling {
namespace {

using testing_support::NetWorld;
using testing_support::PlainSocket;
using testing_support::Story;
using testing_support::TestDriver;

[[maybe_unused]] const bool watched = testing_support::watch_every_case();

class Ex8_1_Accept : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Ex8_1_Accept, testing_support::all_drivers(),
                         testing_support::driver_label);

/// The process may open no further descriptor while this lives.
class NoMoreFds {
  public:
    NoMoreFds() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int next_free = ::dup(0);
        ::close(next_free);
        rlimit now{static_cast<rlim_t>(next_free), before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &now);
    }
    ~NoMoreFds() { ::setrlimit(RLIMIT_NOFILE, &before_); }

  private:
    rlimit before_{};
};

/// A listener that has not been asked for a connection: io_uring notes the limit when it is asked.
/// Everything that will happen without descriptors has happened once by then: sanitizers need some
/// to look at a type for the first time.
Task<TcpListener> fresh_listener() {
    {
        TcpListener first = TcpListener::bind(SocketAddress::loopback());
        PlainSocket client = PlainSocket::connect(first.local_address());
        auto waiting = spawn([&]() -> Task<> { TcpStream stream = co_await first.accept(); });
        co_await waiting;
        auto failing = spawn([&]() -> Task<TcpStream> {
            throw_io_error("accept", -EMFILE);
            co_return co_await first.accept();
        });
        try {
            co_await failing;
        } catch (const std::system_error&) {
        }
    }
    co_await sleep(std::chrono::milliseconds(5));  // By then all of it is closed.
    co_return TcpListener::bind(SocketAddress::loopback());
}

TEST_P(Ex8_1_Accept, ConnectionThatWaitsIsAccepted) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        PlainSocket client = PlainSocket::connect(listener.local_address());
        TcpStream stream = co_await listener.accept();
        EXPECT_EQ(SocketAddress::local_of(client.get()), stream.peer_address());
        EXPECT_EQ(listener.local_address(), stream.local_address());
    });
}

TEST_P(Ex8_1_Accept, AcceptWaitsForAConnectionThatComesLater) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    bool accepted = false;
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        auto waiting = spawn([&]() -> Task<> {
            TcpStream stream = co_await listener.accept();
            accepted = stream.valid();
        });
        co_await sleep(std::chrono::hours(1));
        EXPECT_FALSE(accepted);
        PlainSocket client = PlainSocket::connect(listener.local_address());
        co_await waiting;
    });
    EXPECT_TRUE(accepted);
}

TEST_P(Ex8_1_Accept, ConnectionsComeInTheirOrderAndNoneIsMissed) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        std::vector<PlainSocket> clients;
        for (int i = 0; i < 100; ++i) {
            clients.push_back(PlainSocket::connect(listener.local_address()));
        }
        for (PlainSocket& client : clients) {
            TcpStream stream = co_await listener.accept();
            EXPECT_EQ(SocketAddress::local_of(client.get()), stream.peer_address());
        }
    });
}

TEST_P(Ex8_1_Accept, ConnectionWhoseClientHasGoneIsNoReasonToStop) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        PlainSocket::connect(listener.local_address()).close();
        PlainSocket client = PlainSocket::connect(listener.local_address());
        TcpStream gone = co_await listener.accept();
        TcpStream stream = co_await listener.accept();
        EXPECT_EQ(SocketAddress::local_of(client.get()), stream.peer_address());
    });
}

/// A listener whose kernel answers what the test says.
struct ScriptedListener {
    ScriptedListener() {
        provide_service(executor.env(), &io.driver);
        executor.add_source(io.driver);
        Executor::Enter scope(executor);
        listener = TcpListener::bind(SocketAddress::loopback());
    }
    ~ScriptedListener() {
        Executor::Enter scope(executor);
        listener.reset();
        executor.remove_source(io.driver);
    }
    /// Runs what can run; then the accept that is in the kernel ends with `result`.
    void answer(int result) {
        turns();
        if (io.kernel.count(IoCode::accept_multi) != ++asked) return;
        io.kernel.complete(io.kernel.taken.back().key, {.result = result});
        turns();
    }
    /// The same with a connection and an error behind it, which come together.
    void answer(OwnedFd connection, int error) {
        turns();
        if (io.kernel.count(IoCode::accept_multi) != ++asked) return;
        const auto key = io.kernel.taken.back().key;
        io.kernel.complete(key, {.result = connection.release(), .more = true});
        io.kernel.complete(key, {.result = error});
        turns();
    }
    void turns() {
        for (int i = 0; i < 10; ++i) executor.run_once();
    }

    testing_support::ScriptedIo io;
    VirtualClock clock;
    Executor executor{{.clock = &clock}};
    TimerService timers{executor};
    std::optional<TcpListener> listener;
    std::size_t asked = 0;
};

TEST(Ex8_1_Errors, ConnectionThatFailsBeforeItIsAcceptedIsNoReasonToStop) {
    ScriptedListener world;
    TcpStream stream;
    auto waiting =
        world.executor.spawn([&]() -> Task<> { stream = co_await world.listener->accept(); });
    Story story("a connection fails before anybody has it: whose error is that?");
    for (const int error : {ECONNABORTED, EPERM, EPROTO, EHOSTDOWN, ENETDOWN, ETIMEDOUT}) {
        world.answer(-error);
        story.step("the kernel answers the accept with an error: " +
                   std::generic_category().message(error));
        if (!story.expect("the accept goes on waiting", false, waiting.done())) return;
    }
    auto [server, client] = testing_support::tcp_pair();
    world.answer(server.release());
    story.expect("the next connection is accepted at once", true, stream.valid());
    waiting.abort();
    world.turns();
}

TEST(Ex8_1_Errors, ConnectionThatCameBeforeAnErrorIsAcceptedBeforeIt) {
    for (const int error : {EMFILE, EINVAL}) {
        ScriptedListener world;
        TcpStream stream;
        auto waiting =
            world.executor.spawn([&]() -> Task<> { stream = co_await world.listener->accept(); });
        auto [server, client] = testing_support::tcp_pair();
        world.answer(std::move(server), -error);
        Story story("which came first, the connection or the error?");
        story.step("a connection arrives, and in the same turn an error behind it: " +
                   std::generic_category().message(error));
        story.expect("the connection is accepted at once", true, stream.valid());
        waiting.abort();
        world.turns();
    }
}

TEST(Ex8_1_Errors, ErrorOfTheListenerItselfIsThrown) {
    ScriptedListener world;
    auto waiting = world.executor.spawn(
        [&]() -> Task<> { TcpStream stream = co_await world.listener->accept(); });
    world.answer(-EINVAL);
    Story story("the listener itself is no good: what can the caller do but hear of it?");
    story.step("the kernel answers the accept with EINVAL");
    if (story.expect("the accept has ended", true, waiting.done())) {
        EXPECT_THROW(waiting.finish(), std::system_error);
    } else {
        waiting.abort();
        world.turns();
    }
}

TEST_P(Ex8_1_Accept, NoDescriptorLeftIsWaitedForNotAskedAgainAtOnce) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    Story story("the kernel answers \"no\" at once: what does your loop do then?");
    std::optional<TcpListener> listener;
    world.run([&]() -> Task<> { listener = co_await fresh_listener(); });
    PlainSocket client = PlainSocket::connect(listener->local_address());
    const auto pass_a_second = [&world] {
        for (int ms = 0; ms < 1000; ++ms) {
            world.clock().advance(std::chrono::milliseconds(1));
            for (int turn = 0; turn < 5; ++turn) world.executor().run_once();
        }
    };
    auto waiting =
        world.executor().spawn([&]() -> Task<> { TcpStream stream = co_await listener->accept(); });
    EXPECT_FALSE(waiting.done());
    const auto asked = world.driver().stats().submissions;
    const auto woken = world.executor().stats().resumed;
    {
        NoMoreFds limit;
        pass_a_second();
    }
    story.step("a client has connected, but this process may open no further descriptor");
    story.step("a second passes, in which your loop might run 5000 times");
    story.expect("the kernel was asked at most 100 times", true,
                 world.driver().stats().submissions - asked <= 100);
    story.expect("nobody was awake more often than 300 times", true,
                 world.executor().stats().resumed - woken <= 300);
    story.expect("the accept goes on waiting", false, waiting.done());
    pass_a_second();
    story.expect("descriptors are back, and a second later it is accepted", true, waiting.done());
    waiting.abort();
    world.settle();
}

TEST_P(Ex8_1_Accept, AcceptThatPausesForADescriptorCanBeStopped) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        TcpListener listener = co_await fresh_listener();
        PlainSocket client = PlainSocket::connect(listener.local_address());
        auto waiting = spawn([&]() -> Task<> { TcpStream stream = co_await listener.accept(); });
        {
            NoMoreFds limit;
            co_await sleep(std::chrono::milliseconds(5));
        }
        const long paused_ms = world.elapsed_ms();
        waiting.abort();
        try {
            co_await waiting;
            ADD_FAILURE() << "there was no descriptor for it";
        } catch (const TaskAborted&) {
        }
        EXPECT_EQ(paused_ms, world.elapsed_ms()) << "a stop does not wait for the pause to end";
        TcpStream stream = co_await listener.accept();
        EXPECT_EQ(SocketAddress::local_of(client.get()), stream.peer_address());
    });
}

TEST_P(Ex8_1_Accept, UnixSocketServesToo) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        const std::string name = "unix:@starling-test-" + std::to_string(::getpid());
        TcpListener listener = TcpListener::bind(SocketAddress::parse(name));
        PlainSocket client = PlainSocket::connect(SocketAddress::parse(name));
        TcpStream stream = co_await listener.accept();
        EXPECT_TRUE(stream.valid());
        EXPECT_TRUE(stream.local_address().is_unix());
    });
}

class Given8_Listen : public testing::TestWithParam<TestDriver> {};
INSTANTIATE_TEST_SUITE_P(On, Given8_Listen, testing_support::all_drivers(),
                         testing_support::driver_label);

TEST_P(Given8_Listen, AddressThatIsTakenIsAnErrorThatNamesTheCall) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        TcpListener listener = TcpListener::bind(SocketAddress::loopback());
        try {
            TcpListener second = TcpListener::bind(listener.local_address());
            ADD_FAILURE() << "two listeners on one address";
        } catch (const std::system_error& error) {
            EXPECT_EQ(EADDRINUSE, error.code().value());
            EXPECT_TRUE(std::string_view(error.what()).starts_with("bind"));
        }
        co_return;
    });
}

TEST_P(Given8_Listen, ListenersThatAgreeShareAnAddress) {
    NetWorld world(GetParam());
    if (world.missing()) return;
    world.run([&]() -> Task<> {
        const ListenOptions shared{.reuse_port = true};
        TcpListener first = TcpListener::bind(SocketAddress::loopback(), shared);
        TcpListener second = TcpListener::bind(first.local_address(), shared);
        EXPECT_EQ(first.local_address(), second.local_address());
        co_return;
    });
}

TEST_P(Given8_Listen, WithoutADriverTheErrorSaysWhatIsMissing) {
    try {
        TcpListener::bind(SocketAddress::loopback());
        ADD_FAILURE() << "there is no driver";
    } catch (const std::logic_error& error) {
        EXPECT_NE(std::string::npos,
                  std::string(error.what()).find("TcpListener needs an I/O driver"));
    }
}

}  // namespace
}  // namespace starling
