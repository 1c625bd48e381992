// What several guest programs share: how a parameter becomes a register, and the checksum of an
// item that verifies itself. Integer arithmetic throughout, apart from the one exact scaling of a
// fraction, so that every machine leaves the same bits in RAM.
//
// Threads: pure functions.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

#include "standstill/guest_ram.h"
#include "standstill/program.h"

namespace standstill {

// ── The working set ───────────────────────────────────────────────────────────────────────────
inline constexpr ParamSpec kWorkingSetParam = {
    .name = "workingSet",
    .summary = "bytes of RAM that the program uses, from address 0; 0: all of it",
    .kind = ParamKind::kBytes,
    .value_default = 0,
    .value_min = 0,
    .value_max = static_cast<double>(kRamBytesMax),
};

// Whole pages, at least `bytes_min` and at most the RAM there is.
inline uint64_t WorkingSetBytes(const InitContext& context, double value, uint64_t bytes_min) {
  const uint64_t ram_bytes = context.ram.size_bytes();
  const uint64_t bytes = static_cast<uint64_t>(value);
  if (bytes == 0) return ram_bytes;
  const uint64_t whole_pages = (bytes + kPageBytes - 1) & ~(kPageBytes - 1);
  return std::clamp(whole_pages, std::min(bytes_min, ram_bytes), ram_bytes);
}

// ── Chance ────────────────────────────────────────────────────────────────────────────────────
// A fraction as a threshold for the low bits of a random word. The bits above them choose the
// place, so one random word serves a whole step.
inline constexpr int kChanceBits = 24;
inline constexpr uint64_t kChanceMask = (uint64_t{1} << kChanceBits) - 1;

inline uint64_t ChanceThreshold(double fraction) {
  return static_cast<uint64_t>(fraction * static_cast<double>(kChanceMask + 1));
}

// ── Findings ──────────────────────────────────────────────────────────────────────────────────
inline CheckReport Violated(CheckReport report, const char* what, uint64_t gpa) {
  report.ok = false;
  report.violation = what;
  report.gpa = gpa;
  return report;
}

// ── Checksums ─────────────────────────────────────────────────────────────────────────────────
// One link of a checksum over words. Each link is a bijection of the sum for a fixed word and of
// the word for a fixed sum, so a change within any single word always changes the final sum.
constexpr uint64_t FoldWord(uint64_t sum, uint64_t word) {
  return std::rotl((sum ^ word) * 0x9FB21C651E98DF25, 29);
}

}  // namespace standstill
