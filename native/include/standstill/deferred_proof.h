// A proof of all memory over a freeze, whose share of the blackout is only in proportion to the
// pages that the guest wrote last.
//
//   Prepare   while the guest runs: each page's CRC is brought up to date, behind the guest
//   AtHalt    in the freeze: the pages written since are read; the digest at the halt is known
//   (freeze)  whatever is done to the host; the release, by whomever
//   Finish    behind the running guest: every byte is read as it stood at the release, through the
//             hand-over, and each page is compared with what it was at the halt
//
// Nothing in the closing value is derived from marks: it is taken from the bytes of all pages.
//
// Threads: one at a time; Finish after the release. Holds the VM's operation from Prepare until
// Finish or its destruction: no snapshot is taken meanwhile.
#pragma once

#include <cstdint>
#include <memory>

#include "standstill/progress.h"
#include "standstill/status.h"
#include "standstill/vm.h"

namespace standstill {

struct ProofResult {
  uint64_t digest_before = 0;  // CRC-64/NVME of RAM at the halt
  uint64_t digest_after = 0;   // at the release
  uint64_t bytes_read = 0;     // by the closing digest: all of RAM
  uint64_t pages_changed = 0;
  uint64_t first_changed_page = 0;
};

class DeferredProof {
 public:
  // kClosed, kBusy, kCancelled, kOutOfMemory; the VM runs as before.
  static Status Prepare(std::shared_ptr<Vm> vm, Progress& progress,
                        std::unique_ptr<DeferredProof>* out);
  ~DeferredProof();  // gives the guest free where it was not finished
  DeferredProof(const DeferredProof&) = delete;
  DeferredProof& operator=(const DeferredProof&) = delete;

  // Answers how many pages it had to read. kNotPaused, kClosed; kLeaseRevoked where the guest was
  // released meanwhile, kBusy where it was halted inside a step.
  Status AtHalt(uint64_t* pages_read);
  // kClosed, kCancelled; kNotPaused where AtHalt has not been done.
  Status Finish(Progress& progress, ProofResult* out);

 private:
  class Impl;
  explicit DeferredProof(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace standstill
