#include <starling/http_chars.hh>
#include <starling/http_session.hh>
#include <starling/todo.hh>

namespace starling {

bool keeps_alive(const RequestHead& head) {
    // BEGIN 10.3: does the client want to go on?
    // In HTTP/1.1 it does unless Connection has the token "close"; in HTTP/1.0 only if Connection has
    // "keep-alive" and not "close".
    todo("10.3", "keeps_alive");
    // END 10.3
}

HttpSession::Next HttpSession::advance(std::string_view& input, ByteBuffer& output) {
    // BEGIN 10.3: one request after the other
    // While there is input, and less than `kOutputMax` of output: let `parser_` go on. An unfinished
    // head: more. A bad one: `refuse`. Then `framing_` and `mode_` for this request; a framing error
    // and an expectation (`unknown_expectation`) are refused (417). While `shared_.stopping`, no
    // connection is kept. `answer_at_once` takes the request off the input and answers it, or says
    // no: handle. After an answer `finish_request`, and go on, or close.
    todo("10.3", "HttpSession::advance");
    // END 10.3
}

bool HttpSession::unknown_expectation() noexcept {
    return head().count(FieldId::expect) > 0 && head().minor_version() > 0 &&
           !http::same(head().value(FieldId::expect), "100-continue");
}

bool HttpSession::answer_at_once(std::string_view& input, ByteBuffer& output) {
    const std::size_t body_room = input.size() - head_bytes();
    if (framing_.chunked || framing_.length > body_room) return false;
    const auto length = static_cast<std::size_t>(framing_.length);
    const Request request(head(), input.substr(head_bytes(), length));
    Reply reply(output, shared_.date.text(), mode_);
    try {
        if (!shared_.handler.answer(request, reply)) return false;
    } catch (const std::exception&) {
        ++shared_.stats.errors;
        mode_.keep_alive = false;
        reply.send(500, "text/plain", "the handler failed");
    }
    input.remove_prefix(head_bytes() + length);
    return true;
}

HttpSession::Next HttpSession::refuse(int status, std::string_view text, ByteBuffer& output) {
    // BEGIN 10.4: refuse
    // Count it as an answered request and an error; append a complete answer with `status` and `text`
    // that tells the client that the connection ends. Whatever was answered before stays in the
    // output.
    todo("10.4", "HttpSession::refuse");
    // END 10.4
}

}  // namespace starling
