// Starling's side of `./workshop race --micro`.
#include "starling_micro.hh"

#include "micro.hh"

int main(int argc, char** argv) {
    using namespace starling_micro;
    constexpr std::size_t kMillion = 1'000'000;
    static constexpr Case kCases[] = {
        {"spawn", spawn_join, 0},
        {"yield", yield_once, 0},
        {"await", await_child, 0},
        {"then", ready_then, 0},
        {"channel", channel_message, 0},
        {"oneshot", oneshot_message, 0},
        {"task-memory", task_memory, kMillion},
        {"spawn-many", spawn_many, kMillion},
        {"timer-insert", timer_insert, kMillion},
        {"timer-cancel", timer_cancel, kMillion},
        {"timer-fire", timer_fire, kMillion},
        {"start-up", start_up, 0},
        {"message-spinning", message_spinning, 0},
        {"message-sleeping", message_sleeping, 0},
        {"message-batched", message_batched, kInFlight},
        {"cpu-bound-1", cpu_bound, 1},
        {"cpu-bound-2", cpu_bound, 2},
        {"lane-poll", idle_lane_poll, 8},
        {"lane-memory", lane_memory, 8},
    };
    return micro_main(kCases, argc, argv);
}
