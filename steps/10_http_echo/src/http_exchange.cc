#include <algorithm>
#include <charconv>
#include <starling/http_exchange.hh>
#include <utility>

namespace starling {
namespace {

constexpr std::pair<int, std::string_view> kStatusTexts[] = {
    {200, "OK"},
    {204, "No Content"},
    {400, "Bad Request"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {408, "Request Timeout"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {417, "Expectation Failed"},
    {431, "Request Header Fields Too Large"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {505, "HTTP Version Not Supported"}};

std::string_view status_text(int status) noexcept {
    const auto* entry = std::ranges::find(kStatusTexts, status, [](auto& e) { return e.first; });
    return entry == std::end(kStatusTexts) ? "Unknown" : entry->second;
}

char* write_part(char* at, std::string_view text) {
    return std::copy(text.begin(), text.end(), at);
}
char* write_part(char* at, std::uint64_t number) { return std::to_chars(at, at + 20, number).ptr; }

bool has_body(int status) noexcept { return status != 204 && status != 304; }

}  // namespace

std::string_view http_date(std::time_t now) {
    static thread_local std::time_t second = -1;
    static thread_local std::array<char, 30> text{};
    if (std::exchange(second, now) != now) [[unlikely]] {
        std::tm parts{};
        // The C locale's names: this program sets no other.
        std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT",
                      ::gmtime_r(&now, &parts));
    }
    return {text.data(), text.size() - 1};
}

// Input.

bool HttpExchange::refill() {
    const std::size_t left = input_.size();
    const std::size_t taken = shown_ - left;
    shared_.stats.bytes_in += taken;
    if (carry_.empty()) stream_->consume(taken);
    carry_.erase(0, taken);
    input_ = stream_->buffered();
    if (left > 0) {
        for (; !input_.empty(); input_ = stream_->buffered()) {
            carry_ += input_;
            stream_->consume(input_.size());
        }
        input_ = carry_;
    }
    shown_ = input_.size();
    return shown_ > left;
}

Task<std::string_view> HttpExchange::read() {
    for (;;) {
        const std::string_view piece = body_.take(input_);
        if (!piece.empty() || body_.done()) co_return piece;
        if (refill()) continue;
        // The client may wait for what we have for it, before it sends the next piece.
        if (std::exchange(expects_continue_, false) && !begun_) {
            output_ += "HTTP/1.1 100 Continue\r\n\r\n";
        }
        co_await flush();
        stream_->set_read_deadline(shared_.after(shared_.limits.body_timeout));
        bool open = false;
        try {
            open = co_await stream_->readable();
        } catch (const TimedOut&) {
            throw HttpError(408, "the body took too long");
        }
        refuse_if(!open, 400, "the body ended early");
    }
}

// Output.

void HttpExchange::begin(int status, std::string_view content_type,
                         std::optional<std::uint64_t> length, std::string_view fields) {
    constexpr std::size_t kOwnBytesMax = 256;  // What is written here, without the texts given.
    const int minor_version = head().minor_version;
    if (begun_) [[unlikely]] {
        if (answer_at_ == kSent) throw std::logic_error("a request is answered once");
        output_.resize(answer_at_);
    }
    begun_ = true;
    answer_at_ = output_.size();
    bodiless_ = head().method == "HEAD" || !has_body(status);
    announced_ = length;
    const bool chunked = !length && minor_version > 0 && has_body(status);
    chunked_ = chunked && !bodiless_;
    // A client that still waits for a word does not send its body: nothing can come behind it.
    const bool body_comes = !expects_continue_ || body_.done();
    keep_alive_ =
        keep_alive_ && !shared_.stopping && body_comes && (length || chunked || !has_body(status));

    // One change of size for all: a response is a dozen small pieces.
    output_.resize(answer_at_ + kOwnBytesMax + content_type.size() + fields.size());
    char* at = output_.data() + answer_at_;
    auto put = [&](const auto&... parts) { ((at = write_part(at, parts)), ...); };
    put("HTTP/1.1 ", static_cast<std::uint64_t>(status), " ", status_text(status));
    put("\r\nDate: ", http_date(std::time(nullptr)));
    if (has_body(status)) put("\r\nContent-Type: ", content_type);
    if (has_body(status) && length) put("\r\nContent-Length: ", *length);
    if (chunked) put("\r\nTransfer-Encoding: chunked");
    if (!keep_alive_) {
        put("\r\nConnection: close");
    } else if (minor_version == 0) {
        put("\r\nConnection: keep-alive");
    }
    put("\r\n", fields, "\r\n");
    output_.resize(static_cast<std::size_t>(at - output_.data()));
}

void HttpExchange::send(int status, std::string_view content_type, std::string_view body,
                        std::string_view fields) {
    begin(status, content_type, body.size(), fields);
    if (!bodiless_) output_ += body;
    announced_ = 0;
}

Task<> HttpExchange::write(std::string_view data) {
    if (data.empty() || bodiless_) co_return;  // An empty chunk would end the body.
    if (announced_) {
        if (data.size() > *announced_) throw std::length_error("a body is longer than announced");
        *announced_ -= data.size();
    }
    if (chunked_) {
        std::array<char, 16> size{};
        output_.append(size.data(), std::to_chars(size.begin(), size.end(), data.size(), 16).ptr);
        output_ += "\r\n";
    }
    output_ += data;
    if (chunked_) output_ += "\r\n";
    if (output_.size() >= kOutputMax) co_await flush();
}

Task<> HttpExchange::flush() {
    if (output_.empty()) co_return;
    if (std::exchange(sending_, true)) throw std::logic_error("a write has failed before");
    answer_at_ = kSent;
    stream_->set_write_deadline(shared_.after(shared_.limits.write_timeout));
    co_await stream_->write_all(output_);
    sending_ = false;
    shared_.stats.bytes_out += output_.size();
    output_.clear();
}

}  // namespace starling
