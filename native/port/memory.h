// The machine's memory: anonymous and memfd-backed mappings. Sizes are whole pages.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>

namespace standstill {

// Anonymous, private, zeroed on first touch. nullptr where the machine refuses.
std::byte* MapAnonymous(uint64_t bytes);
// A sealed shared memfd mapping with an inaccessible region of `guard_bytes` on both sides; answers
// the start of the reservation (the first guard). nullptr where the machine refuses.
std::byte* MapGuardedShared(const char* name, uint64_t bytes, uint64_t guard_bytes);
void Unmap(std::byte* start, uint64_t bytes);

// Makes every page of the range present and writable. False where the machine has no memory for it.
bool Populate(std::byte* start, uint64_t bytes);

uint64_t PhysicalMemoryBytes();

}  // namespace standstill
