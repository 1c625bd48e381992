// A pair of connected sockets that keeps packets apart, and one end of it.
//
// Threads: one at a time for an end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace standstill {

class PacketSocket {
 public:
  enum class Received { kPacket, kTimeout, kClosed };

  // Neither end is inherited by what this process executes. False where the machine refuses it;
  // `other_fd` is then untouched. The other end belongs to the caller.
  bool Open(int* other_fd);
  static void CloseEnd(int fd);

  PacketSocket() = default;
  ~PacketSocket() { Close(); }
  PacketSocket(const PacketSocket&) = delete;
  PacketSocket& operator=(const PacketSocket&) = delete;

  // Never waits: false where the other side is gone, or has left so many unread that no more fit.
  bool Send(std::span<const std::byte> packet);
  // One packet, cut to the length of `to`; `bytes` tells how long it is.
  Received Receive(std::span<std::byte> to, int64_t until_ns, size_t* bytes);
  void Close();
  bool is_open() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace standstill
