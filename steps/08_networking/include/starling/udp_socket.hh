// UdpSocket: datagrams. Each is sent and received as a whole, or not at all.
//
// A receive that is stopped has taken nothing, or returns the datagram that was faster than the stop.
//
// Affinity: owner shard.
#pragma once

#include <span>
#include <starling/driver.hh>
#include <starling/io_fd.hh>
#include <starling/io_op.hh>
#include <starling/socket_address.hh>
#include <starling/task.hh>

namespace starling {

/// What a receive returned.
struct Datagram {
    std::size_t size = 0;
    SocketAddress from;
    bool truncated = false;  // It was longer than the memory it was received into.
};

/// \affinity owner shard
class UdpSocket {
  public:
    /// Receives at `address`; port 0 is a free one. \throws std::system_error; std::logic_error where
    /// there is no driver
    static UdpSocket bind(const SocketAddress& address);

    /// From now on sends to `peer` only, and receives from nobody else. \throws std::system_error
    void connect(const SocketAddress& peer);

    /// \param into Borrows: until the task has ended
    Task<Datagram> recv_from(std::span<std::byte> into);
    /// \param bytes Borrows: until the task has ended \return how many were sent: all
    Task<std::size_t> send_to(std::span<const std::byte> bytes, SocketAddress to);
    /// To and from the connected peer. Borrow their memory until they have ended.
    RecvOp recv(std::span<std::byte> into) { return RecvOp(fd_, into); }
    SendOp send(std::span<const std::byte> bytes) { return SendOp(fd_, bytes, MSG_NOSIGNAL); }

    /// Cancels what is in flight, waits for it, closes.
    CloseOp close() noexcept { return fd_.close(); }

    SocketAddress local_address() const { return SocketAddress::local_of(fd_.get()); }
    int native_handle() const noexcept { return fd_.get(); }

  private:
    explicit UdpSocket(IoFd fd) noexcept : fd_(std::move(fd)) {}
    IoFd fd_;
};

}  // namespace starling
