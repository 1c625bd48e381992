// hash-chain: bound by the processor. A chain of hashes in which each link also reads one word of a
// small buffer, chosen by the link before; at every checkpoint the link goes into the buffer.
//
// RAM: the buffer, a ring of words from address 0, a power of two in size. Checkpoint c (from 0) is
// the word at index c % words; a word of zero is one not yet written.
//
// Invariants, at every safepoint:
//   - the sum of the words' terms is the one in the registers, so that a change in any single word
//     stands out; a damaged word that a checkpoint then replaces keeps the sum wrong;
//   - the links since the last checkpoint, computed again from it, end at the registers' link; so
//     do the links of the whole segment before, with the word that the last checkpoint replaced
//     put back.
// A check computes at most two segments, whatever the guest's age.
//
// Threads: as program.h says.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#include "guest/access.h"
#include "guest/support.h"
#include "memory/lease.h"
#include "util/prng.h"

namespace standstill {

struct HashChain {
  static constexpr std::string_view kName = "hash-chain";
  static constexpr std::string_view kSummary = "hashes a small buffer, with checkpoints in RAM";

  enum Param : size_t { kBufferBytes, kCheckpointSteps };
  static constexpr std::array<ParamSpec, 2> kParams = {{
      {.name = "bufferBytes",
       .summary = "size of the buffer, rounded up to a power of two",
       .kind = ParamKind::kInteger,
       .value_default = 16 * 1024,
       .value_min = 1024,
       .value_max = static_cast<double>(kRamBytesMin)},
      {.name = "checkpointSteps",
       .summary = "steps from one checkpoint to the next",
       .kind = ParamKind::kInteger,
       .value_default = 1000,
       .value_min = 1,
       .value_max = 1e6},
  }};
  static constexpr uint32_t kQuantumSteps = kQuantumStepsMax;
  static constexpr bool kReadsClock = false;

  struct Registers {
    uint64_t link;
    uint64_t words;           // in the buffer
    uint64_t segment_length;  // in steps
    uint64_t segment_steps;   // since the last checkpoint
    uint64_t checkpoints;
    uint64_t first_link;  // where the chain began
    uint64_t replaced;    // the word that the last checkpoint replaced
    uint64_t terms;       // sum over the buffer
  };

  static void Init(const InitContext& context, Registers& r) {
    r.first_link = Mix64(context.seed);
    r.link = r.first_link;
    r.words = std::bit_ceil(static_cast<uint64_t>(context.params[kBufferBytes])) / sizeof(uint64_t);
    r.segment_length = static_cast<uint64_t>(context.params[kCheckpointSteps]);
  }

  // A check replays two segments.
  static bool Possible(const Registers& r, const ParamValues& params, uint64_t) {
    return r.segment_length == static_cast<uint64_t>(params[kCheckpointSteps]) &&
           r.segment_steps < r.segment_length;
  }

  template <class Ram>
  static int64_t Step(Registers& r, Ram& ram, const Inputs&) {
    uint64_t link = r.link;
    const uint64_t mask = r.words - 1;
    for (int i = 0; i < kLinksPerStep; ++i) {
      link = NextLink(link, ram.template Load<uint64_t>((link & mask) * sizeof(uint64_t)));
    }
    r.link = link;
    if (++r.segment_steps == r.segment_length) Checkpoint(r, ram);
    return kContinue;
  }

  static CheckReport Check(const Registers& r, LeasedReader& ram) {
    CheckReport report;
    uint64_t terms = 0;
    for (uint64_t index = 0; index < r.words; ++index) {
      uint64_t word = 0;
      if (!ram.Load(Gpa(index), &word)) {
        return Violated(report, "the buffer reaches past the end of RAM", Gpa(index));
      }
      terms += Term(index, word);
    }
    report.items_checked = r.words;
    if (terms != r.terms) return Violated(report, "the buffer's words are not the ones written", 0);

    uint64_t start = r.first_link;
    if (r.checkpoints != 0) {
      const uint64_t last = (r.checkpoints - 1) & (r.words - 1);
      uint64_t before = r.first_link;
      if (r.checkpoints > 1) ram.Load(Gpa((r.checkpoints - 2) & (r.words - 1)), &before);
      ram.Load(Gpa(last), &start);
      if (Replay(r, ram, before, r.segment_length, last) != start) {
        return Violated(report, "the last checkpoint does not follow from the one before",
                        Gpa(last));
      }
      report.items_checked += r.segment_length;
    }
    if (Replay(r, ram, start, r.segment_steps, r.words) != r.link) {
      return Violated(report, "the chain does not follow from the last checkpoint", 0);
    }
    report.items_checked += r.segment_steps;
    return report;
  }

 private:
  static constexpr int kLinksPerStep = 4;

  static constexpr uint64_t Gpa(uint64_t index) { return index * sizeof(uint64_t); }
  static constexpr uint64_t NextLink(uint64_t link, uint64_t word) { return Mix64(link ^ word); }
  // Zero for a word that was never written, so that the sum over an untouched buffer is zero too.
  static constexpr uint64_t Term(uint64_t index, uint64_t word) {
    return word == 0 ? 0 : Mix64(word ^ Mix64(index));
  }

  template <class Ram>
  static void Checkpoint(Registers& r, Ram& ram) {
    const uint64_t index = r.checkpoints & (r.words - 1);
    r.replaced = ram.template Load<uint64_t>(Gpa(index));
    ram.template Store<uint64_t>(Gpa(index), r.link);
    r.terms += Term(index, r.link) - Term(index, r.replaced);
    r.segment_steps = 0;
    ++r.checkpoints;
  }

  // The link that `steps` steps lead to, with the word at index `restored` as it was before the
  // last checkpoint; r.words restores none.
  static uint64_t Replay(const Registers& r, LeasedReader& ram, uint64_t link, uint64_t steps,
                         uint64_t restored) {
    for (uint64_t i = 0; i < steps * kLinksPerStep; ++i) {
      const uint64_t index = link & (r.words - 1);
      uint64_t word = r.replaced;
      if (index != restored) ram.Load(Gpa(index), &word);
      link = NextLink(link, word);
    }
    return link;
  }
};

}  // namespace standstill
