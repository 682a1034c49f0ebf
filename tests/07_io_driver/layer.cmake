starling_layer(07_io_driver
    HEADERS buffer_pool.hh driver.hh driver_backends.hh io_fd.hh io_op.hh io_op_queue.hh io_request.hh
            io_stream.hh readiness_driver.hh ring_driver.hh ring_port.hh slot_table.hh wake_fd.hh
    SOURCES buffer_pool.cc driver.cc epoll_driver.cc io_op.cc io_stream.cc kqueue_driver.cc
            readiness_driver.cc ring_driver.cc uring_port.cc wake_fd.cc
    BENCH io_driver_bench.cc
    DEMO demo.cc
    TESTS slot_table_test.cc submit_test.cc reap_test.cc cancel_test.cc wake_test.cc driver_test.cc
          stream_test.cc buffer_pool_test.cc
    LIBS $<TARGET_NAME_IF_EXISTS:liburing::liburing>)
