starling_layer(06_channels
    HEADERS waiter.hh ring.hh channel_state.hh channel.hh oneshot.hh semaphore.hh gate.hh select.hh
    TESTS ../support/allocations.cc ring_test.cc waiters_test.cc close_test.cc
          cancel_test.cc select_test.cc given_test.cc
    BENCH channel_bench.cc
    DEMO demo.cc)
