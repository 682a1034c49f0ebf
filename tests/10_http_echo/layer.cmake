starling_layer(10_http_echo
    HEADERS http_body.hh http_exchange.hh http_parser.hh http_server.hh http_session.hh
    SOURCES http_body.cc http_exchange.cc http_parser.cc http_server.cc http_session.cc
    TESTS parser_test.cc corpus_test.cc body_test.cc chunked_test.cc answer_test.cc
          session_test.cc connection_test.cc server_test.cc stop_test.cc
    BENCH http_bench.cc
    DEMO demo.cc
    EXECUTABLE http_echo.cc)
