// The guest's clock, published by the host in a page outside of guest RAM, as a paravirtual clock
// does.
//
//   guest monotonic = at_base + (running ? host monotonic − base : 0)
//                     stands still while halted
//   guest wall      = guest monotonic + wall offset + slewed so far
//                     lags by each pause until synchronised
//
// Threads: readers on any thread; writers: the guest thread as it halts, the host as it releases or
// synchronises. Writers exclude each other by taking the sequence from even to odd.
// Ordering: a sequence lock without stand-alone fences. Payload fields are atomics: a writer stores
// them with release after taking the sequence, a reader loads them with acquire and then the
// sequence again; a field that came from a writer's section thus makes that writer's odd sequence
// visible to the second look.
#pragma once

#include <atomic>
#include <cstdint>

#include "standstill/program.h"

namespace standstill {

struct ClockPair;

enum class SyncMode : uint8_t { kStep, kSlew, kOff };

struct SyncPolicy {
  SyncMode mode = SyncMode::kStep;
  int64_t delay_ns = 0;       // from the release on
  int64_t slew_ppm = 83'333;  // of guest time; chrony's default maxslewrate
};

struct SyncResult {
  int64_t lag_before_ns = 0;  // host wall − guest wall
  int64_t lag_after_ns = 0;
  // The wider bracket of the two readings of the host's clocks, the one that the clock was set by
  // and the one behind `lag_after_ns`. A running clock that was stepped is off by no more.
  int64_t bracket_ns = 0;
  SyncMode done = SyncMode::kOff;  // kSlew where a step would have gone backward
  int64_t at_ns = 0;               // host monotonic
};

class ClockPage {
 public:
  // Starts halted at guest-monotonic 0; the first Run gives it the host's wall time.
  ClockPage();

  ClockSample Read() const { return ReadAt(nullptr); }
  int64_t GuestMonotonicNs() const { return Read().guest_monotonic_ns; }
  // Host wall − guest wall, from bracketed readings.
  int64_t LagNs() const;
  // Sum of the time from Halt to Run.
  int64_t PausedTotalNs() const { return paused_total_ns_.load(std::memory_order_relaxed); }

  // Stops guest time, and answers at which moment of the host's clock. The moment is taken inside,
  // so that no reader has seen a later one.
  int64_t Halt();
  void Run(int64_t host_now_ns);
  // Halted: guest time continues from that moment of its own past, so that guest wall lags by its
  // age. Answers the sample that the guest would read now.
  ClockSample Restore(int64_t guest_monotonic_ns, int64_t guest_wall_ns);
  // Brings guest wall to host wall: kStep at once, forward only; kSlew by changing its rate until
  // it is there.
  SyncResult Synchronise(const SyncPolicy& policy);

 private:
  class Section;  // a writer's

  ClockSample ReadAt(const int64_t* host_now_ns) const;
  int64_t LagAt(const ClockPair& host) const;
  ClockSample SampleAt(int64_t host_now_ns) const;  // within a section, a reader's or a writer's

  std::atomic<uint32_t> sequence_{0};
  std::atomic<bool> running_{false};
  std::atomic<int64_t> base_ns_{0};         // host monotonic
  std::atomic<int64_t> at_base_ns_{0};      // guest monotonic then
  std::atomic<int64_t> wall_offset_ns_{0};  // guest wall − guest monotonic
  std::atomic<int64_t> slew_from_ns_{0};    // guest monotonic at which a slew began
  std::atomic<int64_t> slew_total_ns_{0};   // what it adds to guest wall in the end; signed
  std::atomic<int64_t> slew_ppm_{1};
  std::atomic<int64_t> paused_total_ns_{0};
  // By the sequence; the pauses' sum is kept apart from the guest's clock, to hold that against it.
  bool started_ = false;
  int64_t halted_at_ns_ = 0;
};

}  // namespace standstill
