// What the cases of 4.2 share: tasks to spawn, and what became of a handle, in words.
//
// Affinity: owner shard.
#pragma once

#include <starling/executor.hh>
#include <starling/probes.hh>
#include <starling/task_probes.hh>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace starling::testing_support {

/// Awaits `handle` and writes down what came: a value, or what was thrown.
template <class T>
Task<> report(JoinHandle<T>& handle, std::string& log) {
    try {
        if constexpr (std::is_void_v<T>) {
            co_await handle;
            log += "done ";
        } else {
            log += std::to_string(co_await handle) + " ";
        }
    } catch (const TaskAborted& e) {
        log += std::string("aborted: ") + e.what() + " ";
    } catch (const std::exception& e) {
        log += std::string("failed: ") + e.what() + " ";
    } catch (const Cancelled&) {
        log += "cancelled ";
    }
}

/// Lets whoever waits at `hold` go on, in the executor's next turn.
inline void let_go(Executor& executor, Hold& hold) {
    Executor::Enter scope(executor);
    if (hold.held()) hold.go();
}

/// Holds a Tracked in its frame while it waits.
inline Task<int> hold_and_return(Hold& hold, int value) {
    Tracked local;
    co_await hold;
    co_return value;
}
inline Task<> set(bool& flag) {
    flag = true;
    co_return;
}
inline Task<int> answer() { co_return 42; }
inline Task<int> fail() {
    co_await Yield{};
    throw std::runtime_error("no luck");
}

}  // namespace starling::testing_support
