#include "process/supervisor_channel.h"

#include <cstring>
#include <span>

#include "port/clock.h"

namespace standstill {
namespace {

constexpr size_t kPidsMax = 32768;

}  // namespace

bool SupervisorChannel::Send(SupervisorRequest request) {
  request.sequence = ++sequence_;
  request.sent_at_ns = HostMonotonicNs();
  return socket_.Send(std::as_bytes(std::span(&request, 1)));
}

SupervisorChannel::Outcome SupervisorChannel::Await(int64_t until_ns, SupervisorReply* reply,
                                                    std::vector<int32_t>* pids) {
  packet_.resize(sizeof(*reply) + kPidsMax * sizeof(int32_t));
  for (;;) {
    size_t bytes = 0;
    const PacketSocket::Received received = socket_.Receive(packet_, until_ns, &bytes);
    if (received == PacketSocket::Received::kTimeout) return Outcome::kTimeout;
    if (received == PacketSocket::Received::kClosed || bytes < sizeof(*reply))
      return Outcome::kLost;
    std::memcpy(reply, packet_.data(), sizeof(*reply));
    if (reply->sequence != sequence_) continue;
    pids->resize((bytes - sizeof(*reply)) / sizeof(int32_t));
    if (!pids->empty()) {
      std::memcpy(pids->data(), packet_.data() + sizeof(*reply), pids->size() * sizeof(int32_t));
    }
    return Outcome::kAnswered;
  }
}

}  // namespace standstill
