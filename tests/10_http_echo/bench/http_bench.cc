// What HTTP costs before any socket: heads, chunks, and requests that become answers.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <starling/http_body.hh>
#include <starling/http_parser.hh>
#include <starling/http_session.hh>
#include <string>
#include <string_view>

namespace starling {
namespace {

/// What a load generator sends: 2 fields.
std::string small_head() {
    return "GET /echo HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: bench\r\n\r\n";
}

/// What a browser sends: 9 fields, about 480 bytes.
std::string browser_head() {
    return "GET /echo?page=1 HTTP/1.1\r\n"
           "Host: www.example.org:8080\r\n"
           "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
           "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n"
           "Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n"
           "Accept-Encoding: gzip, deflate, br, zstd\r\n"
           "Referer: http://www.example.org:8080/echo\r\n"
           "Connection: keep-alive\r\n"
           "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
           "Upgrade-Insecure-Requests: 1\r\n\r\n";
}

std::string head(benchmark::State& state, std::int64_t argument) {
    std::string text = argument == 0 ? small_head() : browser_head();
    state.SetLabel(argument == 0 ? "load generator" : "browser");
    return text;
}

void count_bytes(benchmark::State& state, std::size_t per_iteration) {
    state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(per_iteration));
}

// Argument: 0 a load generator's head, 1 a browser's.
void BM_RequestParser_WholeHead(benchmark::State& state) {
    const std::string text = head(state, state.range(0));
    const HttpLimits limits;
    RequestParser parser(limits);
    for (auto _ : state) {
        if (!parser.parse(text)) state.SkipWithError("not done");
        benchmark::DoNotOptimize(parser.head().path());
        parser.reset();
    }
    count_bytes(state, text.size());
}
BENCHMARK(BM_RequestParser_WholeHead)->Arg(0)->Arg(1);

// A browser's head that arrives in pieces of so many bytes.
void BM_RequestParser_HeadInPieces(benchmark::State& state) {
    const std::string text = browser_head();
    const auto piece = static_cast<std::size_t>(state.range(0));
    const HttpLimits limits;
    RequestParser parser(limits);
    for (auto _ : state) {
        bool done = false;
        for (std::size_t size = 0; size < text.size();) {
            size = std::min(text.size(), size + piece);
            done = parser.parse(std::string_view(text).substr(0, size));
        }
        if (!done) state.SkipWithError("not done");
        parser.reset();
    }
    count_bytes(state, text.size());
}
BENCHMARK(BM_RequestParser_HeadInPieces)->Arg(1)->Arg(16)->Arg(128);

// 64 KiB of data in chunks of so many bytes.
void BM_BodyDecoder_Chunked(benchmark::State& state) {
    constexpr std::size_t kData = 64 * 1024;
    std::string body;
    const std::string chunk(static_cast<std::size_t>(state.range(0)), 'x');
    char size[20];
    std::snprintf(size, sizeof size, "%zx\r\n", chunk.size());
    for (std::size_t at = 0; at < kData; at += chunk.size()) body += size + chunk + "\r\n";
    body += "0\r\n\r\n";
    for (auto _ : state) {
        BodyDecoder decoder(std::nullopt, 2 * kData);
        std::string_view input = body;
        std::size_t data = 0;
        while (!decoder.done()) data += decoder.take(input).size();
        if (data != kData) state.SkipWithError("not all of the data");
    }
    count_bytes(state, kData);
}
BENCHMARK(BM_BodyDecoder_Chunked)->Arg(16)->Arg(1024)->Arg(16384);

class Echo final : public HttpHandler {
  public:
    bool answer(HttpExchange& x) override {
        x.send(200, "text/plain", x.body().empty() ? "hello" : x.body());
        return true;
    }
    Task<> handle(HttpExchange&) override { co_return; }
};

/// Shows `text` to a session of one connection that lives on; drops what it answers.
void answer_all(benchmark::State& state, std::string_view text, std::int64_t requests) {
    Echo handler;
    HttpShared shared{.limits = {}, .handler = handler};
    HttpSession session(shared);
    for (auto _ : state) {
        session.show(text);
        while (!session.input().empty()) {
            if (session.advance() != HttpSession::Next::more) {
                return state.SkipWithError("the session wanted to end");
            }
            benchmark::DoNotOptimize(session.output().data());
            session.output().clear();
        }
    }
    state.SetItemsProcessed(state.iterations() * requests);
    if (shared.stats.requests != static_cast<std::uint64_t>(state.iterations() * requests)) {
        state.SkipWithError("not every request was answered");
    }
}

// From a request's bytes to its answer's, on a connection that is kept.
void BM_HttpSession_KeepAlive(benchmark::State& state) {
    answer_all(state, head(state, state.range(0)), 1);
}
BENCHMARK(BM_HttpSession_KeepAlive)->Arg(0)->Arg(1);

// So many requests in one read; items are requests.
void BM_HttpSession_Pipelined(benchmark::State& state) {
    std::string text;
    for (std::int64_t i = 0; i < state.range(0); ++i) text += small_head();
    answer_all(state, text, state.range(0));
}
BENCHMARK(BM_HttpSession_Pipelined)->Arg(1)->Arg(16)->Arg(256);

// A body of so many bytes there and back.
void BM_HttpSession_EchoBody(benchmark::State& state) {
    const std::string body(static_cast<std::size_t>(state.range(0)), 'x');
    const std::string text =
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\n\r\n" + body;
    answer_all(state, text, 1);
    count_bytes(state, body.size());
}
BENCHMARK(BM_HttpSession_EchoBody)->Arg(64)->Arg(16384);

}  // namespace
}  // namespace starling
