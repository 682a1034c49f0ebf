starling_layer(03_waker
    HEADERS inbox_list.hh inbox.hh scheduler.hh wake_machine.hh waker.hh
    SOURCES inbox.cc
    TESTS manual_scheduler_test.cc wake_machine_test.cc inbox_list_test.cc waker_test.cc waker_travel_test.cc
          park_test.cc
    BENCH waker_bench.cc
    DEMO demo.cc)
