// The guest's clock: stands still while halted, lags by the pause until it is synchronised, and
// never goes backward, whoever reads it while whoever writes it.
#include "standstill/clock_page.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <vector>

#include "support.h"

namespace standstill {
namespace {

using namespace testing;

// What two readings of the host's clocks may differ by where the machine interrupts between them.
constexpr int64_t kSlackNs = 200 * kMillisecondNs;

// Guest time falls behind by so much without a wait for it: it runs again only from a later moment.
void PauseFor(ClockPage& clock, int64_t ns) {
  clock.Run(clock.Halt() + ns);
}
// And runs ahead by so much.
void LetPass(ClockPage& clock, int64_t ns) {
  clock.Run(clock.Halt() - ns);
}

int64_t WallMinusMonotonic(const ClockSample& sample) {
  return sample.guest_wall_ns - sample.guest_monotonic_ns;
}

}  // namespace

TEST_CASE("clock: starts halted at guest-monotonic 0 with the host's wall time") {
  const int64_t before = HostWallNs();
  const ClockPage clock;
  const ClockSample sample = clock.Read();
  CHECK(sample.guest_monotonic_ns == 0);
  CHECK(sample.guest_wall_ns >= before);
  CHECK(sample.guest_wall_ns <= HostWallNs());
  SleepNs(kMillisecondNs);
  CHECK(clock.GuestMonotonicNs() == 0);
  CHECK(clock.Read().guest_wall_ns == sample.guest_wall_ns);
  CHECK(clock.PausedTotalNs() == 0);
}

TEST_CASE("clock: guest time moves as the host's does, and not at all while halted") {
  ClockPage clock;
  const int64_t start = HostMonotonicNs();
  clock.Run(start);
  const ClockSample first = clock.Read();
  SleepNs(kMillisecondNs);
  const ClockSample second = clock.Read();
  CHECK(first.guest_monotonic_ns == first.host_monotonic_ns - start);
  CHECK(second.guest_monotonic_ns == second.host_monotonic_ns - start);
  const int64_t before_halt = HostMonotonicNs();
  const int64_t halt = clock.Halt();
  CHECK(halt >= before_halt);
  CHECK(halt <= HostMonotonicNs());
  CHECK(clock.GuestMonotonicNs() == halt - start);
  SleepNs(kMillisecondNs);
  const ClockSample halted = clock.Read();
  CHECK(halted.guest_monotonic_ns == halt - start);
  CHECK(halted.host_monotonic_ns >= halt + kMillisecondNs);
  const int64_t run = HostMonotonicNs();
  clock.Run(run);
  const ClockSample last = clock.Read();
  CHECK(last.guest_monotonic_ns == halt - start + last.host_monotonic_ns - run);
  CHECK(clock.PausedTotalNs() == run - halt);  // and the time before the first run is none
}

TEST_CASE("clock: after a pause guest wall time lags by it, until a step brings it there") {
  ClockPage clock;
  clock.Run(HostMonotonicNs());
  PauseFor(clock, 7 * kSecondNs);
  const int64_t lag = clock.LagNs();
  CHECK(lag > 7 * kSecondNs - kSlackNs);
  CHECK(lag < 7 * kSecondNs + kSlackNs);
  const ClockSample before = clock.Read();
  const SyncResult result = clock.Synchronise({.mode = SyncMode::kStep});
  const ClockSample after = clock.Read();
  CHECK(result.done == SyncMode::kStep);
  CHECK(result.lag_before_ns > 7 * kSecondNs - kSlackNs);
  CHECK(std::abs(result.lag_after_ns) <= result.bracket_ns + kClockResolutionNs);
  CHECK(result.at_ns <= HostMonotonicNs());
  CHECK(std::abs(clock.LagNs()) < kSlackNs);
  // A step of wall time, and none of monotonic time.
  const int64_t jump = WallMinusMonotonic(after) - WallMinusMonotonic(before);
  CHECK(jump > 7 * kSecondNs - kSlackNs);
  CHECK(after.guest_monotonic_ns - before.guest_monotonic_ns ==
        after.host_monotonic_ns - before.host_monotonic_ns);
}

TEST_CASE("clock: off leaves the lag, which adds up over pauses") {
  ClockPage clock;
  clock.Run(HostMonotonicNs());
  for (int pause = 1; pause <= 3; ++pause) {
    PauseFor(clock, kSecondNs);
    const SyncResult result = clock.Synchronise({.mode = SyncMode::kOff});
    CHECK(result.done == SyncMode::kOff);
    CHECK(std::abs(result.lag_before_ns - pause * kSecondNs) < kSlackNs);
    CHECK(std::abs(result.lag_after_ns - pause * kSecondNs) < kSlackNs);
  }
}

TEST_CASE("clock: a slew takes the lag away at its rate, and stops when it is gone") {
  ClockPage clock;
  clock.Run(HostMonotonicNs());
  PauseFor(clock, kSecondNs);
  const SyncPolicy policy = {.mode = SyncMode::kSlew, .slew_ppm = 100'000};  // a tenth
  const ClockSample before = clock.Read();
  const SyncResult result = clock.Synchronise(policy);
  CHECK(result.done == SyncMode::kSlew);
  CHECK(std::abs(result.lag_after_ns - kSecondNs) < kSlackNs);
  CHECK(WallMinusMonotonic(clock.Read()) - WallMinusMonotonic(before) < kSlackNs);
  // Five seconds of guest time later: let them pass by the stamps.
  const int64_t mono = clock.GuestMonotonicNs();
  LetPass(clock, 5 * kSecondNs);
  CHECK(clock.GuestMonotonicNs() - mono >= 5 * kSecondNs);
  const int64_t half = WallMinusMonotonic(clock.Read()) - WallMinusMonotonic(before);
  CHECK(half >= kSecondNs / 2);
  CHECK(half < kSecondNs / 2 + kSlackNs);
  // Ten more: all of it, and no more than that.
  LetPass(clock, 10 * kSecondNs);
  const int64_t whole = WallMinusMonotonic(clock.Read()) - WallMinusMonotonic(before);
  CHECK(std::abs(whole - kSecondNs) < kSlackNs);
  SleepNs(kMillisecondNs);
  CHECK(WallMinusMonotonic(clock.Read()) - WallMinusMonotonic(before) == whole);
}

TEST_CASE("clock: where guest wall is ahead, a step is a slew, and it says so") {
  ClockPage clock;
  // A guest that has lived a minute longer than its host: its wall clock is a minute ahead.
  clock.Run(HostMonotonicNs() - 60 * kSecondNs);
  const ClockSample before = clock.Read();
  CHECK(std::abs(clock.LagNs() + 60 * kSecondNs) < kSlackNs);
  const SyncResult result = clock.Synchronise({.mode = SyncMode::kStep, .slew_ppm = 500'000});
  CHECK(result.done == SyncMode::kSlew);
  CHECK(std::abs(result.lag_before_ns + 60 * kSecondNs) < kSlackNs);
  CHECK(std::abs(result.lag_after_ns + 60 * kSecondNs) < kSlackNs);
  const ClockSample after = clock.Read();
  CHECK(after.guest_wall_ns >= before.guest_wall_ns);
  // Slower than monotonic time, but forward.
  SleepNs(4 * kMillisecondNs);
  const ClockSample later = clock.Read();
  CHECK(later.guest_wall_ns > after.guest_wall_ns);
  CHECK(later.guest_wall_ns - after.guest_wall_ns <
        later.guest_monotonic_ns - after.guest_monotonic_ns);
}

namespace {

struct Reader {
  const ClockPage& clock;
  std::atomic<bool>& over;
  std::atomic<int>& started;
  int64_t tolerance_ns;
  uint64_t backward_monotonic = 0;
  uint64_t backward_wall = 0;
  int64_t backward_wall_max_ns = 0;
  uint64_t samples = 0;

  void Run() {
    ClockSample last = clock.Read();
    while (!over.load(std::memory_order_relaxed)) {
      const ClockSample now = clock.Read();
      if (now.guest_monotonic_ns < last.guest_monotonic_ns) ++backward_monotonic;
      if (now.guest_wall_ns < last.guest_wall_ns - tolerance_ns) {
        ++backward_wall;
        backward_wall_max_ns =
            std::max(backward_wall_max_ns, last.guest_wall_ns - now.guest_wall_ns);
      }
      last = now;
      if (++samples == 1) started.fetch_add(1);
    }
  }
};

void CheckNeverBackward(const std::vector<SyncPolicy>& policies, int syncers, bool ahead) {
  ClockPage clock;
  clock.Run(HostMonotonicNs() - (ahead ? 3600 * kSecondNs : 0));
  std::atomic<bool> over{false};
  std::atomic<int> started{0};
  std::vector<Reader> readers(2, Reader{clock, over, started, 0});
  std::vector<std::thread> threads;
  for (Reader& reader : readers) threads.emplace_back([&] { reader.Run(); });
  CHECK(Eventually([&] { return started.load() == 2; }));
  std::vector<std::thread> writers;
  for (int s = 0; s < syncers; ++s) {
    writers.emplace_back([&, s] {
      for (int i = 0; i < Rounds(3000, 600); ++i) {
        (void)clock.Synchronise(policies[static_cast<size_t>(i + s) % policies.size()]);
      }
    });
  }
  for (int i = 0; i < Rounds(3000, 600); ++i) {
    (void)clock.Halt();
    SpinNs(i % 7 * 1'000);
    clock.Run(HostMonotonicNs());
    SpinNs(i % 5 * 1'000);
  }
  for (std::thread& writer : writers) writer.join();
  over.store(true);
  for (std::thread& thread : threads) thread.join();
  for (const Reader& reader : readers) {
    CAPTURE(reader.backward_wall_max_ns);
    CHECK(reader.backward_monotonic == 0);
    CHECK(reader.backward_wall == 0);
  }
}

}  // namespace

TEST_CASE("clock: readers see no step backward while it is halted, run and stepped") {
  CheckNeverBackward({{.mode = SyncMode::kStep}}, 1, false);
}

// The bug: what a slew had added between the reading of the clocks and the writing of the page was
// lost, so that a change of rate or direction took guest wall time back by it.
TEST_CASE("clock: readers see no step backward while slews of all rates follow one another") {
  const std::vector<SyncPolicy> policies = {{.mode = SyncMode::kSlew, .slew_ppm = 900'000},
                                            {.mode = SyncMode::kSlew, .slew_ppm = 1},
                                            {.mode = SyncMode::kStep},
                                            {.mode = SyncMode::kSlew, .slew_ppm = 500'000}};
  CheckNeverBackward(policies, 1, false);
  CheckNeverBackward(policies, 1, true);
  CheckNeverBackward(policies, 3, false);
}

TEST_CASE("clock: each sample is of one moment") {
  // Wall minus monotonic is only ever what was published. A sample torn between two publications
  // has a monotonic time that is off to one side, and the next whole one would be off to the other.
  ClockPage clock;
  clock.Run(HostMonotonicNs());
  std::atomic<bool> over{false};
  std::atomic<uint64_t> torn{0};
  const int64_t offset = WallMinusMonotonic(clock.Read());
  std::vector<std::thread> readers;
  for (int r = 0; r < 2; ++r) {
    readers.emplace_back([&] {
      ClockSample last = clock.Read();
      while (!over.load(std::memory_order_relaxed)) {
        const ClockSample now = clock.Read();
        const bool possible = now.guest_monotonic_ns >= last.guest_monotonic_ns &&
                              now.host_monotonic_ns >= last.host_monotonic_ns &&
                              WallMinusMonotonic(now) == offset;
        if (!possible) torn.fetch_add(1);
        last = now;
      }
    });
  }
  for (int i = 0; i < Rounds(30'000, 5'000); ++i) {
    (void)clock.Halt();
    for (int spin = 0; spin < i % 40; ++spin) CpuRelax();
    clock.Run(HostMonotonicNs());
    for (int spin = 0; spin < i % 30; ++spin) CpuRelax();
  }
  over.store(true);
  for (std::thread& reader : readers) reader.join();
  CHECK(torn.load() == 0);
}

TEST_CASE("clock: the paused total is the sum of the pauses, to the nanosecond") {
  ClockPage clock;
  int64_t paused = 0;
  int64_t ran = 0;
  int64_t run = HostMonotonicNs();
  clock.Run(run);
  for (int i = 0; i < 1000; ++i) {
    SpinNs(i % 9 * 300);
    const int64_t halt = clock.Halt();
    ran += halt - run;
    REQUIRE(clock.GuestMonotonicNs() == ran);
    SpinNs(i % 7 * 300);
    run = HostMonotonicNs();
    clock.Run(run);
    paused += run - halt;
    REQUIRE(clock.PausedTotalNs() == paused);
  }
}

}  // namespace standstill
