// idle: a guest that is halted and wakes on a timer. One step is one wake: a few bytes are written,
// and the guest sleeps again.
//
// RAM: two words at address 0: the number of wakes, and its mark, a hash of it and the seed; both
// zero before the first wake.
//
// Invariant, at every safepoint: both words agree with the registers.
//
// Threads: as program.h says.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "guest/access.h"
#include "guest/support.h"
#include "memory/lease.h"
#include "util/prng.h"

namespace standstill {

struct Idle {
  static constexpr std::string_view kName = "idle";
  static constexpr std::string_view kSummary = "halted; wakes on a timer and writes a few bytes";

  enum Param : size_t { kWakeIntervalUs };
  static constexpr std::array<ParamSpec, 1> kParams = {{
      {.name = "wakeIntervalUs",
       .summary = "microseconds by the guest's clock from one wake to the next",
       .kind = ParamKind::kInteger,
       .value_default = 1000,
       .value_min = 1,
       .value_max = 60e6},
  }};
  static constexpr uint32_t kQuantumSteps = 1;
  static constexpr bool kReadsClock = false;

  struct Registers {
    uint64_t wakes;
    uint64_t key;
    int64_t wake_interval_ns;
  };

  static void Init(const InitContext& context, Registers& r) {
    r.key = Mix64(context.seed);
    r.wake_interval_ns = static_cast<int64_t>(context.params[kWakeIntervalUs]) * 1000;
  }

  static bool Possible(const Registers& r, const ParamValues& params, uint64_t) {
    return r.wake_interval_ns == static_cast<int64_t>(params[kWakeIntervalUs]) * 1000;
  }

  template <class Ram>
  static int64_t Step(Registers& r, Ram& ram, const Inputs&) {
    ++r.wakes;
    ram.template Store<uint64_t>(kWakesGpa, r.wakes);
    ram.template Store<uint64_t>(kMarkGpa, Mark(r));
    return r.wake_interval_ns;
  }

  static CheckReport Check(const Registers& r, LeasedReader& ram) {
    CheckReport report;
    report.items_checked = 1;
    uint64_t wakes = 0;
    uint64_t mark = 0;
    if (!ram.Load(kWakesGpa, &wakes) || wakes != r.wakes) {
      return Violated(report, "the count of wakes is not the registers'", kWakesGpa);
    }
    if (!ram.Load(kMarkGpa, &mark) || mark != (r.wakes == 0 ? 0 : Mark(r))) {
      return Violated(report, "the count of wakes does not carry its mark", kMarkGpa);
    }
    return report;
  }

 private:
  static constexpr uint64_t kWakesGpa = 0;
  static constexpr uint64_t kMarkGpa = 8;

  static uint64_t Mark(const Registers& r) { return Mix64(r.key + r.wakes); }
};

}  // namespace standstill
