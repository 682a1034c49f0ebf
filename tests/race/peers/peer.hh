// What the C++ peers share: "--mode echo|http --port N", and the answer every server gives.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace starling_peer {

inline constexpr std::string_view kBody = "ok\n";  // As http_echo's /health.
inline constexpr std::size_t kReadSize = 65536;

struct Options {
    std::string_view mode = "echo";
    std::uint16_t port = 0;
};

inline Options parse_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i + 1 < argc; i += 2) {
        const std::string_view name = argv[i];
        if (name == "--mode") options.mode = argv[i + 1];
        if (name == "--port") options.port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
    }
    return options;
}

inline void print_port(unsigned port) {
    std::printf("port %u\n", port);
    std::fflush(stdout);
}

}  // namespace starling_peer
