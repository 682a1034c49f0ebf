#include <starling/clock.hh>
#include <starling/env.hh>
#include <stdexcept>
#include <string>

namespace starling {

void detail::throw_missing_service(const char* who, const char* service) {
    throw std::logic_error(std::string(who) + " needs " + service +
                           ": call it from a task that an executor or a runtime with it runs");
}

const Clock& Clock::steady() noexcept {
    struct SteadyClock final : Clock {
        TimePoint now() const noexcept override { return std::chrono::steady_clock::now(); }
    };
    static const SteadyClock clock;
    return clock;
}

}  // namespace starling
