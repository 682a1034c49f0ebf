starling_layer(02_task
    HEADERS stop_token.hh context.hh operation.hh frame_pool.hh task_promise.hh task.hh
    TESTS stop_test.cc frame_pool_test.cc promise_test.cc await_test.cc result_test.cc
          ownership_test.cc future_test.cc scope_test.cc
    BENCH task_bench.cc
    DEMO demo.cc)
