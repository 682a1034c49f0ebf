// The cases that Starling has, by what they need.
#pragma once

#include <cstddef>

namespace starling_micro {

// starling_tasks.cc
double spawn_join(std::size_t);
double yield_once(std::size_t);
double await_child(std::size_t);
double ready_then(std::size_t);
double channel_message(std::size_t);
double oneshot_message(std::size_t);
double task_memory(std::size_t tasks);
double spawn_many(std::size_t tasks);

// starling_timers.cc
double timer_insert(std::size_t armed);
double timer_cancel(std::size_t armed);
double timer_fire(std::size_t armed);

// starling_messages.cc
double start_up(std::size_t);
double message_spinning(std::size_t);
double message_sleeping(std::size_t);
double message_batched(std::size_t in_flight);
double cpu_bound(std::size_t shards);
double idle_lane_poll(std::size_t shards);
double lane_memory(std::size_t shards);

}  // namespace starling_micro
