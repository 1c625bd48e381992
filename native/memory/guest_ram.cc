#include "standstill/guest_ram.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "memory/ram_image.h"
#include "port/memory.h"
#include "port/task_pool.h"

namespace standstill {
namespace {

constexpr uint64_t kGuardBytes = 64 * 1024;
constexpr uint64_t kPrefaultChunkBytes = uint64_t{4} << 20;

}  // namespace

GuestRam::GuestRam(std::byte* reservation, uint64_t size_bytes,
                   std::shared_ptr<const RamImage> image)
    : reservation_(reservation),
      base_(reservation + kGuardBytes),
      size_bytes_(size_bytes),
      image_(std::move(image)) {}

GuestRam::~GuestRam() {
  Unmap(reservation_, size_bytes_ + 2 * kGuardBytes);
}

Status GuestRam::Create(uint64_t size_bytes, bool prefault, std::unique_ptr<GuestRam>* out) {
  if (size_bytes < kRamBytesMin || size_bytes > kRamBytesMax || size_bytes % kPageBytes != 0) {
    return Status::kInvalidArgument;
  }
  if (size_bytes > PhysicalMemoryBytes()) return Status::kOutOfMemory;
  // The descriptor is only needed to make the mapping: a thousand VMs must not use up a process's
  // limit.
  Memfd file("standstill-guest-ram", size_bytes);
  std::unique_ptr<GuestRam> ram;
  if (!file.ok() || !file.Seal(Memfd::Writes::kAllowed) ||
      Adopt(file.MapGuarded(Memfd::Sharing::kShared, kGuardBytes), size_bytes, nullptr, &ram) !=
          Status::kOk) {
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

Status GuestRam::Create(std::shared_ptr<const RamImage> image, std::unique_ptr<GuestRam>* out) {
  const Memfd& file = image->file;
  return Adopt(file.MapGuarded(Memfd::Sharing::kCopyOnWrite, kGuardBytes), file.bytes(),
               std::move(image), out);
}

Status GuestRam::Adopt(std::byte* reservation, uint64_t size_bytes,
                       std::shared_ptr<const RamImage> image, std::unique_ptr<GuestRam>* out) {
  if (reservation == nullptr) return Status::kOutOfMemory;
  out->reset(new (std::nothrow) GuestRam(reservation, size_bytes, std::move(image)));
  if (*out != nullptr) return Status::kOk;
  Unmap(reservation, size_bytes + 2 * kGuardBytes);
  return Status::kOutOfMemory;
}

}  // namespace standstill
