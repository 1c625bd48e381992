// What the system lets this process have, found by trying it.
//
// Threads: any, but huge pages that another thread takes meanwhile count too.
#pragma once

#include <cstdint>

namespace standstill {

// A `…_errno` is 0 where it can be had.
struct MachineTrials {
  int memfd_errno;  // a file in memory, mapped and sealed as guest RAM is
  int userfaultfd_errno;
  uint64_t huge_page_bytes;  // of 4 MiB that were advised and touched, how many are in huge pages
};
MachineTrials TryMachine();

}  // namespace standstill
