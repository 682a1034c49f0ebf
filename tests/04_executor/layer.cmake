starling_layer(04_executor
    HEADERS clock.hh intrusive_list.hh env.hh event_source.hh run_queue.hh spawned_task.hh executor.hh
    SOURCES executor.cc
    TESTS list_test.cc batch_test.cc spawn_test.cc abort_test.cc loop_test.cc end_test.cc yield_test.cc
          sleep_test.cc
    BENCH executor_bench.cc
    DEMO demo.cc)
