// The sockets between the library and a supervisor.
#include "port/packet_socket.h"

#include <doctest/doctest.h>

#include <array>

namespace standstill {

// A blocking send would wait for ever here.
TEST_CASE("packet socket: what does not fit before an end that reads no more is refused") {
  constexpr int kMoreThanFit = 10'000;
  PacketSocket socket;
  int other_fd = -1;
  REQUIRE(socket.Open(&other_fd));
  const std::array<std::byte, 4096> packet{};
  int sent = 0;
  while (sent < kMoreThanFit && socket.Send(packet)) ++sent;
  CHECK(sent > 0);
  CHECK(sent < kMoreThanFit);
  PacketSocket::CloseEnd(other_fd);
  CHECK_FALSE(socket.Send(packet));
}

}  // namespace standstill
