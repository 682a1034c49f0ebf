#include <cerrno>
#include <starling/udp_socket.hh>

namespace starling {

UdpSocket UdpSocket::bind(const SocketAddress& address) {
    Driver& driver = service<Driver>("UdpSocket");
    OwnedFd fd(::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd.valid()) throw_io_error("socket", -errno);
    if (::bind(fd.get(), address.data(), address.size()) != 0) throw_io_error("bind", -errno);
    return UdpSocket(IoFd(driver, std::move(fd)));
}

void UdpSocket::connect(const SocketAddress& peer) {
    if (::connect(fd_.get(), peer.data(), peer.size()) != 0) throw_io_error("connect", -errno);
}

Task<Datagram> UdpSocket::recv_from(std::span<std::byte> into) {
    sockaddr_storage from{};
    iovec vector{into.data(), into.size()};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    RecvMsgOp receive(fd_, message);
    const std::size_t size = co_await receive;
    Datagram datagram{.size = size,
                      .from = {reinterpret_cast<sockaddr*>(&from), message.msg_namelen},
                      .truncated = (message.msg_flags & MSG_TRUNC) != 0};
    co_return datagram;
}

Task<std::size_t> UdpSocket::send_to(std::span<const std::byte> bytes, SocketAddress to) {
    iovec vector{const_cast<std::byte*>(bytes.data()), bytes.size()};
    msghdr message{};
    message.msg_name = const_cast<sockaddr*>(to.data());
    message.msg_namelen = to.size();
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    SendMsgOp send(fd_, message, MSG_NOSIGNAL);
    const std::size_t sent = co_await send;
    co_return sent;
}

}  // namespace starling
