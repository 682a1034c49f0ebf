// starling_load: keep-alive HTTP or TCP echo on N connections, answers checked, JSON on stdout.
//   taskset -c 1 starling_load --port 8080 --connections 64 --pipeline 16 --seconds 3
//   taskset -c 1 starling_load --port 7000 --mode echo --size 4096 --pid $(pidof server)
#include <cinttypes>
#include <cstdio>

#include "exchange.hh"
#include "generator.hh"
#include "options.hh"

int main(int argc, char** argv) {
    using namespace starling_load;
    const Options options = parse_options(argc, argv);
    const Exchange exchange(options);
    Generator generator(options, exchange);
    const Result result = generator.run();
    if (result.answers == 0) fail("not one answer came in the counted time");

    const auto answers = static_cast<double>(result.answers);
    const double wall_ns = result.seconds * 1e9;
    const Histogram& latency = result.latency_ns;
    std::printf("{\"answers\": %" PRIu64 ", \"errors\": %" PRIu64
                ", \"seconds\": %.6f, \"rate\": %.1f, \"answer_bytes\": %zu,\n",
                result.answers, result.errors, result.seconds, answers / result.seconds,
                exchange.answer_size());
    std::printf(
        " \"latency_us\": {\"mean\": %.2f, \"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, "
        "\"p999\": %.2f, \"max\": %.2f},\n",
        latency.mean() / 1e3, static_cast<double>(latency.quantile(0.5)) / 1e3,
        static_cast<double>(latency.quantile(0.9)) / 1e3,
        static_cast<double>(latency.quantile(0.99)) / 1e3,
        static_cast<double>(latency.quantile(0.999)) / 1e3,
        static_cast<double>(latency.max()) / 1e3);
    std::printf(
        " \"server_cpu_ns_per_answer\": %.1f, \"server_cpu_share\": %.4f, "
        "\"generator_cpu_share\": %.4f, \"generator_syscalls\": %" PRIu64 "}\n",
        static_cast<double>(result.server_cpu_ns) / answers,
        static_cast<double>(result.server_cpu_ns) / wall_ns,
        static_cast<double>(result.own_cpu_ns) / wall_ns, result.syscalls);
    return result.errors == 0 ? 0 : 1;
}
