#include <starling/http_connection.hh>
#include <starling/todo.hh>

namespace starling {
namespace {

std::span<const std::byte> bytes_of(const ByteBuffer& buffer) {
    return std::as_bytes(std::span(buffer.view()));
}

}  // namespace

// Exchanges.

std::unique_ptr<HttpExchange> HttpExchangePool::take() {
    if (exchanges_.empty()) return std::make_unique<HttpExchange>(shared_);
    std::unique_ptr<HttpExchange> exchange = std::move(exchanges_.back());
    exchanges_.pop_back();
    return exchange;
}

ByteBuffer HttpExchangePool::give_back(std::unique_ptr<HttpExchange> exchange) {
    ByteBuffer output = std::move(exchange->output);
    if (exchanges_.size() == kFreeMax) return output;
    exchange->session.reset();
    exchange->carry.trim(kBytesMax);
    exchange->head_bytes.trim(kBytesMax);
    if (!outputs_.empty()) {
        exchange->output = std::move(outputs_.back());
        outputs_.pop_back();
    }
    exchanges_.push_back(std::move(exchange));
    return output;
}

void HttpExchangePool::give_back(ByteBuffer output) noexcept {
    output.trim(kBytesMax);
    if (outputs_.size() < kFreeMax) outputs_.push_back(std::move(output));
}

// One client.

Task<> HttpConnection::serve() {
    bool answered_last = false;
    try {
        while (!answered_last) {
            stream_.set_read_deadline(after(shared_.stopping ? timeouts_.linger : timeouts_.idle));
            const bool any = co_await stream_.readable();
            if (!any) break;
            exchange_ = exchanges_.take();
            const HttpSession::Next next = advance();
            if (next != HttpSession::Next::more || !input().empty()) {
                answered_last = !co_await work(next);
            }
            // As a rule all is answered by now, and only has to be sent: without a further coroutine.
            ByteBuffer answers = exchanges_.give_back(std::move(exchange_));
            if (!answers.empty()) {
                stream_.set_write_deadline(after(timeouts_.write));
                const std::size_t sent = co_await stream_.write_some(bytes_of(answers));
                shared_.stats.bytes_out += sent;
                answers.consume(sent);
                if (!answers.empty()) co_await send(answers);
            }
            exchanges_.give_back(std::move(answers));
        }
    } catch (const std::exception&) {
        // Idle for too long, gone, or too slow to take its answer: there is nobody to tell.
    }
    if (answered_last) {
        co_await stream_.close_gracefully(timeouts_.linger);
    } else {
        co_await stream_.close();
    }
}

// Answers whatever can be answered at once, as far as it has arrived: the answers leave together.
HttpSession::Next HttpConnection::advance() {
    HttpExchange& x = *exchange_;
    for (;;) {
        const std::string_view all = input();
        std::string_view rest = all;
        const HttpSession::Next next = x.session.advance(rest, x.output);
        const std::size_t taken = all.size() - rest.size();
        if (taken > 0) {
            consume(taken);
            x.head_begun = false;
        }
        if (next != HttpSession::Next::more || x.output.size() >= HttpSession::kOutputMax) return next;
        if (rest.empty() ? input().empty() : !extend_input()) return next;
    }
}

// What takes longer: heads in pieces, requests for coroutines, output without end. Returns whether the
// connection goes on; what is left of the output is to be sent.
Task<bool> HttpConnection::work(HttpSession::Next next) {
    HttpExchange& x = *exchange_;
    for (;; next = advance()) {
        if (next == HttpSession::Next::close) co_return false;
        if (next == HttpSession::Next::handle) {
            const bool open = co_await handle();
            if (!open) co_return false;
            continue;
        }
        if (input().empty()) co_return true;
        const bool is_full = x.output.size() >= HttpSession::kOutputMax;
        co_await send(x.output);
        if (is_full) continue;
        const bool open = co_await receive_head(std::exchange(x.head_begun, true));
        if (!open) co_return false;
        extend_input();
    }
}

bool HttpConnection::extend_input() {
    const std::size_t before = input().size();
    for (std::string_view more = stream_.buffered(); !more.empty(); more = stream_.buffered()) {
        exchange_->carry.append(more);
        stream_.consume(more.size());
    }
    return exchange_->carry.size() > before;
}

Task<bool> HttpConnection::receive_head(bool begun) {
    // BEGIN 10.4: one deadline for a whole head
    // Part of a head is here: wait for more of it. All of it has to be here `timeouts_.head` after the first
    // wait; `begun` says that this is a further one. Too late: `refuse` with 408. Return whether the
    // connection goes on; it does not after the client's end of stream.
    todo("10.4", "HttpConnection::receive_head");
    // END 10.4
}

Task<> HttpConnection::send(ByteBuffer& output) {
    stream_.set_write_deadline(after(timeouts_.write));
    while (!output.empty()) {
        const std::size_t sent = co_await stream_.write_some(bytes_of(output));
        shared_.stats.bytes_out += sent;
        output.consume(sent);
    }
}

// A request that needs a coroutine.

Task<bool> HttpConnection::handle() {
    HttpExchange& x = *exchange_;
    HttpSession& session = x.session;
    // The head moves to a place of its own: its buffer goes while the body is read.
    x.head_bytes.clear();
    x.head_bytes.append(input().substr(0, session.head_bytes()));
    session.head().set_base(x.head_bytes.view().data());
    consume(session.head_bytes());
    x.body = BodyDecoder(session.framing(), shared_.limits.body_bytes_max);
    x.piece_bytes = 0;
    x.head_begun = false;
    x.expects_continue = session.head().count(FieldId::expect) > 0 &&
                         session.head().minor_version() > 0 && !x.body.done();

    Request request(session.head(), session.framing(), *this);
    Response response = co_await ask_handler(request);
    co_await send_response(response);
    const bool at_next = co_await discard_body();
    const bool open = at_next && session.mode().keep_alive;
    session.finish_request();
    co_return open;
}

Task<Response> HttpConnection::ask_handler(Request& request) {
    Response response;
    try {
        response = co_await shared_.handler.handle(request);
        co_return response;
    } catch (const HttpError& error) {
        response.status = error.status();
        response.body = error.what();
    } catch (const std::exception&) {
        response.status = 500;
        response.body = "the handler failed";
    }
    ++shared_.stats.errors;
    exchange_->session.mode().keep_alive = false;
    co_return response;
}

Task<> HttpConnection::send_response(Response& response) {
    HttpExchange& x = *exchange_;
    AnswerMode& mode = x.session.mode();
    mode.keep_alive &= !shared_.stopping;
    x.expects_continue &= static_cast<bool>(!response.stream);
    const auto length = response.stream ? response.stream_length : response.body.size();
    mode.keep_alive &= append_response_head(x.output, response.status, response.content_type, length,
                                            response.fields, shared_.date.text(), mode);
    if (mode.head_only) co_return;
    x.chunked = !length && mode.minor_version > 0;
    x.announced = length.value_or(0);
    if (!response.stream) {
        x.output.append(response.body);
        co_return;
    }
    co_await response.stream(*this);
    if (x.announced > 0) throw std::length_error("a streamed body was shorter than announced");
    if (x.chunked) x.output.append(kLastChunk);
}

Task<> HttpConnection::write(std::string_view data) {
    HttpExchange& x = *exchange_;
    if (data.empty()) co_return;
    if (x.chunked) {
        append_chunk(x.output, data);
    } else {
        x.output.append(data);
        x.announced -= data.size();
    }
    if (x.output.size() >= kFlushBytes) co_await send(x.output);
}

Task<std::string_view> HttpConnection::read() {
    HttpExchange& x = *exchange_;
    for (;;) {
        consume(std::exchange(x.piece_bytes, 0));
        const std::string_view all = input();
        std::string_view rest = all;
        const std::string_view piece = x.body.take(rest);
        x.piece_bytes = all.size() - rest.size();
        if (x.body.error_status() != 0) {
            throw HttpError(x.body.error_status(), x.body.error_status() == 413
                                                       ? "the body is too long"
                                                       : "the body is not well chunked");
        }
        if (!piece.empty() || x.body.done()) co_return piece;
        consume(std::exchange(x.piece_bytes, 0));
        if (input().empty()) co_await receive_body();
    }
}

// The client may wait for what we have for it, before it sends the next piece.
Task<> HttpConnection::receive_body() {
    if (std::exchange(exchange_->expects_continue, false)) exchange_->output.append(kContinue);
    if (!exchange_->output.empty()) co_await send(exchange_->output);
    stream_.set_read_deadline(after(timeouts_.body));
    bool open = false;
    bool late = false;
    try {
        open = co_await stream_.readable();
    } catch (const TimedOut&) {
        late = true;
    }
    if (late) throw HttpError(408, "the body took too long");
    if (!open) throw HttpError(400, "the body ended early");
}

// What the handler has left of the body. Returns whether the next request can be found.
Task<bool> HttpConnection::discard_body() {
    HttpExchange& x = *exchange_;
    std::size_t discarded = 0;
    try {
        while (!x.body.done()) {
            if (x.expects_continue || discarded > kDiscardBytes) co_return false;
            const std::string_view piece = co_await read();
            discarded += piece.size();
        }
    } catch (const HttpError&) {
        co_return false;
    }
    consume(std::exchange(x.piece_bytes, 0));
    co_return true;
}

}  // namespace starling
