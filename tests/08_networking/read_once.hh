// What the cases about deadlines share.
//
// Affinity: owner shard.
#pragma once

#include <span>
#include <starling/tcp_stream.hh>
#include <string>

namespace starling::testing_support {

/// What a read came to, as a word: the bytes, "end", or "timed out".
inline Task<std::string> read_once(TcpStream& stream) {
    std::string text(64, '\0');
    try {
        const std::size_t n = co_await stream.read(std::span(text));
        text.resize(n);
        if (n == 0) text = "end";
    } catch (const TimedOut&) {
        text = "timed out";
    }
    co_return text;
}

}  // namespace starling::testing_support
