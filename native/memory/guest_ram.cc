#include "standstill/guest_ram.h"

#include <algorithm>
#include <atomic>
#include <new>
#include <utility>

#include "memory/ram_image.h"
#include "port/memory.h"
#include "port/memory_loss.h"
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
  watch_.reset();
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
      Adopt(file.MapGuarded(Sharing::kShared, kGuardBytes), size_bytes, nullptr, &ram) !=
          Status::kOk) {
    return Status::kOutOfMemory;
  }
  if (prefault) {
    if (const Status status = ram->Prefault(); status != Status::kOk) return status;
  }
  *out = std::move(ram);
  return Status::kOk;
}

Status GuestRam::Create(std::shared_ptr<const RamImage> image, bool prefault,
                        std::unique_ptr<GuestRam>* out) {
  std::unique_ptr<GuestRam> ram;
  const uint64_t size_bytes = image->bytes();
  const bool exposed = image->exposed();
  std::byte* const reservation = image->MapGuarded(kGuardBytes);
  if (const Status status = Adopt(reservation, size_bytes, std::move(image), &ram);
      status != Status::kOk) {
    return status;
  }
  if (exposed) {
    ram->watch_ = LossWatch::Begin(ram->base(), size_bytes, true);
    if (ram->watch_ == nullptr) return Status::kOutOfMemory;
  }
  if (prefault) {
    const Status status = ram->Prefault();
    if (!ram->Whole()) return Status::kMemoryLost;
    if (status != Status::kOk) return status;
  }
  *out = std::move(ram);
  return Status::kOk;
}

Status GuestRam::Prefault() {
  std::atomic<bool> populated{true};
  const uint64_t chunks = (size_bytes_ + kPrefaultChunkBytes - 1) / kPrefaultChunkBytes;
  TaskPool::Get().ParallelFor(chunks, TaskPool::kAllThreads, [&](uint64_t chunk) {
    const uint64_t from = chunk * kPrefaultChunkBytes;
    const uint64_t bytes = std::min(kPrefaultChunkBytes, size_bytes_ - from);
    if (!Populate(base_ + from, bytes)) populated.store(false, std::memory_order_relaxed);
  });
  return populated.load(std::memory_order_relaxed) ? Status::kOk : Status::kOutOfMemory;
}

std::shared_ptr<const MemoryLoss> GuestRam::loss() const {
  return watch_ != nullptr ? watch_->loss() : nullptr;
}

bool GuestRam::Whole() const {
  if (watch_ == nullptr) return true;
  if (image_->Changed()) watch_->loss()->Note(0);
  return !watch_->loss()->any();
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
