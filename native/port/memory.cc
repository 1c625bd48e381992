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

// The descriptor is only needed to make the mapping: a thousand VMs must not use up a process's
// limit.
int SealedMemfd(const char* name, uint64_t bytes) {
  const int fd = static_cast<int>(syscall(SYS_memfd_create, name, MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (fd < 0) return -1;
  if (ftruncate(fd, static_cast<off_t>(bytes)) == 0 &&
      fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
    return fd;
  }
  close(fd);
  return -1;
}

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

std::byte* MapGuardedShared(const char* name, uint64_t bytes, uint64_t guard_bytes) {
  const int fd = SealedMemfd(name, bytes);
  if (fd < 0) return nullptr;
  const uint64_t reserved_bytes = bytes + 2 * guard_bytes;
  std::byte* reservation = OrNull(
      mmap(nullptr, reserved_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  if (reservation != nullptr && mmap(reservation + guard_bytes, bytes, PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED) {
    Unmap(reservation, reserved_bytes);
    reservation = nullptr;
  }
  close(fd);
  return reservation;
}

void Unmap(std::byte* start, uint64_t bytes) {
  munmap(start, bytes);
}

bool Populate(std::byte* start, uint64_t bytes) {
  if (madvise(start, bytes, MADV_POPULATE_WRITE) == 0) return true;
  if (errno != EINVAL) return false;
  // A kernel before 5.14: touch each page. Only fresh, zero pages are populated here.
  const long page_bytes = sysconf(_SC_PAGESIZE);
  for (uint64_t at = 0; at < bytes; at += static_cast<uint64_t>(page_bytes)) {
    *reinterpret_cast<volatile unsigned char*>(start + at) = 0;
  }
  return true;
}

void Discard(std::byte* start, uint64_t bytes) {
  (void)madvise(start, bytes, MADV_DONTNEED);
}

uint64_t PhysicalMemoryBytes() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace standstill
