// Carries connections from sockets that listen in one network to ports of the loopback device of
// the network that the caller is in.
//
// Threads: the caller's, for good.
#pragma once

#include <cstdint>
#include <vector>

namespace standstill {

struct RelayedPort {
  int listener = -1;
  uint16_t port = 0;
};

// Does not return. A connection that nobody takes inside is reset; so is one that ends in an error.
void Relay(const std::vector<RelayedPort>& ports);

}  // namespace standstill
