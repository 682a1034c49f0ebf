// UdpSocket: datagrams. Each is sent and received as a whole, or not at all.
//
// A receive that is stopped has taken nothing, or returns the datagram that was faster than the
// stop.
//
// Affinity: owner shard.
#pragma once

#include <span>
#include <starling/driver.hh>
#include <starling/io_op.hh>
#include <starling/socket_address.hh>
#include <starling/task.hh>

namespace starling {

/// What a receive returned.
struct Datagram {
    std::size_t size = 0;    ///< In bytes.
    SocketAddress from;      ///< Who has sent it.
    bool truncated = false;  ///< It was longer than the memory it was received into.
};

/// A socket for datagrams. \affinity owner shard
class UdpSocket {
  public:
    /// Receives at `address`; port 0 is a free one. \throws std::system_error; std::logic_error
    /// where there is no driver
    static UdpSocket bind(const SocketAddress& address) {
        OwnedFd fd = detail::open_socket(address, SOCK_DGRAM);
        detail::checked("bind", ::bind(fd.get(), address.data(), address.size()));
        return UdpSocket(IoFd(service<Driver>("UdpSocket"), std::move(fd)));
    }

    /// From now on sends to `peer` only, and receives from nobody else. \throws std::system_error
    void connect(const SocketAddress& peer) {
        detail::checked("connect", ::connect(fd_.get(), peer.data(), peer.size()));
    }

    /// The next datagram. \param into Borrows: until the task has ended
    /// \throws Cancelled, std::system_error
    Task<Datagram> recv_from(std::span<std::byte> into);
    /// \param bytes Borrows: until the task has ended \return how many were sent: all
    /// \throws Cancelled, std::system_error
    Task<std::size_t> send_to(std::span<const std::byte> bytes, SocketAddress to);
    /// From the connected peer. \param into Borrows: until the operation has ended
    RecvOp recv(std::span<std::byte> into) { return RecvOp(fd_, into); }
    /// To the connected peer. \param bytes Borrows: until the operation has ended
    SendOp send(std::span<const std::byte> bytes) { return SendOp(fd_, bytes); }

    /// Cancels what is in flight, waits for it, closes.
    CloseOp close() noexcept { return fd_.close(); }

    /// Where it receives. \throws std::system_error
    SocketAddress local_address() const { return SocketAddress::local_of(fd_.get()); }

  private:
    explicit UdpSocket(IoFd fd) noexcept : fd_(std::move(fd)) {}
    IoFd fd_;
};

}  // namespace starling
