// The machine's memory: anonymous and memfd-backed mappings. Sizes are rounded up to whole pages.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>

namespace standstill {

// Anonymous, private, zeroed on first touch. nullptr where the machine refuses.
std::byte* MapAnonymous(uint64_t bytes);
// The same at an address that is a multiple of `alignment_bytes` (a power of two), in huge pages
// where the kernel has them.
std::byte* MapHuge(uint64_t bytes, uint64_t alignment_bytes);
// A sealed shared memfd mapping with an inaccessible region of `guard_bytes` on both sides; answers
// the start of the reservation (the first guard). nullptr where the machine refuses.
std::byte* MapGuardedShared(const char* name, uint64_t bytes, uint64_t guard_bytes);
void Unmap(std::byte* start, uint64_t bytes);

// Makes every page of the range present and writable. False where the machine has no memory for it.
bool Populate(std::byte* start, uint64_t bytes);
// Gives the memory of an anonymous mapping back; it then reads as zero.
void Discard(std::byte* start, uint64_t bytes);

uint64_t PhysicalMemoryBytes();

}  // namespace standstill
