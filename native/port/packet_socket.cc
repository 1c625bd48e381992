#include "port/packet_socket.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "port/clock.h"

namespace standstill {

bool PacketSocket::Open(int* other_fd) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return false;
  Close();
  fd_ = ends[0];
  *other_fd = ends[1];
  return true;
}

void PacketSocket::CloseEnd(int fd) {
  close(fd);
}

bool PacketSocket::Send(std::span<const std::byte> packet) {
  if (fd_ < 0) return false;
  ssize_t bytes;
  while ((bytes = send(fd_, packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT)) < 0 &&
         errno == EINTR) {
  }
  return bytes == static_cast<ssize_t>(packet.size());
}

PacketSocket::Received PacketSocket::Receive(std::span<std::byte> to, int64_t until_ns,
                                             size_t* bytes) {
  constexpr int64_t kNsPerSecond = 1'000'000'000;
  while (fd_ >= 0) {
    const int64_t rest_ns = std::max<int64_t>(0, until_ns - HostMonotonicNs());
    const timespec rest = {rest_ns / kNsPerSecond, rest_ns % kNsPerSecond};
    pollfd file = {fd_, POLLIN, 0};
    const int ready = ppoll(&file, 1, &rest, nullptr);
    if (ready == 0) return Received::kTimeout;
    if (ready < 0) {
      if (errno == EINTR) continue;
      break;
    }
    const ssize_t received = recv(fd_, to.data(), to.size(), MSG_DONTWAIT);
    if (received > 0) {
      *bytes = static_cast<size_t>(received);
      return Received::kPacket;
    }
    if (received == 0 || (errno != EINTR && errno != EAGAIN)) break;
  }
  return Received::kClosed;
}

void PacketSocket::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

}  // namespace standstill
