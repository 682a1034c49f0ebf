// Boost.Asio (echo) and Boost.Beast (HTTP), each by callbacks on one thread without locks: the
// fastest way the libraries offer, and close to their own examples.
#define BOOST_ASIO_DISABLE_THREADS
#include <array>
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <memory>
#include <string>

#include "peer.hh"

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

// Asio associates a stack-like memory recycler with its own threads; nothing is left to tune here.
class EchoSession : public std::enable_shared_from_this<EchoSession> {
  public:
    explicit EchoSession(tcp::socket socket) : socket_(std::move(socket)) {}
    void start() { read(); }

  private:
    void read() {
        socket_.async_read_some(asio::buffer(data_),
                                [self = shared_from_this()](error_code error, std::size_t size) {
                                    if (!error) self->write(size);
                                });
    }

    void write(std::size_t size) {
        asio::async_write(socket_, asio::buffer(data_.data(), size),
                          [self = shared_from_this()](error_code error, std::size_t) {
                              if (!error) self->read();
                          });
    }

    tcp::socket socket_;
    std::array<char, 16384> data_;
};

class HttpSession : public std::enable_shared_from_this<HttpSession> {
  public:
    explicit HttpSession(tcp::socket socket) : socket_(std::move(socket)) {}
    void start() { read(); }

  private:
    void read() {
        request_ = {};
        http::async_read(socket_, buffer_, request_,
                         [self = shared_from_this()](error_code error, std::size_t) {
                             if (!error) self->write();
                         });
    }

    void write() {
        response_ = {http::status::ok, request_.version()};
        response_.set(http::field::content_type, "text/plain");
        response_.keep_alive(request_.keep_alive());
        response_.body() = starling_peer::kBody;
        response_.prepare_payload();
        http::async_write(socket_, response_,
                          [self = shared_from_this()](error_code error, std::size_t) {
                              if (!error) self->read();
                          });
    }

    tcp::socket socket_;
    beast::flat_buffer buffer_;
    http::request<http::string_body> request_;
    http::response<http::string_body> response_;
};

template <typename Session>
void accept_next(tcp::acceptor& acceptor) {
    acceptor.async_accept([&acceptor](error_code error, tcp::socket socket) {
        if (!error) {
            socket.set_option(tcp::no_delay(true));
            std::make_shared<Session>(std::move(socket))->start();
        }
        accept_next<Session>(acceptor);
    });
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = starling_peer::parse_options(argc, argv);
    asio::io_context context(1);
    tcp::acceptor acceptor(context, {asio::ip::address_v4::loopback(), options.port});
    acceptor.listen(4096);
    starling_peer::print_port(acceptor.local_endpoint().port());
    if (options.mode == "http") {
        accept_next<HttpSession>(acceptor);
    } else {
        accept_next<EchoSession>(acceptor);
    }
    context.run();
}
