starling_layer(09_smp_messaging
    HEADERS atomic.hh spsc_ring.hh mailbox.hh submit.hh send.hh sharded.hh shard.hh runtime.hh
    SOURCES mailbox.cc runtime.cc
    TESTS ring_test.cc batch_test.cc submit_test.cc submit_stop_test.cc sharded_test.cc sleep_test.cc
          runtime_test.cc shutdown_test.cc backpressure_test.cc
    BENCH smp_bench.cc
    DEMO demo.cc)
