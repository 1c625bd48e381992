// page-writer: one 8-byte access a step, at a random, skewed or next place of the working set; a
// read-modify-write where it writes. Uniform with writeFraction 1 is the worst case of dirty
// tracking.
//
// RAM: the working set is an array of 8-byte words from address 0.
//   word   zero: never written; else
//          bits 0..31    how often this word was written, modulo 2^32
//          bits 32..63   its mark: a mixture of that count, the word's address and the seed
//
// Invariants, at every safepoint:
//   - each word carries the mark of its own address and count, so a flipped bit, or a page that
//     came from another place, stands out;
//   - the words' counts add up to the writes in the registers modulo 2^32, so a store that was
//     lost, or a page that is older than the rest, stands out although each of its words is
//     sound. A count that was damaged and then written over keeps the sum wrong.
//
// Threads: as program.h says.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <string_view>

#include "guest/access.h"
#include "guest/support.h"
#include "memory/lease.h"
#include "util/prng.h"

namespace standstill {

// Fixed-point logarithm and power of two, computed without the machine's mathematics library, whose
// rounding differs between machines.
namespace fixed_point {

// log2 of n with 32 fractional bits, a bit for each squaring.
constexpr uint64_t Log2(uint64_t n) {
  const int exponent = std::bit_width(n) - 1;
  uint64_t mantissa = n << (63 - exponent);  // [1, 2) with 63 fractional bits
  uint64_t result = static_cast<uint64_t>(exponent);
  for (int bit = 0; bit < 32; ++bit) {
    const unsigned __int128 square = static_cast<unsigned __int128>(mantissa) * mantissa;
    const bool past_two = static_cast<bool>(square >> 127);
    mantissa = static_cast<uint64_t>(square >> (past_two ? 64 : 63));
    result = (result << 1) | (past_two ? 1 : 0);
  }
  return result;
}

constexpr uint64_t SquareRoot(unsigned __int128 n) {
  uint64_t root = 0;
  for (int bit = 63; bit >= 0; --bit) {
    const uint64_t candidate = root | (uint64_t{1} << bit);
    if (static_cast<unsigned __int128>(candidate) * candidate <= n) root = candidate;
  }
  return root;
}

// 2^(i/256) with 32 fractional bits.
constexpr std::array<uint64_t, 257> Exp2Table() {
  uint64_t ratio = uint64_t{1} << 63;  // 2, with 62 fractional bits; its 256th root after the loop
  for (int halving = 0; halving < 8; ++halving) {
    ratio = SquareRoot(static_cast<unsigned __int128>(ratio) << 62);
  }
  std::array<uint64_t, 257> table{};
  uint64_t power = uint64_t{1} << 62;
  for (uint64_t& entry : table) {
    entry = power >> 30;
    power = static_cast<uint64_t>((static_cast<unsigned __int128>(power) * ratio) >> 62);
  }
  return table;
}
inline constexpr std::array<uint64_t, 257> kExp2 = Exp2Table();

constexpr uint64_t MultiplyHigh(uint64_t a, uint64_t b) {
  return static_cast<uint64_t>((static_cast<unsigned __int128>(a) * b) >> 64);
}

}  // namespace fixed_point

struct PageWriter {
  static constexpr std::string_view kName = "page-writer";
  static constexpr std::string_view kSummary =
      "writes 8-byte words at uniform, zipfian or sequential places";

  enum Pattern : uint64_t { kUniform, kZipfian, kSequential };
  static constexpr std::array<std::string_view, 3> kPatterns = {"uniform", "zipfian", "sequential"};
  enum Param : size_t { kPattern, kWorkingSet, kWriteFraction };
  static constexpr std::array<ParamSpec, 3> kParams = {{
      {.name = "pattern",
       .summary = "where the next access goes; zipfian: over pages, with exponent 1",
       .kind = ParamKind::kChoice,
       .value_default = kUniform,
       .value_min = 0,
       .value_max = kPatterns.size() - 1,
       .choices = kPatterns},
      kWorkingSetParam,
      {.name = "writeFraction",
       .summary = "share of the accesses that write",
       .kind = ParamKind::kFraction,
       .value_default = 1,
       .value_min = 0,
       .value_max = 1},
  }};
  static constexpr uint32_t kQuantumSteps = kQuantumStepsMax;
  static constexpr bool kReadsClock = false;

  struct Registers {
    uint64_t prng_state;
    uint64_t pattern;
    uint64_t words;            // in the working set
    uint64_t write_threshold;  // of 2^kChanceBits
    uint64_t key;              // of the words' marks
    uint64_t writes;
    uint64_t read_sum;   // of the words only read: what was read reaches the registers
    uint64_t cursor;     // kSequential: the word to access next
    uint64_t log2_span;  // kZipfian: log2(pages + 1), 32 fractional bits
  };

