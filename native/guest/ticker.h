// ticker: the guest that looks at its clock, once a step. What the clock shows goes to TickerStats,
// outside of RAM; what goes to RAM is virtual time, which is derived from the steps alone.
//
// RAM: one page with the number of ticks in its first word, then a ring of the latest kRingEntries
// ticks; tick t is at index t % kRingEntries as two words: its virtual time, and its mark, a hash
// of the tick and the seed.
//
// Invariant, at every safepoint: count and entries are what the registers' number of ticks makes
// them.
//
// Threads: as program.h says.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "guest/access.h"
#include "guest/support.h"
#include "memory/lease.h"
#include "standstill/ticker_stats.h"
#include "util/prng.h"

namespace standstill {

struct Ticker {
  static constexpr std::string_view kName = "ticker";
  static constexpr std::string_view kSummary = "reads its clock at every step and records the gaps";

  enum Param : size_t { kVirtualTickNs };
  static constexpr std::array<ParamSpec, 1> kParams = {{
      {.name = "virtualTickNs",
       .summary = "virtual nanoseconds from one tick to the next, as written to RAM",
       .kind = ParamKind::kInteger,
       .value_default = 1000,
       .value_min = 1,
       .value_max = 1e9},
  }};
  // A tick reads the clock of the call that it is part of, so a call holds one tick.
  static constexpr uint32_t kQuantumSteps = 1;
  static constexpr bool kReadsClock = true;

  static constexpr uint64_t kRingGpa = kPageBytes;
  static constexpr uint64_t kRingEntries = 4096;

  struct Registers {
    uint64_t ticks;
    uint64_t key;
    uint64_t virtual_tick_ns;
  };

  static void Init(const InitContext& context, Registers& r) {
    r.key = Mix64(context.seed);
    r.virtual_tick_ns = static_cast<uint64_t>(context.params[kVirtualTickNs]);
  }

  template <class Ram>
  static int64_t Step(Registers& r, Ram& ram, const Inputs& inputs) {
    if (inputs.ticker != nullptr) inputs.ticker->Record(inputs.clock);
    const uint64_t tick = r.ticks++;
    ram.template Store<uint64_t>(kTicksGpa, r.ticks);
    ram.template Store<uint64_t>(EntryGpa(tick), tick * r.virtual_tick_ns);
    ram.template Store<uint64_t>(EntryGpa(tick) + 8, Mark(r, tick));
    return kContinue;
  }

  static CheckReport Check(const Registers& r, LeasedReader& ram) {
    CheckReport report;
    uint64_t ticks = 0;
    if (!ram.Load(kTicksGpa, &ticks) || ticks != r.ticks) {
      return Violated(report, "the count of ticks is not the registers'", kTicksGpa);
    }
    report.items_checked = 1;
    for (uint64_t tick = r.ticks - std::min(r.ticks, kRingEntries); tick < r.ticks; ++tick) {
      std::array<uint64_t, 2> entry;
      const uint64_t gpa = EntryGpa(tick);
      if (!ram.Load(gpa, &entry) || entry[0] != tick * r.virtual_tick_ns ||
          entry[1] != Mark(r, tick)) {
        return Violated(report, "a tick's entry does not hold its virtual time and mark", gpa);
      }
      ++report.items_checked;
    }
    return report;
  }

 private:
  static constexpr uint64_t kTicksGpa = 0;
  static constexpr uint64_t kEntryBytes = 16;

  static uint64_t EntryGpa(uint64_t tick) { return kRingGpa + tick % kRingEntries * kEntryBytes; }
  static uint64_t Mark(const Registers& r, uint64_t tick) { return Mix64(r.key + tick); }
};

}  // namespace standstill
