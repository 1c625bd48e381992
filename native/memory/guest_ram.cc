#include "standstill/guest_ram.h"

#include <algorithm>
#include <atomic>
#include <new>

#include "port/memory.h"
#include "port/task_pool.h"

namespace standstill {
namespace {

constexpr uint64_t kGuardBytes = 64 * 1024;
constexpr uint64_t kPrefaultChunkBytes = uint64_t{4} << 20;

}  // namespace

GuestRam::GuestRam(std::byte* reservation, uint64_t size_bytes)
    : reservation_(reservation), base_(reservation + kGuardBytes), size_bytes_(size_bytes) {}

GuestRam::~GuestRam() {
  Unmap(reservation_, size_bytes_ + 2 * kGuardBytes);
}

Status GuestRam::Create(uint64_t size_bytes, bool prefault, std::unique_ptr<GuestRam>* out) {
  if (size_bytes < kRamBytesMin || size_bytes > kRamBytesMax || size_bytes % kPageBytes != 0) {
    return Status::kInvalidArgument;
  }
  if (size_bytes > PhysicalMemoryBytes()) return Status::kOutOfMemory;
  std::byte* reservation = MapGuardedShared("standstill-guest-ram", size_bytes, kGuardBytes);
  if (reservation == nullptr) return Status::kOutOfMemory;
  std::unique_ptr<GuestRam> ram(new (std::nothrow) GuestRam(reservation, size_bytes));
  if (ram == nullptr) {
    Unmap(reservation, size_bytes + 2 * kGuardBytes);
    return Status::kOutOfMemory;
  }
  if (prefault) {
    std::atomic<bool> populated{true};
    const uint64_t chunks = (size_bytes + kPrefaultChunkBytes - 1) / kPrefaultChunkBytes;
    TaskPool::Get().ParallelFor(chunks, TaskPool::kAllThreads, [&](uint64_t chunk) {
      const uint64_t from = chunk * kPrefaultChunkBytes;
      const uint64_t bytes = std::min(kPrefaultChunkBytes, size_bytes - from);
      if (!Populate(ram->base() + from, bytes)) populated.store(false, std::memory_order_relaxed);
    });
    if (!populated.load(std::memory_order_relaxed)) return Status::kOutOfMemory;
  }
  *out = std::move(ram);
  return Status::kOk;
}

}  // namespace standstill
