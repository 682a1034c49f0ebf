#include "options.hh"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace starling_load {
namespace {

constexpr const char* kUsage =
    "usage: starling_load --port N [--mode http|echo] [--path /health] [--body BYTES]\n"
    "         [--size BYTES] [--connections N] [--pipeline N] [--warmup S] [--seconds S]\n"
    "         [--requests N] [--pid PID]...\n";

[[noreturn]] void usage(const char* why, std::string_view what) {
    std::fprintf(stderr, "starling_load: %s %.*s\n%s", why, static_cast<int>(what.size()),
                 what.data(), kUsage);
    std::exit(2);
}

std::uint64_t number(std::string_view name, const char* text) {
    char* end = nullptr;
    const std::uint64_t value = std::strtoull(text, &end, 10);
    if (end == text || *end != '\0') usage("a number is needed behind", name);
    return value;
}

double real(std::string_view name, const char* text) {
    char* end = nullptr;
    const double value = std::strtod(text, &end);
    if (end == text || *end != '\0' || value < 0) usage("seconds are needed behind", name);
    return value;
}

void set(Options& options, std::string_view name, const char* value) {
    if (name == "--mode") {
        options.echo = std::string_view(value) == "echo";
    } else if (name == "--path") {
        options.path = value;
    } else if (name == "--port") {
        options.port = static_cast<std::uint16_t>(number(name, value));
    } else if (name == "--body") {
        options.body = number(name, value);
    } else if (name == "--size") {
        options.size = number(name, value);
    } else if (name == "--connections") {
        options.connections = number(name, value);
    } else if (name == "--pipeline") {
        options.pipeline = number(name, value);
    } else if (name == "--requests") {
        options.requests = number(name, value);
    } else if (name == "--pid") {
        options.pids.push_back(static_cast<pid_t>(number(name, value)));
    } else if (name == "--warmup") {
        options.warmup_s = real(name, value);
    } else if (name == "--seconds") {
        options.seconds = real(name, value);
    } else {
        usage("there is no option", name);
    }
}

}  // namespace

Options parse_options(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 == argc) usage("a value is missing behind", argv[i]);
        set(options, argv[i], argv[i + 1]);
    }
    if (options.port == 0) usage("needed:", "--port");
    if (options.connections == 0) usage("must not be 0:", "--connections");
    if (options.pipeline == 0) usage("must not be 0:", "--pipeline");
    if (options.size == 0) usage("must not be 0:", "--size");
    return options;
}

void fail(const std::string& sentence) {
    std::fprintf(stderr, "starling_load: %s\n", sentence.c_str());
    std::exit(1);
}

}  // namespace starling_load
