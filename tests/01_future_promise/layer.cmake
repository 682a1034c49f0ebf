starling_layer(01_future_promise
    HEADERS continuation.hh outcome.hh future_error.hh future.hh promise.hh when_all.hh
    TESTS ../support/allocations.cc outcome_test.cc deliver_test.cc relink_test.cc then_test.cc endings_test.cc
          trampoline_test.cc
    BENCH future_bench.cc
    DEMO demo.cc)