  static void Init(const InitContext& context, Registers& r) {
    r.prng_state = Mix64(context.seed);
    r.key = Mix64(~context.seed);
    r.pattern = static_cast<uint64_t>(context.params[kPattern]);
    const uint64_t bytes = WorkingSetBytes(context, context.params[kWorkingSet], kPageBytes);
    r.words = bytes / sizeof(uint64_t);
    r.write_threshold = ChanceThreshold(context.params[kWriteFraction]);
    r.log2_span = fixed_point::Log2((bytes >> kPageShift) + 1);
  }

  static bool Possible(const Registers& r, const ParamValues&, uint64_t ram_bytes) {
    return r.words <= ram_bytes / sizeof(uint64_t) && r.words >= kWordsPerPage &&
           r.log2_span == fixed_point::Log2(r.words / kWordsPerPage + 1);
  }

  // The word at `index` after its `count`th write.
  static constexpr uint64_t Word(uint64_t index, uint32_t count, uint64_t key) {
    return ((count * kCountFactor + index * kPlaceFactor + key) << 32) | count;
  }
  // Odd, so that different counts of one word have different marks.
  static constexpr uint64_t kCountFactor = 0x4C9E2D51;
  static constexpr uint64_t kPlaceFactor = 0x5BD1E995;

  template <class Ram>
  static int64_t Step(Registers& r, Ram& ram, const Inputs&) {
    Prng prng{r.prng_state};
    const uint64_t random = prng.Next();
    r.prng_state = prng.state;
    const uint64_t index = NextWord(r, random);
    const uint64_t gpa = index * sizeof(uint64_t);
    const uint64_t old = ram.template Load<uint64_t>(gpa);
    if ((random & kChanceMask) < r.write_threshold) [[likely]] {
      ram.template Store<uint64_t>(gpa, Word(index, static_cast<uint32_t>(old) + 1, r.key));
      ++r.writes;
    } else {
      r.read_sum += old;
    }
    return kContinue;
  }

  static CheckReport Check(const Registers& r, LeasedReader& ram) {
    CheckReport report;
    uint32_t counts = 0;
    std::array<uint64_t, kPageBytes / sizeof(uint64_t)> page;
    for (uint64_t first = 0; first < r.words; first += page.size()) {
      if (!ram.Read(first * sizeof(uint64_t), page.data(), sizeof(page))) {
        return Violated(report, "the working set reaches past the end of RAM",
                        first * sizeof(uint64_t));
      }
      for (size_t i = 0; i < page.size(); ++i) {
        const uint64_t word = page[i];
        if (word == 0) continue;
        const uint32_t count = static_cast<uint32_t>(word);
        // A count comes round to zero only after 2^32 writes.
        const bool count_possible = count != 0 || r.writes >> 32 != 0;
        if (!count_possible || word != Word(first + i, count, r.key)) {
          return Violated(report, "a word does not carry the mark of its address and count",
                          (first + i) * sizeof(uint64_t));
        }
        counts += count;
      }
      report.items_checked += page.size();
    }
    if (counts != static_cast<uint32_t>(r.writes)) {
      return Violated(report, "the words' counts do not add up to the writes made", 0);
    }
    return report;
  }

 private:
  static constexpr uint64_t kWordsPerPage = kPageBytes / sizeof(uint64_t);
  static constexpr uint64_t kGoldenRatio = 0x9E3779B97F4A7C15;  // of 2^64

  static uint64_t NextWord(Registers& r, uint64_t random) {
    if (r.pattern == kUniform) return fixed_point::MultiplyHigh(random, r.words);
    if (r.pattern == kZipfian) return ZipfianWord(r.words, r.log2_span, r.key, random);
    const uint64_t word = r.cursor;
    r.cursor = word + 1 == r.words ? 0 : word + 1;
    return word;
  }

  // The page of rank k has a weight of about 1/k: the rank's logarithm is uniform. The ranks are
  // scattered over the working set by the golden ratio, which spreads them evenly, though a page
  // may get two ranks and its neighbour none.
  //
  // Not inlined: its temporaries would crowd the uniform loop out of the machine's registers.
  [[gnu::noinline]] static uint64_t ZipfianWord(uint64_t words, uint64_t log2_span, uint64_t key,
                                                uint64_t random) {
    const uint64_t pages = words / kWordsPerPage;
    const uint64_t log2_rank = fixed_point::MultiplyHigh(random, log2_span);
    const uint64_t octave = log2_rank >> 32;
    const uint64_t fraction = log2_rank & 0xFFFFFFFF;
    const uint64_t* const entry = &fixed_point::kExp2[fraction >> 24];
    const uint64_t mantissa = entry[0] + (((entry[1] - entry[0]) * (fraction & 0xFFFFFF)) >> 24);
    const uint64_t rank = std::min(((mantissa << octave) >> 32) - 1, pages - 1);
    const uint64_t page = fixed_point::MultiplyHigh(rank * kGoldenRatio + key, pages);
    return page * kWordsPerPage + ((random >> kChanceBits) & (kWordsPerPage - 1));
  }
};

}  // namespace standstill
