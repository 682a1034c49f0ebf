// HttpHandler: what a server's user writes.
//
//     answer(request, reply)   everything is here and nothing has to be waited for: the fast way
//     handle(request)          a coroutine: reads the body piece by piece, waits for what it likes
//
// The server asks `answer` first, if the whole request is in memory. A handler that says no, or a
// body that is still under way, leads to `handle`.
//
// Affinity: owner shard.
#pragma once

#include <optional>
#include <starling/http_body.hh>
#include <starling/http_head.hh>
#include <starling/http_response.hh>
#include <starling/task.hh>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace starling {

/// Where the pieces of a body come from. \affinity owner shard
class BodySource {
  public:
    /// The next piece, valid until the next call; empty at the end.
    virtual Task<std::string_view> read() = 0;

  protected:
    ~BodySource() = default;
};

/// A request whose head has been parsed. Everything in it lives until it is answered.
/// \affinity owner shard
class Request {
  public:
    /// With all of its body.
    Request(const RequestHead& head, std::string_view body) noexcept : head_(head), body_(body) {}
    /// With a body that is still under way.
    Request(const RequestHead& head, const Framing& framing, BodySource& source) noexcept
        : head_(head), framing_(framing), source_(&source) {}

    const RequestHead& head() const noexcept { return head_; }
    std::string_view method() const noexcept { return head_.method(); }
    std::string_view path() const noexcept { return head_.path(); }

    /// The whole body, in `HttpHandler::answer`.
    std::string_view body() const noexcept { return body_; }

    /// In `HttpHandler::handle`: the next piece of the body, valid until the next call; empty at the end.
    /// \throws HttpError if it is malformed, too long or too slow; std::system_error
    Task<std::string_view> read() { return source_->read(); }
    /// How long the body is; none if it is chunked.
    std::optional<std::uint64_t> body_length() const noexcept {
        return framing_.chunked ? std::nullopt : std::optional(framing_.length);
    }

  private:
    const RequestHead& head_;
    std::string_view body_;
    Framing framing_;
    BodySource* source_ = nullptr;
};

/// Ends a request with an error status; thrown by handlers and by `Request::read`.
class HttpError : public std::runtime_error {
  public:
    HttpError(int status, const std::string& text) : std::runtime_error(text), status_(status) {}
    int status() const noexcept { return status_; }

  private:
    int status_;
};

/// Takes the answer of `HttpHandler::answer`. \affinity owner shard
class Reply {
  public:
    Reply(ByteBuffer& out, std::string_view date, const AnswerMode& mode) noexcept
        : out_(out), date_(date), mode_(mode) {}

    /// Answers. The texts are copied. Once per request.
    void send(int status, std::string_view content_type, std::string_view body) {
        append_response(out_, status, content_type, body, date_, mode_);
    }

  private:
    ByteBuffer& out_;
    std::string_view date_;
    const AnswerMode& mode_;
};

/// \affinity owner shard: each shard has its own
class HttpHandler {
  public:
    virtual ~HttpHandler() = default;

    /// Answers at once through `reply` and returns true, or returns false: then `handle` is asked.
    virtual bool answer(const Request& request, Reply& reply) {
        (void)request, (void)reply;
        return false;
    }
    /// \param request lives until the answer, its stream included, has been sent
    virtual Task<Response> handle(Request& request) = 0;
};

/// Sends the pieces of a `Response::stream`. \affinity owner shard
class BodyWriter {
  public:
    /// Sends `data`, which is copied; waits while the client does not read.
    virtual Task<> write(std::string_view data) = 0;

  protected:
    ~BodyWriter() = default;
};

}  // namespace starling
