starling_layer(07_io_driver
    HEADERS buffer_pool.hh driver.hh io_op.hh io_stream.hh kernel.hh
            readiness_kernel.hh slot_table.hh
    SOURCES driver.cc epoll_kernel.cc io_op.cc io_stream.cc kqueue_kernel.cc make_driver.cc
            readiness_kernel.cc uring_kernel.cc
    BENCH io_driver_bench.cc
    DEMO demo.cc
    TESTS ../support/allocations.cc slot_table_test.cc submit_test.cc reap_test.cc cancel_test.cc
          wake_test.cc driver_test.cc stream_test.cc conservation_test.cc buffer_pool_test.cc
    LIBS $<TARGET_NAME_IF_EXISTS:liburing::liburing>)
