// The digest of a RAM: CRC-64/NVME of its bytes in address order, with each page's own value beside
// it.
//
// Threads: any; the work is spread over the task pool, the caller taking part. The caller holds a
// lease, which is polled every 256 KiB.
#pragma once

#include <cstdint>
#include <vector>

#include "standstill/guest_ram.h"
#include "standstill/progress.h"
#include "standstill/status.h"

namespace standstill {

class Lease;

struct DigestOptions {
  // Share of the pages to read, in (0, 1]. Below 1 the pages are chosen by `seed`: the same share
  // and seed always choose the same pages.
  double share = 1;
  uint64_t seed = 0;
  unsigned threads = 0;          // at most so many; 0: all of the pool's
  Progress* progress = nullptr;  // in pages, those left out too
};

struct DigestResult {
  uint64_t value = 0;
  uint64_t bytes_read = 0;
  std::vector<uint64_t> page_crcs;  // 0 for a page that was not read
  int64_t elapsed_ns = 0;
};

// kLeaseRevoked where the guest was released meanwhile, kCancelled; `out` is then untouched.
Status DigestRam(const GuestRam& ram, const Lease& lease, const DigestOptions& options,
                 DigestResult* out);

}  // namespace standstill
