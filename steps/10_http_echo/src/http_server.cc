#include <starling/executor.hh>
#include <starling/http_server.hh>
#include <starling/timeout.hh>
#include <starling/todo.hh>

namespace starling {

Task<> HttpConnection::operator()() {
    context_ = &co_await this_context();
    shared_.all.push_back(*this);
    bool last_answer_sent = false;  // So it has to arrive.
    try {
        while (!last_answer_sent) {
            wait_for(shared_.stopping ? shared_.limits.linger : shared_.limits.idle_timeout);
            const bool any = co_await stream_.readable();
            if (!any) break;
            auto& free = shared_.free_sessions;
            if (free.empty()) free.push_back(std::make_unique<HttpSession>(shared_));
            session_ = std::move(free.back());
            free.pop_back();
            last_answer_sent = !co_await session_->work(stream_);
            session_->reset();
            if (free.size() < kFreeMax) free.push_back(std::move(session_));
            session_.reset();
        }
    } catch (const std::exception&) {
        // Idle for too long, gone, or too slow to take its answer: there is nobody to tell.
    }
    // It is ending, and nobody has to tell it to.
    const bool stopped = std::exchange(context_, nullptr)->stop_requested();
    if (last_answer_sent && !stopped) {
        co_await stream_.close_gracefully(shared_.limits.linger);
    } else {
        co_await stream_.close();
    }
}

HttpServer::HttpServer(HttpHandler& handler, const HttpServerOptions& options)
    : shared_{{.limits = options.limits, .handler = handler}},
      listener_(TcpListener::bind(options.address, {.reuse_port = options.reuse_port})),
      accepting_(spawn(serve(options.on_failure), {.name = "http accept"})) {}

HttpServer::~HttpServer() {
    assert(shared_.all.empty() && "an HttpServer was not stopped before it was destroyed");
}

Task<> HttpServer::serve(std::function<void()> on_failure) {
    try {
        co_await accept_loop();
    } catch (const std::exception&) {
        if (on_failure) on_failure();
        throw;
    }
}

Task<> HttpServer::accept_loop() {
    // BEGIN 10.5: accept
    // For ever: accept a connection and `begin` it.
    todo("10.5", "HttpServer::accept_loop");
    // END 10.5
}

void HttpServer::begin(TcpStream stream) {
    ++shared_.stats.connections;
    spawn(HttpConnection(shared_, std::move(stream)), {.name = "http connection"}).detach();
}

template <class Act>
void HttpServer::each_connection(Act act) {
    for (auto* one = shared_.all.first(); one != nullptr; one = shared_.all.after(*one)) act(*one);
}

Task<> HttpServer::stop() {
    // BEGIN 10.5: stop
    // First say so (`shared_.stopping`). End the accept loop, and wait for its end; then `begin` what had
    // been accepted by then and nobody took (`listener_.try_accept()`, until it is not `valid()`); then
    // close the listener. Have `each_connection` end if it is idle. Wait until `shared_.open` is empty,
    // for the `grace` of the limits at most (`timeout`): whoever is left is aborted, and waited for. All
    // that whatever happens to the caller (`shield`), and also if accepting fails, here or in the loop
    // before: that is thrown when all is done. (TaskAborted, what the loop throws because you end it, is no
    // failure.)
    todo("10.5", "HttpServer::stop");
    // END 10.5
}

}  // namespace starling
