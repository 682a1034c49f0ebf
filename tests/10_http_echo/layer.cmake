starling_layer(10_http_echo
    HEADERS byte_buffer.hh http_body.hh http_chars.hh http_connection.hh http_handler.hh http_head.hh
            http_parser.hh http_response.hh http_server.hh http_session.hh
    SOURCES http_body.cc http_connection.cc http_head.cc http_parser.cc http_response.cc
            http_server.cc http_session.cc
    TESTS parser_test.cc corpus_test.cc body_test.cc chunked_test.cc response_test.cc
          session_test.cc server_test.cc
    BENCH http_bench.cc
    DEMO demo.cc
    EXECUTABLE http_echo.cc)
