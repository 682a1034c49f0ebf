// Env: what is around the code that runs now: its executor, and one service per layer.
//
// `spawn`, `sleep`, `listen` … take no runtime argument: they look here. Entering an executor swaps
// the thread's Env, so several executors can take turns on one thread, and a test can run a whole
// cluster in one.
//
//     thread_local Env* ──► { services[executor], services[timer], services[io], … }
//
// Affinity: one per thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <stdexcept>
#include <string>

namespace starling {

/// One per layer that offers an ambient service, and one for a program's own.
enum class ServiceSlot : std::size_t { executor, timer, io, smp, user, count };

/// What is around the code that runs now. \affinity owner shard
struct Env {
    /// By ServiceSlot; null where nobody offers one. Borrows: see provide_service.
    std::array<void*, static_cast<std::size_t>(ServiceSlot::count)> services{};
};

namespace detail {
inline constinit Env no_env;
inline constinit thread_local Env* current_env = &no_env;
}  // namespace detail

/// The service `S` of the executor that runs on this thread, or null where there is none. `S` has
/// `static constexpr ServiceSlot kSlot` and `static constexpr const char* kName`.
template <class S>
S* try_service() noexcept {
    return static_cast<S*>(detail::current_env->services[static_cast<std::size_t>(S::kSlot)]);
}

/// The same.
/// \param who the function that needs it, for the message
/// \throws std::logic_error "<who> needs <service>: …" if there is none
template <class S>
S& service(const char* who) {
    if (S* found = try_service<S>()) [[likely]]
        return *found;
    throw std::logic_error(std::string(who) + " needs " + S::kName +
                           ": call it from a task that an executor or a runtime with it runs");
}

/// Offers `s` to what runs in `env`, until it is cleared.
template <class S>
void provide_service(Env& env, S* s) noexcept {
    env.services[static_cast<std::size_t>(S::kSlot)] = s;
}

}  // namespace starling
