// SplitMix64 (Steele, Lea, Flood 2014): a seeded generator whose whole state is one word, so that
// it fits a guest's registers, and a hash of one word.
//
// Threads: a value; each user owns its own.
#pragma once

#include <cstdint>

namespace standstill {

constexpr uint64_t Mix64(uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

struct Prng {
  uint64_t state;

  constexpr uint64_t Next() {
    const uint64_t value = Mix64(state);
    state += 0x9E3779B97F4A7C15;
    return value;
  }
  // Uniform in [0, bound) by multiplication; the bias is below bound / 2^64.
  constexpr uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }
};

}  // namespace standstill
