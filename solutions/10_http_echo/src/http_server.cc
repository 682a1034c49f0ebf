#include <starling/executor.hh>
#include <starling/http_server.hh>
#include <starling/timeout.hh>

namespace starling {

HttpServer::HttpServer(HttpHandler& handler, const HttpServerOptions& options)
    : options_(options),
      shared_{.limits = options.limits, .handler = handler},
      exchanges_(shared_),
      listener_(TcpListener::bind(options.address, {.reuse_port = options.reuse_port})),
      accepting_(spawn([this] { return accept_loop(); }, {.name = "http accept"})) {}

HttpServer::~HttpServer() {
    assert(connections_.empty() && "an HttpServer was not stopped before it was destroyed");
}

Task<> HttpServer::accept_loop() {
    // BEGIN 10.5: accept
    //| For ever: accept a connection and `begin` it.
    //= todo("10.5", "HttpServer::accept_loop");
    for (;;) {
        TcpStream stream = co_await listener_.accept();
        begin(std::move(stream));
    }
    // END 10.5
}

void HttpServer::begin(TcpStream stream) {
    ++shared_.stats.connections;
    spawn(serve(std::move(stream), open_.hold()), {.name = "http connection"}).detach();
}

// `inside` counts the connection from before its task begins until its end.
Task<> HttpServer::serve(TcpStream stream, Gate::Holder inside) {
    (void)inside;
    Context& context = co_await this_context();
    HttpConnection connection(shared_, options_.timeouts, exchanges_, std::move(stream), context);
    connections_.push_back(connection);
    co_await connection.serve();
}

Task<> HttpServer::stop() {
    // BEGIN 10.5: stop
    //| In this order: say so (`shared_.stopping`); end the accept loop, and wait for its end; `begin`
    //| what had been accepted by then and nobody took; close the listener; have every connection end
    //| if it is idle. Then wait until `open_` is empty, for `options_.grace` at most: whoever is
    //| left is aborted, and waited for. All that whatever happens to the caller: `shield`.
    //= todo("10.5", "HttpServer::stop");
    shared_.stopping = true;
    accepting_.abort();
    try {
        co_await shield(std::move(accepting_));
    } catch (const std::exception&) {
        // Aborted, or it had failed before.
    }
    for (TcpStream stream = listener_.try_accept(); stream.valid();) {
        begin(std::move(stream));
        stream = listener_.try_accept();
    }
    co_await listener_.close();
    for (auto* c = connections_.empty() ? nullptr : &connections_.front(); c != nullptr;
         c = connections_.after(*c)) {
        c->end_if_idle();
    }
    bool all_ended = false;
    try {
        co_await shield(timeout(open_.close(), options_.grace));
        all_ended = true;
    } catch (const TimedOut&) {
    }
    if (!all_ended) {
        for (auto* c = connections_.empty() ? nullptr : &connections_.front(); c != nullptr;
             c = connections_.after(*c)) {
            c->abort();
        }
        co_await shield(open_.close());
    }
    // END 10.5
}

}  // namespace starling
