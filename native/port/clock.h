// The host's clocks, and how a thread passes a very short time.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <limits>

namespace standstill {

int64_t HostMonotonicNs();  // CLOCK_MONOTONIC
int64_t HostWallNs();       // CLOCK_REALTIME, since the epoch

// Both clocks at one moment: bracketed reads, retried until the bracket is below 1 µs, at most 64
// times; the narrowest bracket wins.
struct ClockPair {
  int64_t monotonic_ns;
  int64_t wall_ns;
  int64_t bracket_ns;
};
ClockPair ReadHostClocks();

// So long after a moment; the end of time where it lies beyond that.
inline int64_t MomentAfter(int64_t from_ns, int64_t ns) {
  int64_t at_ns;
  return __builtin_add_overflow(from_ns, ns, &at_ns) ? std::numeric_limits<int64_t>::max() : at_ns;
}

inline void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

}  // namespace standstill
