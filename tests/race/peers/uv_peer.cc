// libuv, echo only: one loop, one shared read buffer, and uv_try_write first, which is the short
// way that its own benchmarks take; what does not fit is written by a request.
#include <uv.h>

#include <cstring>
#include <string>
#include <vector>

#include "peer.hh"

namespace {

std::vector<char> input(starling_peer::kReadSize);  // Echoed before the next read overwrites it.

struct Write {
    uv_write_t request{};
    std::string rest;
};

void close_connection(uv_handle_t* handle) {
    if (uv_is_closing(handle) != 0) return;
    uv_close(handle, [](uv_handle_t* closed) { delete reinterpret_cast<uv_tcp_t*>(closed); });
}

void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
    if (size < 0) return close_connection(reinterpret_cast<uv_handle_t*>(stream));
    if (size == 0) return;
    uv_buf_t out = uv_buf_init(buffer->base, static_cast<unsigned>(size));
    const int tried = uv_try_write(stream, &out, 1);
    const std::size_t sent = tried < 0 ? 0 : static_cast<std::size_t>(tried);
    if (sent == static_cast<std::size_t>(size)) return;
    auto* write = new Write;
    write->request.data = write;
    write->rest.assign(buffer->base + sent, static_cast<std::size_t>(size) - sent);
    out = uv_buf_init(write->rest.data(), static_cast<unsigned>(write->rest.size()));
    uv_write(&write->request, stream, &out, 1,
             [](uv_write_t* done, int) { delete static_cast<Write*>(done->data); });
}

void give_buffer(uv_handle_t*, size_t, uv_buf_t* buffer) {
    *buffer = uv_buf_init(input.data(), static_cast<unsigned>(input.size()));
}

void on_connection(uv_stream_t* listener, int status) {
    if (status < 0) return;
    auto* connection = new uv_tcp_t;
    uv_tcp_init(listener->loop, connection);
    auto* stream = reinterpret_cast<uv_stream_t*>(connection);
    if (uv_accept(listener, stream) != 0) {
        return close_connection(reinterpret_cast<uv_handle_t*>(connection));
    }
    uv_tcp_nodelay(connection, 1);
    uv_read_start(stream, give_buffer, on_read);
}

}  // namespace

int main(int argc, char** argv) {
    const auto options = starling_peer::parse_options(argc, argv);
    uv_loop_t* loop = uv_default_loop();
    uv_tcp_t listener;
    uv_tcp_init(loop, &listener);
    sockaddr_in address{};
    uv_ip4_addr("127.0.0.1", options.port, &address);
    uv_tcp_bind(&listener, reinterpret_cast<sockaddr*>(&address), 0);
    auto* stream = reinterpret_cast<uv_stream_t*>(&listener);
    if (const int error = uv_listen(stream, 4096, on_connection); error != 0) {
        std::fprintf(stderr, "uv_peer: listen: %s\n", uv_strerror(error));
        return 1;
    }
    int size = sizeof address;
    uv_tcp_getsockname(&listener, reinterpret_cast<sockaddr*>(&address), &size);
    starling_peer::print_port(ntohs(address.sin_port));
    return uv_run(loop, UV_RUN_DEFAULT);
}
