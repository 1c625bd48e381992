// Faults in the engine's file calls: a program that links file_faults.cc has its calls of the
// operating system's file functions counted, and the one that is chosen refused, cut short, or the
// end of the process.
//
// Threads: arming and disarming by one, while no other makes such calls; the calls by any.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace standstill::testing {

enum class FileFault {
  kError,        // it fails with `error`
  kShort,        // a read or write does half of it, and the next one fails with `error`
  kInterrupted,  // it fails with EINTR, where such a call can
  kDie,          // SIGKILL in its place
};

// The `at`-th call from now on, from 1. 0: none; they are only counted.
void ArmFault(size_t at, FileFault kind, int error = 0);
// What was called since: "write", "fsync" and so on, in order.
std::vector<std::string> DisarmFaults();

}  // namespace standstill::testing
