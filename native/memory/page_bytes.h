// What is done with one page's bytes.
//
// Threads: any; plain reads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "standstill/program.h"

namespace standstill {

// Most pages that are not zero show it in their first bytes.
inline bool IsZeroPage(const std::byte* page) {
  constexpr uint64_t kLineBytes = 64;
  for (uint64_t at = 0; at < kPageBytes; at += kLineBytes) {
    uint64_t words[kLineBytes / sizeof(uint64_t)];
    std::memcpy(words, page + at, kLineBytes);
    uint64_t any = 0;
    for (const uint64_t word : words) any |= word;
    if (any != 0) return false;
  }
  return true;
}

}  // namespace standstill
