// What the supervisor tells without being asked, a JSON object a line. Nobody may be reading: a line
// that does not fit into the pipe is dropped, and what it said can be asked for.
//
// Threads: the supervisor's only one.
#pragma once

#include <cstdint>
#include <string>

#include "supervisor/freezer.h"
#include "supervisor/guest_network.h"

namespace standstill {

class Events {
 public:
  explicit Events(int fd) : fd_(fd) {}

  // `network`: null where the guest has the host's.
  void Ready(const FreezerChoice& choice, const GuestNetwork* network) const;
  void NoNetwork(const std::string& why) const;
  void Unavailable(const std::string& why) const;
  void Ended(int pid, int exit_code, int exit_signal, bool leaves_descendants) const;
  void Gone() const;  // nothing of the guest is left
  void ThawedByDeadline(uint64_t generation) const;

 private:
  void Say(const std::string& line) const;
  const int fd_;
};

}  // namespace standstill
