// The command line of starling_load.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace starling_load {

struct Options {
    bool echo = false;             // TCP echo instead of HTTP.
    std::uint16_t port = 0;        // On 127.0.0.1.
    std::string path = "/health";  // HTTP: what is asked for.
    std::size_t body = 0;          // HTTP: bytes of a POST; 0 is a GET.
    std::size_t size = 64;         // Echo: bytes of one message.
    std::size_t connections = 64;
    std::size_t pipeline = 1;  // Requests sent together; the next ones follow all the answers.
    double warmup_s = 0.5;     // Load that is not counted.
    double seconds = 3;
    std::uint64_t requests = 0;  // Ends earlier, after so many; 0 is no limit.
    std::vector<pid_t> pids;     // The server's processes: their CPU time is reported.
};

/// Ends the program with one sentence and status 2 when the arguments are wrong.
Options parse_options(int argc, char** argv);

/// One sentence on stderr, status 1.
[[noreturn]] void fail(const std::string& sentence);

}  // namespace starling_load
