// The machine's memory: anonymous and memfd-backed mappings. Sizes are rounded up to whole pages.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace standstill {

// Anonymous, private, zeroed on first touch. nullptr where the machine refuses.
std::byte* MapAnonymous(uint64_t bytes);
// The same at an address that is a multiple of `alignment_bytes` (a power of two), in huge pages
// where the kernel has them.
std::byte* MapHuge(uint64_t bytes, uint64_t alignment_bytes);
void Unmap(std::byte* start, uint64_t bytes);

enum class Sharing : int { kShared, kCopyOnWrite, kReadOnly };
// A mapping of a part of a file with an inaccessible region of `guard_bytes` on both sides; answers
// the start of the reservation (the first guard). nullptr, with errno, where the machine refuses.
std::byte* MapGuarded(int descriptor, uint64_t offset, uint64_t bytes, Sharing sharing,
                      uint64_t guard_bytes);

// A file in memory, of a size that cannot be changed. Its mappings outlive it.
class Memfd {
 public:
  Memfd(const char* name, uint64_t bytes);
  ~Memfd();
  Memfd(const Memfd&) = delete;
  Memfd& operator=(const Memfd&) = delete;

  bool ok() const { return descriptor_ >= 0; }  // false where the machine refused it
  uint64_t bytes() const { return bytes_; }
  // Of any thread. False where the machine has no memory for it.
  bool Write(uint64_t offset, std::span<const std::byte> bytes);
  // Its seals are final; with kSealed nobody can write to it any more, which is refused (false) while
  // a shared mapping of it is there.
  enum class Writes : int { kAllowed, kSealed };
  bool Seal(Writes writes);

  // Of all of it; see below.
  std::byte* MapGuarded(Sharing sharing, uint64_t guard_bytes) const;

 private:
  const uint64_t bytes_;
  int descriptor_;
};

// Makes every page of the range present and writable, its bytes as they are. False where the machine
// has no memory for it, or not what the mapping is of.
bool Populate(std::byte* start, uint64_t bytes);
// Gives the memory of an anonymous mapping back; it then reads as zero.
void Discard(std::byte* start, uint64_t bytes);

uint64_t PhysicalMemoryBytes();
uint64_t SystemPageBytes();

}  // namespace standstill
