// A fast task feeds a slow one, through a bounded channel and through an unbounded one. Watch the
// queues.
//
//     ./workshop demo 06
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <starling/channel.hh>
#include <starling/interval.hh>
#include <starling/select.hh>
#include <string>

namespace {

using namespace starling;
using namespace std::chrono_literals;

constexpr Duration kTime = 3s;
constexpr Duration kProducerWorks = 1ms;
constexpr Duration kConsumerWorks = 4ms;
constexpr std::size_t kCapacity = 16;

struct Item {
    TimePoint made;
};

struct Line {
    const char* name;
    Receiver<Item>* receiver = nullptr;  // While it exists.
    long sent = 0;
    long received = 0;
    long came_back = 0;
    Duration oldest{};  // How long the last one received had waited.
};

TimePoint now() { return std::chrono::steady_clock::now(); }

Task<> produce(Sender<Item> tx, Line& line) {
    for (;;) {
        co_await sleep(kProducerWorks);
        if (!co_await tx.send(Item{now()})) break;  // Nobody listens any more: here it is again.
        ++line.sent;
    }
    ++line.came_back;
}

/// Receives until the time is over, then goes: whoever waits to send gets the value back.
Task<> consume(Receiver<Item> rx, Line& line) {
    line.receiver = &rx;
    const TimePoint end = now() + kTime;
    while (now() < end) {
        auto got = co_await select(rx.recv(), sleep_until(end));
        if (got.index() != 0) break;
        if (auto item = got.take<0>()) {
            ++line.received;
            line.oldest = now() - item->made;
        }
        co_await sleep(kConsumerWorks);
    }
    line.receiver = nullptr;
}

void draw(const Line& line, const char* clear) {
    constexpr std::size_t kColumns = 56;
    const std::size_t size = line.receiver == nullptr ? 0 : line.receiver->size();
    const std::size_t column = std::min(kColumns, size / 16);
    std::string bar(column, '#');
    if (size > 0 && column == 0) bar = ".";
    std::printf("  %-9s %5zu waiting, the last one for %5lld ms [%-56s]%s\n", line.name, size,
                static_cast<long long>(line.oldest / 1ms), bar.c_str(), clear);
}

Task<> watch(const Line& bounded, const Line& unbounded) {
    const bool terminal = ::isatty(STDOUT_FILENO) != 0;
    Interval frames(terminal ? Duration(50ms) : Duration(500ms), MissedTick::skip);
    for (bool first = true; bounded.receiver != nullptr || first; first = false) {
        if (terminal && !first) std::printf("\x1b[2A");
        draw(bounded, terminal ? "\x1b[K" : "");
        draw(unbounded, terminal ? "\x1b[K" : "");
        std::fflush(stdout);
        co_await frames.tick();
    }
}

void report(const Line& line) {
    std::printf("  %-9s sent %5ld, received %4ld, came back %ld, dropped with the receiver %ld\n",
                line.name, line.sent, line.received, line.came_back, line.sent - line.received);
}

}  // namespace

int main() {
    Executor executor;
    TimerService timers(executor);
    Line bounded{"bounded"};
    Line unbounded{"unbounded"};
    std::printf("Two producers make a value a millisecond; their consumers need four for each.\n");
    std::printf("One channel holds %zu values, the other as many as there is memory.\n\n",
                kCapacity);
    executor.block_on([&]() -> Task<> {
        auto [tx, rx] = channel<Item>(kCapacity);
        auto [endless_tx, endless_rx] = unbounded_channel<Item>();
        auto a = spawn(produce(std::move(tx), bounded), {.name = "bounded producer"});
        auto b = spawn(produce(std::move(endless_tx), unbounded), {.name = "unbounded producer"});
        auto c = spawn(consume(std::move(rx), bounded), {.name = "bounded consumer"});
        auto d = spawn(consume(std::move(endless_rx), unbounded), {.name = "unbounded consumer"});
        co_await watch(bounded, unbounded);
        co_await c;
        co_await d;
        co_await a;
        co_await b;
    });
    std::printf("\n");
    report(bounded);
    report(unbounded);
    std::printf(
        "The bounded producer was slowed down to its consumer's pace. That is back-pressure.\n");
}
