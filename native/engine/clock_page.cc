#include "standstill/clock_page.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "port/clock.h"
#include "util/controls.h"

namespace standstill {
namespace {

constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kRelease = std::memory_order_release;
constexpr auto kRelaxed = std::memory_order_relaxed;

int64_t Slewed(int64_t since_ns, int64_t total_ns, int64_t ppm) {
  const auto by_rate = static_cast<int64_t>(static_cast<__int128>(since_ns) * ppm / 1'000'000);
  return total_ns < 0 ? -std::min(by_rate, -total_ns) : std::min(by_rate, total_ns);
}

}  // namespace

class ClockPage::Section {
 public:
  explicit Section(ClockPage& page) : page_(page) {
    uint32_t even = page_.sequence_.load(kRelaxed) & ~1u;
    while (!page_.sequence_.compare_exchange_weak(even, even + 1, kAcquire, kRelaxed)) {
      even &= ~1u;
      CpuRelax();
    }
    taken_ = even + 1;
  }
  ~Section() { page_.sequence_.store(taken_ + 1, kRelease); }
  Section(const Section&) = delete;
  Section& operator=(const Section&) = delete;

 private:
  ClockPage& page_;
  uint32_t taken_;
};

ClockPage::ClockPage() {
  wall_offset_ns_.store(HostWallNs(), kRelaxed);
}

ClockSample ClockPage::ReadAt(const int64_t* host_now_ns) const {
  for (;;) {
    const uint32_t before = sequence_.load(kAcquire);
    if ((before & 1) != 0) {
      CpuRelax();
      continue;
    }
    const ClockSample sample = SampleAt(host_now_ns != nullptr ? *host_now_ns : HostMonotonicNs());
    if (sequence_.load(kRelaxed) == before) return sample;
  }
}

ClockSample ClockPage::SampleAt(int64_t host_now_ns) const {
  const bool running = running_.load(kAcquire);
  const int64_t base = base_ns_.load(kAcquire);
  const int64_t at_base = at_base_ns_.load(kAcquire);
  const int64_t wall_offset = wall_offset_ns_.load(kAcquire);
  const int64_t slew_from = slew_from_ns_.load(kAcquire);
  const int64_t slew_total = slew_total_ns_.load(kAcquire);
  const int64_t slew_ppm = slew_ppm_.load(kAcquire);
  const int64_t monotonic = at_base + (running ? host_now_ns - base : 0);
  return {monotonic, monotonic + wall_offset + Slewed(monotonic - slew_from, slew_total, slew_ppm),
          host_now_ns};
}

int64_t ClockPage::LagNs() const {
  return LagAt(ReadHostClocks());
}

int64_t ClockPage::LagAt(const ClockPair& host) const {
  return host.wall_ns - ReadAt(&host.monotonic_ns).guest_wall_ns;
}

int64_t ClockPage::Halt() {
  Section section(*this);
  halted_at_ns_ = HostMonotonicNs();
  if (Controls::Take(Control::kClockRuns)) return halted_at_ns_;
  at_base_ns_.store(at_base_ns_.load(kRelaxed) + halted_at_ns_ - base_ns_.load(kRelaxed), kRelease);
  base_ns_.store(halted_at_ns_, kRelease);
  running_.store(false, kRelease);
  return halted_at_ns_;
}

void ClockPage::Run(int64_t host_now_ns) {
  Section section(*this);
  if (std::exchange(started_, true)) {
    paused_total_ns_.store(PausedTotalNs() + host_now_ns - halted_at_ns_, kRelease);
  } else {
    wall_offset_ns_.store(HostWallNs(), kRelease);  // a guest boots with the right time
  }
  if (running_.load(kRelaxed)) return;  // only where the control has kept the clock running
  base_ns_.store(host_now_ns, kRelease);
  running_.store(true, kRelease);
}

ClockSample ClockPage::Restore(int64_t guest_monotonic_ns, int64_t guest_wall_ns) {
  Section section(*this);
  halted_at_ns_ = HostMonotonicNs();  // the time until now is no pause of the restored guest
  started_ = true;
  at_base_ns_.store(guest_monotonic_ns, kRelease);
  base_ns_.store(halted_at_ns_, kRelease);
  wall_offset_ns_.store(guest_wall_ns - guest_monotonic_ns, kRelease);
  slew_from_ns_.store(guest_monotonic_ns, kRelease);
  slew_total_ns_.store(0, kRelease);
  return SampleAt(halted_at_ns_);
}

SyncResult ClockPage::Synchronise(const SyncPolicy& policy) {
  SyncResult result;
  const ClockPair host = ReadHostClocks();
  result.lag_before_ns = LagAt(host);
  result.done = policy.mode;
  if (policy.mode != SyncMode::kOff) {
    Section section(*this);
    // What the guest's wall clock shows by now, so that nothing of an earlier slew is lost.
    const int64_t now_ns = HostMonotonicNs();
    const ClockSample guest = SampleAt(now_ns);
    const int64_t lag_ns = host.wall_ns + (now_ns - host.monotonic_ns) - guest.guest_wall_ns;
    if (lag_ns < 0) result.done = SyncMode::kSlew;
    // What an earlier slew has added so far becomes part of the offset.
    const int64_t offset_ns = guest.guest_wall_ns - guest.guest_monotonic_ns;
    const bool step = result.done == SyncMode::kStep;
    wall_offset_ns_.store(step ? offset_ns + lag_ns : offset_ns, kRelease);
    slew_from_ns_.store(guest.guest_monotonic_ns, kRelease);
    slew_total_ns_.store(step ? 0 : lag_ns, kRelease);
    slew_ppm_.store(policy.slew_ppm, kRelease);
  }
  result.at_ns = HostMonotonicNs();
  const ClockPair after = ReadHostClocks();
  result.lag_after_ns = LagAt(after);
  result.bracket_ns = std::max(host.bracket_ns, after.bracket_ns);
  return result;
}

}  // namespace standstill
