starling_layer(05_timers
    HEADERS timer_wheel.hh timer_service.hh sleep.hh timeout.hh interval.hh
    SOURCES timer_wheel.cc
    TESTS place_test.cc cascade_test.cc next_deadline_test.cc sleep_test.cc
          sleep_stop_test.cc interval_test.cc timeout_test.cc timeout_stop_test.cc given_test.cc
    BENCH timer_bench.cc
    DEMO demo.cc)
