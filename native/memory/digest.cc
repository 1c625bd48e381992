#include "standstill/digest.h"

#include <algorithm>
#include <atomic>
#include <new>

#include "memory/lease.h"
#include "port/clock.h"
#include "port/task_pool.h"
#include "util/controls.h"
#include "util/crc64.h"
#include "util/prng.h"

namespace standstill {
namespace {

constexpr uint64_t kChunkPages = kLeasePollBytes / kPageBytes;

struct Part {
  uint64_t crc = 0;
  uint64_t bytes = 0;
};

// A page is read where its hash falls below the share.
class Selection {
 public:
  explicit Selection(const DigestOptions& options)
      : all_(options.share >= 1),
        seed_(options.seed),
        below_(static_cast<uint64_t>(options.share * 0x1p63) * 2) {}
  bool Holds(uint64_t page) const { return all_ || Mix64(seed_ ^ Mix64(page)) < below_; }

 private:
  const bool all_;
  const uint64_t seed_;
  const uint64_t below_;
};

// Work that leaves no trace in the result: another page, as far away as can be, so that it costs
// what a page costs.
void ReadAnother(const GuestRam& ram, uint64_t page) {
  static std::atomic<uint64_t> discarded;
  const uint64_t other = (page + ram.pages() / 2) % ram.pages();
  discarded.store(Crc64(0, {ram.base() + other * kPageBytes, kPageBytes}, nullptr),
                  std::memory_order_relaxed);
}

}  // namespace

Status DigestRam(const GuestRam& ram, const Lease& lease, const DigestOptions& options,
                 DigestResult* out) try {
  if (!(options.share > 0 && options.share <= 1)) return Status::kInvalidArgument;
  const int64_t from_ns = HostMonotonicNs();
  const uint64_t pages = ram.pages();
  const uint64_t chunks = (pages + kChunkPages - 1) / kChunkPages;
  const Selection selection(options);
  const Crc64Shift page_shift(kPageBytes);
  std::vector<uint64_t> page_crcs(pages);
  std::vector<Part> parts(chunks);
  Progress unheard;
  Progress& progress = options.progress != nullptr ? *options.progress : unheard;
  progress.Begin(pages);
  const uint32_t slower_percent = Controls::Level(Control::kSlowDigest);
  TaskPool::Get().ParallelFor(chunks, options.threads, [&](uint64_t chunk) {
    if (lease.revoked() || progress.cancelled()) return;
    Part part;
    const uint64_t last = std::min(pages, (chunk + 1) * kChunkPages);
    for (uint64_t page = chunk * kChunkPages; page < last; ++page) {
      if (!selection.Holds(page)) continue;
      const std::byte* const at = ram.base() + page * kPageBytes;
      const std::byte* const next = page + 1 < pages ? at + kPageBytes : nullptr;
      page_crcs[page] = Crc64(0, {at, kPageBytes}, next);
      part.crc = page_shift.Apply(part.crc) ^ page_crcs[page];
      part.bytes += kPageBytes;
      if (page * slower_percent % 100 < slower_percent) ReadAnother(ram, page);
    }
    parts[chunk] = part;
    progress.Add(last - chunk * kChunkPages);
  });
  if (lease.revoked()) return Status::kLeaseRevoked;
  if (progress.cancelled()) return Status::kCancelled;
  DigestResult result;
  const Crc64Shift chunk_shift(kChunkPages * kPageBytes);
  for (const Part& part : parts) {
    const bool whole = part.bytes == kChunkPages * kPageBytes;
    result.value = whole ? chunk_shift.Apply(result.value) ^ part.crc
                         : Crc64Combine(result.value, part.crc, part.bytes);
    result.bytes_read += part.bytes;
  }
  result.page_crcs = std::move(page_crcs);
  result.elapsed_ns = HostMonotonicNs() - from_ns;
  *out = std::move(result);
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

}  // namespace standstill
