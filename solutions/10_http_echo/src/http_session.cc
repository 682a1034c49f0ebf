#include <starling/http_session.hh>
#include <utility>

namespace starling {

bool keeps_alive(const RequestHead& head) {
    // BEGIN 10.3: does the client want to go on?
    //| In HTTP/1.1 it does unless Connection has the token "close"; in HTTP/1.0 only if Connection has
    //| "keep-alive" and not "close".
    //= todo("10.3", "keeps_alive");
    if (head.has_token("connection", "close")) return false;
    return head.minor_version > 0 || head.has_token("connection", "keep-alive");
    // END 10.3
}

HttpSession::Next HttpSession::advance() {
    try {
        // BEGIN 10.3: one request after the other
        //| While there is input, and less than `kOutputMax` of output: let `parser_` go on. An unfinished
        //| head: more. With a whole one, `begin_request`. `answer_at_once` takes the request off the input
        //| and answers it, or says no: handle. After an answer `finish_request`, and go on, or close.
        //| What is wrong with a request is thrown, and refused below.
        //= todo("10.3", "HttpSession::advance");
        while (!input_.empty() && output_.size() < kOutputMax) {
            const bool whole_head = parser_.parse(input_);
            if (!whole_head) return Next::more;
            begin_request();
            if (!answer_at_once()) return Next::handle;
            finish_request();
            if (!keep_alive_) return Next::close;
        }
        return Next::more;
        // END 10.3
    } catch (const std::exception& error) {
        return refuse(error);
    }
}

// What the head says about the rest of the request, and about what comes behind it.
void HttpSession::begin_request() {
    length_ = body_length(head(), shared_.limits);
    keep_alive_ = keeps_alive(head());
    const auto [expectations, expected] = head().find("expect");
    expects_continue_ = expectations > 0 && head().minor_version > 0;
    const bool known = !expects_continue_ || same_text(expected, "100-continue");
    refuse_if(!known, 417, "only 100-continue is known");
}

bool HttpSession::answer_at_once() {
    const std::string_view rest = input_.substr(head_bytes());
    if (!length_ || *length_ > rest.size()) return false;
    expects_continue_ = false;  // It has not waited.
    whole_body_ = rest.substr(0, static_cast<std::size_t>(*length_));
    if (!shared_.handler.answer(*this)) return false;
    end_answer();
    input_ = rest.substr(whole_body_.size());
    return true;
}

// The handler has done what it wanted: is it an answer?
void HttpSession::end_answer() {
    if (!begun_) throw std::logic_error("the handler gave no answer");
    if (announced_.value_or(0) > 0 && !bodiless_)
        throw std::length_error("a body is shorter than announced");
    if (chunked_) output_ += "0\r\n\r\n";
}

HttpSession::Next HttpSession::refuse(const std::exception& error) {
    // BEGIN 10.4: refuse
    //| Count it as an answered request and an error: `finish_request` is not called for it. `send` an
    //| answer that tells the client that the connection ends: it does if `keep_alive_` is false by then.
    //| An HttpError has the status and, in `what()`, the body ("text/plain"); anything else is the
    //| handler's failure: 500, and the client need not know more. What was answered before stays in the
    //| output.
    //= todo("10.4", "HttpSession::refuse");
    ++shared_.stats.requests;
    ++shared_.stats.errors;
    keep_alive_ = false;
    if (const auto* refusal = dynamic_cast<const HttpError*>(&error)) {
        send(refusal->status(), "text/plain", refusal->what());
    } else {
        send(500, "text/plain", "the handler failed");
    }
    return Next::close;
    // END 10.4
}

void HttpSession::finish_request() noexcept {
    ++shared_.stats.requests;
    begun_ = head_awaited_ = false;
    parser_.reset();
}

void HttpSession::reset() noexcept {
    begun_ = head_awaited_ = false;
    parser_.reset();
    for (std::string* text : {&carry_, &output_, &head_copy_}) {
        text->clear();
        if (text->capacity() > kKeptBytes) text->shrink_to_fit();
    }
}

// What waits.

Task<bool> HttpSession::work(TcpStream& stream) {
    stream_ = &stream;
    input_ = {};
    shown_ = 0;
    refill();
    for (bool open = true; open;) {
        const Next next = advance();
        if (next == Next::handle) {
            open = co_await handle();
        } else if (next == Next::close) {
            open = false;
        } else if (output_.size() >= kOutputMax) {
            co_await flush();
        } else if (!refill()) {
            co_await flush();
            if (idle()) co_return true;
            parser_.move_to(input_.data());  // `refill` may have moved it, and `refuse` looks.
            open = co_await receive_head();
        }
    }
    co_await flush();
    refill();  // What was taken counts.
    co_return false;
}

// Whether nothing of a request is here. Empty lines are nothing: they are dropped.
bool HttpSession::idle() {
    std::string_view rest = input_;
    while (rest.starts_with("\r\n")) rest.remove_prefix(2);
    if (rest.empty() && !input_.empty()) {
        input_ = rest;
        refill();  // They count.
    }
    return rest.empty();
}

Task<bool> HttpSession::receive_head() {
    // BEGIN 10.4: one deadline for a whole head
    //| Part of a head is here: wait until the stream is readable again. All of it has to be here
    //| `head_timeout` after the first wait for it; `head_awaited_`, false for a new head, is yours to
    //| remember that there was one. Too late: `refuse` with 408. Return whether the connection goes on;
    //| it does not after the client's end of stream.
    //= todo("10.4", "HttpSession::receive_head");
    if (!std::exchange(head_awaited_, true)) {
        stream_->set_read_deadline(shared_.after(shared_.limits.head_timeout));
    }
    bool open = false;
    try {
        open = co_await stream_->readable();
    } catch (const TimedOut&) {
        refuse(HttpError(408, "the request took too long"));
    }
    co_return open;
    // END 10.4
}

// A request that needs a coroutine. Returns whether the connection goes on.
Task<bool> HttpSession::handle() {
    head_copy_.assign(input_.substr(0, head_bytes()));
    parser_.move_to(head_copy_.data());
    input_.remove_prefix(head_bytes());
    whole_body_ = {};
    body_ = BodyDecoder(length_, shared_.limits.body_bytes_max);
    try {
        co_await shared_.handler.handle(*this);
        end_answer();
    } catch (const std::exception& error) {
        const bool cut_off = sending_ || (begun_ && answer_at_ == kSent);
        if (cut_off) throw;  // It never looks complete.
        refuse(error);
        co_return false;
    }
    // What the handler has left of the body: is the next request found behind it?
    try {
        for (std::size_t skipped = 0; keep_alive_ && !body_.done();) {
            const std::string_view piece = co_await read();
            skipped += piece.size();
            keep_alive_ = skipped <= kDiscardBytes;
        }
    } catch (const HttpError&) {
        keep_alive_ = false;
    }
    finish_request();
    co_return keep_alive_;
}

}  // namespace starling
