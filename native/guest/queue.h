// queue: a producer and a consumer around one ring. Every item carries its sequence number and
// verifies itself; the consumer expects the numbers without a gap, so an item that is lost,
// duplicated, reordered or damaged is found when it is consumed, and by a check before that.
//
// The depth wanders: toward a random goal, three steps out of four, then toward the next one.
//
// RAM: the ring, an array of 64-byte items that fills the working set from address 0. An item is
// eight words: its sequence number, six words of payload, and a checksum over both, keyed by the
// seed.
//
// Invariants, at every safepoint, where `consumed` ≤ `produced` count all items ever:
//   - from the ring's tail to its head lie the items consumed, consumed + 1, … produced − 1;
//   - the consumer never met another item than the one expected.
//
// Threads: as program.h says.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "guest/access.h"
#include "guest/support.h"
#include "memory/lease.h"
#include "util/prng.h"

namespace standstill {

struct Queue {
  static constexpr std::string_view kName = "queue";
  static constexpr std::string_view kSummary =
      "ring of numbered items between a producer and a consumer";

  enum Param : size_t { kWorkingSet, kDepthMax };
  static constexpr std::array<ParamSpec, 2> kParams = {{
      kWorkingSetParam,
      {.name = "depthMax",
       .summary = "most items in the queue at once, at most what the ring holds",
       .kind = ParamKind::kInteger,
       .value_default = 4096,
       .value_min = 1,
       .value_max = 1 << 24},
  }};
  static constexpr uint32_t kQuantumSteps = kQuantumStepsMax;
  static constexpr bool kReadsClock = false;

  using Item = std::array<uint64_t, 8>;

  enum class Finding : uint64_t { kNone, kLost, kDuplicated, kReordered, kDamaged };

  struct Registers {
    uint64_t prng_state;
    uint64_t key;  // of the items' checksums
    uint64_t ring_bytes;
    uint64_t depth_max;
    uint64_t depth_goal;
    uint64_t produced;
    uint64_t consumed;
    uint64_t head_gpa;  // where the next item goes
    uint64_t tail_gpa;  // where the oldest item is
    Finding finding;    // the consumer's first
    uint64_t finding_gpa;
  };

  static void Init(const InitContext& context, Registers& r) {
    r.prng_state = Mix64(context.seed);
    r.key = Mix64(~context.seed);
    r.ring_bytes = WorkingSetBytes(context, context.params[kWorkingSet], kPageBytes);
    r.depth_max =
        std::min(static_cast<uint64_t>(context.params[kDepthMax]), r.ring_bytes / sizeof(Item));
  }

  template <class Ram>
  static int64_t Step(Registers& r, Ram& ram, const Inputs&) {
    Prng prng{r.prng_state};
    const uint64_t depth = r.produced - r.consumed;
    if (depth == r.depth_goal) r.depth_goal = prng.Below(r.depth_max + 1);
    const bool toward_goal = (prng.Next() & 3) != 0;
    r.prng_state = prng.state;
    const bool produce = (depth < r.depth_goal) == toward_goal;
    if (depth == 0 || (produce && depth < r.depth_max)) {
      Produce(r, ram);
    } else {
      Consume(r, ram);
    }
    return kContinue;
  }

  static CheckReport Check(const Registers& r, LeasedReader& ram) {
    CheckReport report;
    if (r.finding != Finding::kNone) return Violated(report, Text(r.finding), r.finding_gpa);
    report.items_checked = 1;  // the registers' own account
    if (r.produced - r.consumed > r.depth_max) {
      return Violated(report, "more items are in the queue than it may hold", r.tail_gpa);
    }
    uint64_t gpa = r.tail_gpa;
    for (uint64_t expected = r.consumed; expected != r.produced; ++expected) {
      Item item;
      if (!ram.Load(gpa, &item))
        return Violated(report, "the ring reaches past the end of RAM", gpa);
      const Finding finding = Inspect(r, item, expected);
      if (finding != Finding::kNone) return Violated(report, Text(finding), gpa);
      ++report.items_checked;
      gpa = NextGpa(r, gpa);
    }
    if (gpa != r.head_gpa) return Violated(report, "the items do not end at the ring's head", gpa);
    return report;
  }

 private:
  static uint64_t NextGpa(const Registers& r, uint64_t gpa) {
    const uint64_t next = gpa + sizeof(Item);
    return next == r.ring_bytes ? 0 : next;
  }

  static uint64_t Checksum(uint64_t key, const Item& item) {
    uint64_t sum = key;
    for (size_t i = 0; i + 1 < item.size(); ++i) sum = FoldWord(sum, item[i]);
    return sum;
  }

  template <class Ram>
  static void Produce(Registers& r, Ram& ram) {
    Item item;
    item[0] = r.produced;
    uint64_t payload = Mix64(r.key + r.produced);
    for (size_t i = 1; i + 1 < item.size(); ++i) {
      item[i] = payload;
      payload += 0x9E3779B97F4A7C15;
    }
    item.back() = Checksum(r.key, item);
    std::memcpy(ram.WriteWindow(r.head_gpa, sizeof(Item)).data(), item.data(), sizeof(Item));
    ++r.produced;
    r.head_gpa = NextGpa(r, r.head_gpa);
  }

  template <class Ram>
  static void Consume(Registers& r, Ram& ram) {
    Item item;
    std::memcpy(item.data(), ram.ReadWindow(r.tail_gpa, sizeof(Item)).data(), sizeof(Item));
    const Finding finding = Inspect(r, item, r.consumed);
    if (__builtin_expect(finding != Finding::kNone && r.finding == Finding::kNone, 0)) {
      r.finding = finding;
      r.finding_gpa = r.tail_gpa;
    }
    ++r.consumed;
    r.tail_gpa = NextGpa(r, r.tail_gpa);
  }

  static Finding Inspect(const Registers& r, const Item& item, uint64_t expected) {
    const bool sound = item.back() == Checksum(r.key, item);
    if (__builtin_expect(sound && item[0] == expected, 1)) return Finding::kNone;
    // A slot that still holds what it held a lap ago, or has never been written, missed a write.
    const uint64_t slots = r.ring_bytes / sizeof(Item);
    if (sound && item[0] + slots == expected) return Finding::kLost;
    if (item == Item{}) return Finding::kLost;
    if (!sound) return Finding::kDamaged;
    return item[0] < expected ? Finding::kDuplicated : Finding::kReordered;
  }

  static const char* Text(Finding finding) {
    switch (finding) {
      case Finding::kNone:
        break;
      case Finding::kLost:
        return "an item was lost: its slot was not written";
      case Finding::kDuplicated:
        return "an item was duplicated: its slot holds an earlier one";
      case Finding::kReordered:
        return "items were reordered: a slot holds a later one";
      case Finding::kDamaged:
        return "an item does not match its checksum";
    }
    return "the registers hold an unknown finding";
  }
};

}  // namespace standstill
