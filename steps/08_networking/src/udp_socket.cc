#include <starling/udp_socket.hh>

namespace starling {

Task<Datagram> UdpSocket::recv_from(std::span<std::byte> into) {
    Datagram datagram;
    iovec vector{into.data(), into.size()};
    msghdr message{&datagram.from.any_, sizeof datagram.from.unix_, &vector, 1, nullptr, 0, 0};
    datagram.size = co_await RecvMsgOp(fd_, message);
    datagram.from.size_ = message.msg_namelen;
    datagram.truncated = (message.msg_flags & MSG_TRUNC) != 0;
    co_return datagram;
}

Task<std::size_t> UdpSocket::send_to(std::span<const std::byte> bytes, SocketAddress to) {
    iovec vector{const_cast<std::byte*>(bytes.data()), bytes.size()};
    const msghdr message{&to.any_, to.size_, &vector, 1, nullptr, 0, 0};
    const std::size_t sent = co_await SendMsgOp(fd_, message);
    co_return sent;
}

}  // namespace starling
