// Env: what is around the code that runs now: its executor, and one service per layer.
//
// `spawn`, `sleep`, `listen` … take no runtime argument: they look here. Entering an executor swaps
// the thread's Env, so several executors can take turns on one thread, and a test can run a whole
// cluster in one.
//
//     thread_local Env* ──► { executor, services[timer], services[io], services[net], … }
//
// Affinity: one per thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <utility>

namespace starling {

class Executor;

/// One per layer that offers an ambient service.
enum class ServiceSlot : std::size_t { timer, io, net, smp, http, user, count };

/// What is around the code that runs now. \affinity owner shard
struct Env {
    /// Whose tasks run here. Borrows: it outlives what runs. Null: no executor.
    Executor* executor = nullptr;
    /// By ServiceSlot; null where nobody offers one. Borrows: see provide_service.
    std::array<void*, static_cast<std::size_t>(ServiceSlot::count)> services{};
};

namespace detail {
inline constinit thread_local Env* current_env = nullptr;

/// \throws std::logic_error "<who> needs a <service>: run it inside …"
[[noreturn]] void throw_missing_service(const char* who, const char* service);
}  // namespace detail

/// The service `S` of the executor that runs on this thread. `S` has `static constexpr ServiceSlot
/// kSlot` and `static constexpr const char* kName`.
/// \param who the function that needs it, for the message
/// \throws std::logic_error if there is none
template <class S>
S& service(const char* who) {
    Env* env = detail::current_env;
    void* found = env == nullptr ? nullptr : env->services[static_cast<std::size_t>(S::kSlot)];
    if (found == nullptr) [[unlikely]]
        detail::throw_missing_service(who, S::kName);
    return *static_cast<S*>(found);
}

/// The service `S`, or null where there is none.
template <class S>
S* try_service() noexcept {
    Env* env = detail::current_env;
    return env == nullptr ? nullptr
                          : static_cast<S*>(env->services[static_cast<std::size_t>(S::kSlot)]);
}

/// Offers `s` to what runs in `env`, until it is cleared.
template <class S>
void provide_service(Env& env, S* s) noexcept {
    env.services[static_cast<std::size_t>(S::kSlot)] = s;
}

/// The executor that runs on this thread. \throws std::logic_error if there is none
Executor& this_executor(const char* who);

/// Makes `env` this thread's for as long as it lives. Scopes nest.
class EnvScope {
  public:
    /// \param env lives longer than this
    explicit EnvScope(Env& env) noexcept : previous_(std::exchange(detail::current_env, &env)) {}
    ~EnvScope() { detail::current_env = previous_; }
    EnvScope(const EnvScope&) = delete;
    EnvScope& operator=(const EnvScope&) = delete;

  private:
    Env* previous_;  // Borrows: the outer scope's.
};

}  // namespace starling
