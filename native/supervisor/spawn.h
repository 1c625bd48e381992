// Starts the guest's command: in its group before exec, in a session of its own, with no descriptor
// of ours but its output.
//
// Threads: the supervisor's only one.
#pragma once

#include <sys/types.h>

#include "process/supervisor_protocol.h"
#include "supervisor/configuration.h"

namespace standstill {

struct Spawned {
  pid_t pid = 0;  // 0: nothing runs
  SpawnStep step = SpawnStep::kNone;
  int error_number = 0;
};

// Returns when the command runs, or cannot. `join_fd`: see Freezer. `network`: null
// for the host's.
Spawned Spawn(const GuestCommand& command, int join_fd, const GuestNetwork* network);

}  // namespace standstill
