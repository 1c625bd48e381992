// What a guest that reads its clock felt of a pause, recorded outside of its RAM so that no host
// time can influence memory. Between two consecutive ticks:
//   guest-monotonic gap   how far the guest's own clock moved; about none over a pause
//   true gap              how far the host's clock moved: the impact
//   hidden                true gap − guest-monotonic gap: the time the guest did not see. Both come
//                         out of one reading, so the total equals the pauses' total to the
//                         nanosecond, whatever the machine's noise: that equality is the assertion.
//   wall jump             by how much wall − monotonic changed: the step of a synchronisation
//
// Threads: Record by the guest thread; the rest by any. Ordering: relaxed.
#pragma once

#include <atomic>
#include <cstdint>

#include "standstill/program.h"
#include "util/histogram.h"

namespace standstill {

class TickerStats {
 public:
  void Record(const ClockSample& now) {
    if (ticks() != 0) {
      const int64_t guest_gap_ns = now.guest_monotonic_ns - last_.guest_monotonic_ns;
      const int64_t true_gap_ns = now.host_monotonic_ns - last_.host_monotonic_ns;
      const int64_t wall_jump_ns = (now.guest_wall_ns - last_.guest_wall_ns) - guest_gap_ns;
      guest_gap_.Record(guest_gap_ns);
      true_gap_.Record(true_gap_ns);
      Raise(window_guest_gap_max_ns_, guest_gap_ns);
      Raise(window_true_gap_max_ns_, true_gap_ns);
      Raise(window_wall_jump_max_ns_, wall_jump_ns);
      hidden_total_ns_.store(hidden_total_ns() + true_gap_ns - guest_gap_ns,
                             std::memory_order_relaxed);
    }
    last_ = now;
    ticks_.store(ticks() + 1, std::memory_order_relaxed);
  }

  // The guest was taken back to another moment: the next gap begins here. Only while it is halted.
  void Rebase(const ClockSample& now) { last_ = now; }

  // Starts the window of the maxima anew; only while the guest is halted.
  void OpenWindow() {
    window_guest_gap_max_ns_.store(0, std::memory_order_relaxed);
    window_true_gap_max_ns_.store(0, std::memory_order_relaxed);
    window_wall_jump_max_ns_.store(0, std::memory_order_relaxed);
  }

  uint64_t ticks() const { return ticks_.load(std::memory_order_relaxed); }
  int64_t hidden_total_ns() const { return hidden_total_ns_.load(std::memory_order_relaxed); }
  int64_t window_guest_gap_max_ns() const {
    return window_guest_gap_max_ns_.load(std::memory_order_relaxed);
  }
  int64_t window_true_gap_max_ns() const {
    return window_true_gap_max_ns_.load(std::memory_order_relaxed);
  }
  int64_t window_wall_jump_max_ns() const {
    return window_wall_jump_max_ns_.load(std::memory_order_relaxed);
  }
  const Histogram& guest_gap() const { return guest_gap_; }
  const Histogram& true_gap() const { return true_gap_; }

 private:
  static void Raise(std::atomic<int64_t>& maximum, int64_t value) {
    if (value > maximum.load(std::memory_order_relaxed))
      maximum.store(value, std::memory_order_relaxed);
  }

  ClockSample last_;  // the guest thread's own; a host's while it is halted
  std::atomic<uint64_t> ticks_{0};
  std::atomic<int64_t> hidden_total_ns_{0};
  std::atomic<int64_t> window_guest_gap_max_ns_{0};
  std::atomic<int64_t> window_true_gap_max_ns_{0};
  std::atomic<int64_t> window_wall_jump_max_ns_{0};
  Histogram guest_gap_;
  Histogram true_gap_;
};

}  // namespace standstill
