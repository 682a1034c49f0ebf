starling_layer(08_networking
    HEADERS socket_address.hh stream_deadline.hh tcp_listener.hh tcp_stream.hh udp_socket.hh
    SOURCES socket_address.cc tcp_listener.cc tcp_stream.cc udp_socket.cc
    TESTS address_test.cc connect_test.cc accept_test.cc accept_loss_test.cc read_test.cc
          read_loss_test.cc write_test.cc deadline_test.cc deadline_moves_test.cc close_test.cc udp_test.cc
    BENCH network_bench.cc
    DEMO demo.cc)
