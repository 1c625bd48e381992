// The asking side of a supervisor. A request may be sent and its answer awaited later, so that many
// guests are asked at once.
//
// Threads: one at a time. Await blocks the caller, at most until the moment given. An answer that
// came too late for whoever asked is passed over by the next one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "port/packet_socket.h"
#include "process/supervisor_protocol.h"

namespace standstill {

class SupervisorChannel {
 public:
  enum class Outcome { kAnswered, kTimeout, kLost };

  // `supervisor_fd` is the end to hand to the supervisor, and to be closed here when it has it.
  bool Open(int* supervisor_fd) { return socket_.Open(supervisor_fd); }
  void Close() { socket_.Close(); }

  // False where the supervisor is gone or reads no more. Fills in sequence and stamp.
  bool Send(SupervisorRequest request);
  // The answer to the last request sent; `pids` is what kMembers answers.
  Outcome Await(int64_t until_ns, SupervisorReply* reply, std::vector<int32_t>* pids);

 private:
  PacketSocket socket_;
  uint32_t sequence_ = 0;
  std::vector<std::byte> packet_;
};

}  // namespace standstill
