#include "port/memory.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23  // Linux 5.14
#endif

namespace standstill {
namespace {

std::byte* OrNull(void* mapped) {
  return mapped == MAP_FAILED ? nullptr : static_cast<std::byte*>(mapped);
}

}  // namespace

std::byte* MapAnonymous(uint64_t bytes) {
  return OrNull(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
}

std::byte* MapHuge(uint64_t bytes, uint64_t alignment_bytes) {
  std::byte* const mapped = MapAnonymous(bytes + alignment_bytes);
  if (mapped == nullptr) return nullptr;
  const uint64_t over = reinterpret_cast<uintptr_t>(mapped) & (alignment_bytes - 1);
  const uint64_t skipped = over == 0 ? 0 : alignment_bytes - over;
  if (skipped != 0) Unmap(mapped, skipped);
  std::byte* const aligned = mapped + skipped;
  Unmap(aligned + bytes, alignment_bytes - skipped);
  (void)madvise(aligned, bytes, MADV_HUGEPAGE);  // a kernel without them says no, and that is fine
  return aligned;
}

void Unmap(std::byte* start, uint64_t bytes) {
  munmap(start, bytes);
}

// ── Files in memory ───────────────────────────────────────────────────────────────────────────

Memfd::Memfd(const char* name, uint64_t bytes)
    : bytes_(bytes),
      descriptor_(
          static_cast<int>(syscall(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING))) {
  if (descriptor_ < 0) return;
  if (ftruncate(descriptor_, static_cast<off_t>(bytes)) == 0 &&
      fcntl(descriptor_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0) {
    return;
  }
  close(descriptor_);
  descriptor_ = -1;
}

Memfd::~Memfd() {
  if (descriptor_ >= 0) close(descriptor_);
}

bool Memfd::Write(uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written =
        pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    offset += static_cast<uint64_t>(written);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
  return true;
}

bool Memfd::Seal(Writes writes) {
  const int against = writes == Writes::kSealed ? F_SEAL_WRITE : 0;
  return fcntl(descriptor_, F_ADD_SEALS, against | F_SEAL_SEAL) == 0;
}

std::byte* Memfd::MapGuarded(Sharing sharing, uint64_t guard_bytes) const {
  return standstill::MapGuarded(descriptor_, 0, bytes_, sharing, guard_bytes);
}

std::byte* MapGuarded(int descriptor, uint64_t offset, uint64_t bytes, Sharing sharing,
                      uint64_t guard_bytes) {
  const uint64_t reserved_bytes = bytes + 2 * guard_bytes;
  std::byte* const reservation = OrNull(
      mmap(nullptr, reserved_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (reservation == nullptr) return nullptr;
  const int protection = sharing == Sharing::kReadOnly ? PROT_READ : PROT_READ | PROT_WRITE;
  const int flags = sharing == Sharing::kShared ? MAP_SHARED : MAP_PRIVATE | MAP_NORESERVE;
  if (mmap(reservation + guard_bytes, bytes, protection, flags | MAP_FIXED, descriptor,
           static_cast<off_t>(offset)) != MAP_FAILED) {
    return reservation;
  }
  const int why = errno;
  Unmap(reservation, reserved_bytes);
  errno = why;
  return nullptr;
}

// ── Pages ─────────────────────────────────────────────────────────────────────────────────────

bool Populate(std::byte* start, uint64_t bytes) {
  if (madvise(start, bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (errno != EINVAL) return false;
  // A kernel before 5.14: touch each page.
  for (uint64_t at = 0; at < bytes; at += SystemPageBytes()) {
    auto* const touched = reinterpret_cast<volatile unsigned char*>(start + at);
    *touched = *touched;
  }
  return true;
}

void Discard(std::byte* start, uint64_t bytes) {
  (void)madvise(start, bytes, MADV_DONTNEED);
}

uint64_t PhysicalMemoryBytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * SystemPageBytes();
}

uint64_t SystemPageBytes() {
  return static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace standstill
