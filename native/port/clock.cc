#include "port/clock.h"

#include <ctime>

namespace standstill {
namespace {

constexpr int kBracketTries = 64;
constexpr int64_t kBracketGoodNs = 1000;

int64_t Read(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

int64_t HostMonotonicNs() {
  return Read(CLOCK_MONOTONIC);
}
int64_t HostWallNs() {
  return Read(CLOCK_REALTIME);
}

ClockPair ReadHostClocks() {
  ClockPair best{};
  for (int i = 0; i < kBracketTries; ++i) {
    const int64_t before = HostMonotonicNs();
    const int64_t wall = HostWallNs();
    const int64_t bracket = HostMonotonicNs() - before;
    if (i == 0 || bracket < best.bracket_ns) best = {before + bracket / 2, wall, bracket};
    if (best.bracket_ns < kBracketGoodNs) break;
  }
  return best;
}

}  // namespace standstill
