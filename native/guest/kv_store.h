// kv-store: a key-value store in guest RAM: a hash table that points into a log of records. Puts,
// gets and deletes of random keys; values of random sizes, each verifying itself.
//
// RAM, from address 0:
//   table   buckets of 8 slots. A slot is {key, gpa of its record}, both zero where it is empty.
//           A key belongs to the bucket that its hash names, so a lookup probes 8 slots and no
//           more. A put that finds its bucket full of other keys evicts one of them.
//   log     the rest of the working set, a ring of records. A record is never split by the ring's
//           end: the lap ends early, at `lap_end_gpa`, and goes on at the log's start.
//   record  {key, stamp, checksum, value words …}. The stamp is version << 16 | value words, the
//           checksum covers all the others. A record is live where a slot points at it.
//
//   head == lap's newest, tail == oldest:     [ … tail ▓▓▓▓▓ head … ]
//   or, once the head has wrapped,            [ ▓▓▓ head … tail ▓▓▓ lap_end … ]
//
// It runs for ever: where the gap in front of the head gets small, steps reclaim the oldest record,
// by skipping it if it is dead and by moving it to the head if it is live. There are so few keys
// that live records fill at most half of the log.
//
// A step does at most 32 value words of work. A longer put, get or move takes several, and the
// registers describe it: a put and a move write beyond the head, and only their last step makes the
// record part of the log; `op.sum` is the checksum of the words done so far.
//
// Invariants, at every safepoint:
//   - each slot is empty, or names a record of its own key, in the key's own bucket;
//   - the log from tail to head is a sequence of sound records;
//   - as many slots are taken, and as many records live, as the registers say;
//   - the words done of an operation in flight have the sum in the registers;
//   - the guest itself never met a damaged record or slot. Where it does, it keeps the finding in
//     its registers and stops serving, as a kernel panics: its further steps do nothing.
//
// Threads: as program.h says.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "guest/access.h"
#include "guest/support.h"
#include "memory/lease.h"
#include "util/prng.h"

namespace standstill {

struct KvStore {
  static constexpr std::string_view kName = "kv-store";
  static constexpr std::string_view kSummary = "hash table and value log; put, get and delete";

  enum Param : size_t { kWorkingSet, kValueBytesMax, kPutFraction, kDeleteFraction };
  static constexpr std::array<ParamSpec, 4> kParams = {{
      kWorkingSetParam,
      {.name = "valueBytesMax",
       .summary = "size of the largest value; sizes are uniform, in whole words of 8 bytes",
       .kind = ParamKind::kInteger,
       .value_default = 256,
       .value_min = 8,
       .value_max = 4096},
      {.name = "putFraction",
       .summary = "share of the operations that put",
       .kind = ParamKind::kFraction,
       .value_default = 0.4,
       .value_min = 0,
       .value_max = 1},
      {.name = "deleteFraction",
       .summary =
           "share of the operations that delete, of those that do not put; the rest are gets",
       .kind = ParamKind::kFraction,
       .value_default = 0.1,
       .value_min = 0,
       .value_max = 1},
  }};
  static constexpr uint32_t kQuantumSteps = kQuantumStepsMax;
  static constexpr bool kReadsClock = false;

  struct Slot {
    uint64_t key;
    uint64_t record_gpa;
  };
  static constexpr uint64_t kSlotsPerBucket = 8;
  using Bucket = std::array<Slot, kSlotsPerBucket>;

  struct Header {
    uint64_t key;  // from 1
    uint64_t stamp;
    uint64_t checksum;
  };

  enum class OpKind : uint64_t { kNone, kPut, kGet, kMove };
  struct Operation {
    OpKind kind;
    uint64_t key;
    uint64_t stamp;
    uint64_t source_gpa;  // kGet, kMove: the record that is read
    uint64_t target_gpa;  // kPut, kMove: the record that is written
    uint64_t words_done;
    uint64_t sum;
  };

  struct Registers {
    uint64_t prng_state;
    uint64_t seed_key;  // of checksums and values
    uint64_t put_threshold;
    uint64_t delete_threshold;
    uint64_t buckets;  // a power of two
    uint64_t keys;     // keys are 1 … keys
    uint64_t value_words_max;
    uint64_t log_gpa;
    uint64_t log_end_gpa;
    uint64_t head_gpa;
    uint64_t tail_gpa;
    uint64_t lap_end_gpa;  // 0 unless the head has wrapped and the tail has not
    uint64_t version;      // of the latest put
    uint64_t live;         // slots taken
    Operation op;
    uint64_t damage;      // 1: the guest met a damaged record or slot
    uint64_t damage_gpa;  // where
  };

  static void Init(const InitContext& context, Registers& r) {
    r.prng_state = Mix64(context.seed);
    r.seed_key = Mix64(~context.seed);
    r.put_threshold = ChanceThreshold(context.params[kPutFraction]);
    r.delete_threshold = ChanceThreshold(context.params[kDeleteFraction]);
    r.value_words_max = static_cast<uint64_t>(context.params[kValueBytesMax]) / sizeof(uint64_t);
    const uint64_t bytes = WorkingSetBytes(context, context.params[kWorkingSet], kRamBytesMin);
    // Half as many keys as slots, and at least one largest record of log for each slot: live
    // records then fill at most half of the log. 1 MiB holds over 200 of the largest records.
    const uint64_t slots = std::bit_floor(bytes / (sizeof(Slot) + RecordBytes(r.value_words_max)));
    r.buckets = slots / kSlotsPerBucket;
    r.keys = slots / 2;
    r.log_gpa = slots * sizeof(Slot);
    r.log_end_gpa = bytes;
    r.head_gpa = r.log_gpa;
    r.tail_gpa = r.log_gpa;
  }

  template <class Ram>
  static int64_t Step(Registers& r, Ram& ram, const Inputs&) {
    if (__builtin_expect(r.damage != 0, 0)) return kContinue;
    if (r.op.kind == OpKind::kNone) {
      if (Gap(r) < kGapRecordsMin * RecordBytes(r.value_words_max)) {
        BeginReclaim(r, ram);
      } else {
        BeginRequest(r, ram);
      }
    }
    switch (r.op.kind) {
      case OpKind::kNone:
        break;
      case OpKind::kPut:
        ContinuePut(r, ram);
        break;
      case OpKind::kGet:
        ContinueGet(r, ram);
        break;
      case OpKind::kMove:
        ContinueMove(r, ram);
        break;
    }
    return kContinue;
  }

  static CheckReport Check(const Registers& r, LeasedReader& ram) {
    CheckReport report;
    if (r.damage != 0) return Violated(report, "the guest met a damaged record", r.damage_gpa);
    report = CheckTable(r, ram, report);
    if (report.ok) report = CheckLog(r, ram, report);
    if (report.ok) report = CheckOperation(r, ram, report);
    return report;
  }

 private:
  static constexpr uint64_t kChunkWords = 32;
  // Requests wait while fewer of the largest records fit than this: a request takes one, the end of
  // a lap may cost another, and moving a record to make room needs a third; one is to spare.
  static constexpr uint64_t kGapRecordsMin = 4;
  static constexpr int kStampWordsBits = 16;

  // ── Layout ──────────────────────────────────────────────────────────────────────────────────
  static constexpr uint64_t RecordBytes(uint64_t value_words) {
    return sizeof(Header) + value_words * sizeof(uint64_t);
  }
  static constexpr uint64_t ValueWords(uint64_t stamp) {
    return stamp & ((uint64_t{1} << kStampWordsBits) - 1);
  }
  static constexpr uint64_t ValueGpa(uint64_t record_gpa, uint64_t word) {
    return record_gpa + sizeof(Header) + word * sizeof(uint64_t);
  }
  static uint64_t BucketGpa(const Registers& r, uint64_t key) {
    return (Mix64(key) & (r.buckets - 1)) * sizeof(Bucket);
  }
  static uint64_t SumOfHeader(const Registers& r, uint64_t key, uint64_t stamp) {
    return FoldWord(FoldWord(r.seed_key, key), stamp);
  }
  static bool PlausibleHeader(const Registers& r, const Header& header) {
    const uint64_t words = ValueWords(header.stamp);
    return words >= 1 && words <= r.value_words_max && header.key >= 1 && header.key <= r.keys;
  }

  // The last address at which a lap may begin a record.
  static uint64_t LastRecordGpa(const Registers& r) {
    return r.log_end_gpa - RecordBytes(r.value_words_max);
  }
  // A lower bound of the bytes that can be appended. What lies after LastRecordGpa does not count,
  // so that neither end's wrap takes anything away.
  static uint64_t Gap(const Registers& r) {
    const uint64_t last = LastRecordGpa(r);
    if (r.lap_end_gpa == 0) return (r.tail_gpa - r.log_gpa) + (last - r.head_gpa);
    return std::min(r.tail_gpa, last) - r.head_gpa;
  }
  static void AdvanceHead(Registers& r, uint64_t bytes) {
    r.head_gpa += bytes;
    if (r.lap_end_gpa == 0 && r.head_gpa > LastRecordGpa(r)) {
      r.lap_end_gpa = r.head_gpa;
      r.head_gpa = r.log_gpa;
    }
  }
  static void AdvanceTail(Registers& r, uint64_t bytes) {
    r.tail_gpa += bytes;
    if (r.tail_gpa == r.lap_end_gpa) {
      r.lap_end_gpa = 0;
      r.tail_gpa = r.log_gpa;
    }
  }

  // ── Table and records, in a step ────────────────────────────────────────────────────────────
  template <class T, class Ram>
  static T LoadStruct(Ram& ram, uint64_t gpa) {
    T value;
    std::memcpy(&value, ram.ReadWindow(gpa, sizeof(T)).data(), sizeof(T));
    return value;
  }
  template <class T, class Ram>
  static void StoreStruct(Ram& ram, uint64_t gpa, const T& value) {
    std::memcpy(ram.WriteWindow(gpa, sizeof(T)).data(), &value, sizeof(T));
  }

  static size_t FindSlot(const Bucket& bucket, uint64_t key) {
    size_t i = 0;
    while (i < bucket.size() && bucket[i].key != key) ++i;
    return i;
  }

  static void Panic(Registers& r, uint64_t gpa) {
    r.damage = 1;
    r.damage_gpa = gpa;
    r.op = {};
  }

  // ── Requests ────────────────────────────────────────────────────────────────────────────────
  template <class Ram>
  static void BeginRequest(Registers& r, Ram& ram) {
    Prng prng{r.prng_state};
    const uint64_t key = 1 + prng.Below(r.keys);
    const uint64_t random = prng.Next();
    if ((random & kChanceMask) < r.put_threshold) {
      // The high half of the random word chooses the size.
      const uint64_t words = 1 + (((random >> 32) * r.value_words_max) >> 32);
      const uint64_t stamp = ((r.version + 1) << kStampWordsBits) | words;
      r.op = {.kind = OpKind::kPut,
              .key = key,
              .stamp = stamp,
              .source_gpa = 0,
              .target_gpa = r.head_gpa,
              .words_done = 0,
              .sum = SumOfHeader(r, key, stamp)};
    } else if ((prng.Next() & kChanceMask) < r.delete_threshold) {
      Delete(r, ram, key);
    } else {
      BeginGet(r, ram, key);
    }
    r.prng_state = prng.state;
  }

  template <class Ram>
  static void Delete(Registers& r, Ram& ram, uint64_t key) {
    const uint64_t bucket_gpa = BucketGpa(r, key);
    const size_t i = FindSlot(LoadStruct<Bucket>(ram, bucket_gpa), key);
    if (i == kSlotsPerBucket) return;
    StoreStruct(ram, bucket_gpa + i * sizeof(Slot), Slot{});
    --r.live;
  }

  template <class Ram>
  static void BeginGet(Registers& r, Ram& ram, uint64_t key) {
    const uint64_t bucket_gpa = BucketGpa(r, key);
    const Bucket bucket = LoadStruct<Bucket>(ram, bucket_gpa);
    const size_t i = FindSlot(bucket, key);
    if (i == kSlotsPerBucket) return;
    const uint64_t gpa = bucket[i].record_gpa;
    if (gpa < r.log_gpa || gpa > LastRecordGpa(r)) return Panic(r, bucket_gpa + i * sizeof(Slot));
    const Header header = LoadStruct<Header>(ram, gpa);
    if (!PlausibleHeader(r, header) || header.key != key) return Panic(r, gpa);
    r.op = {.kind = OpKind::kGet,
            .key = key,
            .stamp = header.stamp,
            .source_gpa = gpa,
            .target_gpa = 0,
            .words_done = 0,
            .sum = SumOfHeader(r, key, header.stamp)};
  }

  // One record off the tail: skipped, or the beginning of its move.
  template <class Ram>
  static void BeginReclaim(Registers& r, Ram& ram) {
    const uint64_t gpa = r.tail_gpa;
    const uint64_t end_gpa = r.lap_end_gpa == 0 ? r.head_gpa : r.lap_end_gpa;
    const Header header = LoadStruct<Header>(ram, gpa);
    const uint64_t bytes = RecordBytes(ValueWords(header.stamp));
    if (!PlausibleHeader(r, header) || bytes > end_gpa - gpa) return Panic(r, gpa);
    const Bucket bucket = LoadStruct<Bucket>(ram, BucketGpa(r, header.key));
    const size_t i = FindSlot(bucket, header.key);
    if (i == kSlotsPerBucket || bucket[i].record_gpa != gpa) return AdvanceTail(r, bytes);
    r.op = {.kind = OpKind::kMove,
            .key = header.key,
            .stamp = header.stamp,
            .source_gpa = gpa,
            .target_gpa = r.head_gpa,
            .words_done = 0,
            .sum = SumOfHeader(r, header.key, header.stamp)};
  }

  // ── Operations in flight ────────────────────────────────────────────────────────────────────
  static uint64_t ChunkWords(const Operation& op) {
    return std::min(kChunkWords, ValueWords(op.stamp) - op.words_done);
  }
  static bool Done(const Operation& op) { return op.words_done == ValueWords(op.stamp); }

  template <class Ram>
  static void ContinuePut(Registers& r, Ram& ram) {
    Operation& op = r.op;
    const uint64_t words = ChunkWords(op);
    std::byte* to =
        ram.WriteWindow(ValueGpa(op.target_gpa, op.words_done), words * sizeof(uint64_t)).data();
    Prng value{r.seed_key ^ op.stamp ^ std::rotl(op.words_done, 32)};
    uint64_t sum = op.sum;
    for (uint64_t i = 0; i < words; ++i) {
      const uint64_t word = value.Next();
      std::memcpy(to + i * sizeof(uint64_t), &word, sizeof(word));
      sum = FoldWord(sum, word);
    }
    op.sum = sum;
    op.words_done += words;
    if (!Done(op)) return;

    StoreStruct(ram, op.target_gpa, Header{op.key, op.stamp, sum});
    const uint64_t bucket_gpa = BucketGpa(r, op.key);
    const Bucket bucket = LoadStruct<Bucket>(ram, bucket_gpa);
    size_t i = FindSlot(bucket, op.key);
    if (i == kSlotsPerBucket) {
      i = FindSlot(bucket, 0);
      if (i == kSlotsPerBucket) {
        i = sum % kSlotsPerBucket;  // evicts: the number of slots taken stays
      } else {
        ++r.live;
      }
    }
    StoreStruct(ram, bucket_gpa + i * sizeof(Slot), Slot{op.key, op.target_gpa});
    r.version = op.stamp >> kStampWordsBits;
    AdvanceHead(r, RecordBytes(ValueWords(op.stamp)));
    op = {};
  }

  template <class Ram>
  static void ContinueGet(Registers& r, Ram& ram) {
    Operation& op = r.op;
    const uint64_t words = ChunkWords(op);
    const std::byte* from =
        ram.ReadWindow(ValueGpa(op.source_gpa, op.words_done), words * sizeof(uint64_t)).data();
    uint64_t sum = op.sum;
    for (uint64_t i = 0; i < words; ++i) {
      uint64_t word;
      std::memcpy(&word, from + i * sizeof(uint64_t), sizeof(word));
      sum = FoldWord(sum, word);
    }
    op.sum = sum;
    op.words_done += words;
    if (!Done(op)) return;

    if (LoadStruct<Header>(ram, op.source_gpa).checksum != sum) return Panic(r, op.source_gpa);
    op = {};
  }

  template <class Ram>
  static void ContinueMove(Registers& r, Ram& ram) {
    Operation& op = r.op;
    const uint64_t words = ChunkWords(op);
    const uint64_t bytes = words * sizeof(uint64_t);
    const std::byte* from = ram.ReadWindow(ValueGpa(op.source_gpa, op.words_done), bytes).data();
    std::byte* to = ram.WriteWindow(ValueGpa(op.target_gpa, op.words_done), bytes).data();
    uint64_t sum = op.sum;
    for (uint64_t i = 0; i < words; ++i) {
      uint64_t word;
      std::memcpy(&word, from + i * sizeof(uint64_t), sizeof(word));
      std::memcpy(to + i * sizeof(uint64_t), &word, sizeof(word));
      sum = FoldWord(sum, word);
    }
    op.sum = sum;
    op.words_done += words;
    if (!Done(op)) return;

    if (LoadStruct<Header>(ram, op.source_gpa).checksum != sum) return Panic(r, op.source_gpa);
    const uint64_t bucket_gpa = BucketGpa(r, op.key);
    const Bucket bucket = LoadStruct<Bucket>(ram, bucket_gpa);
    const size_t i = FindSlot(bucket, op.key);
    // Nothing but damage can have moved the slot while the record moved.
    if (i == kSlotsPerBucket || bucket[i].record_gpa != op.source_gpa) return Panic(r, bucket_gpa);
    StoreStruct(ram, op.target_gpa, Header{op.key, op.stamp, sum});
    StoreStruct(ram, bucket_gpa + i * sizeof(Slot), Slot{op.key, op.target_gpa});
    const uint64_t record_bytes = RecordBytes(ValueWords(op.stamp));
    AdvanceHead(r, record_bytes);
    AdvanceTail(r, record_bytes);
    op = {};
  }

  // ── Check ───────────────────────────────────────────────────────────────────────────────────
  static CheckReport CheckTable(const Registers& r, LeasedReader& ram, CheckReport report) {
    uint64_t taken = 0;
    for (uint64_t bucket_gpa = 0; bucket_gpa < r.log_gpa; bucket_gpa += sizeof(Bucket)) {
      Bucket bucket;
      if (!ram.Load(bucket_gpa, &bucket)) {
        return Violated(report, "the table reaches past the end of RAM", bucket_gpa);
      }
      for (size_t i = 0; i < bucket.size(); ++i) {
        const Slot& slot = bucket[i];
        const uint64_t slot_gpa = bucket_gpa + i * sizeof(Slot);
        if (slot.key == 0) {
          if (slot.record_gpa == 0) continue;
          return Violated(report, "an empty slot points at a record", slot_gpa);
        }
        if (slot.key > r.keys || BucketGpa(r, slot.key) != bucket_gpa) {
          return Violated(report, "a slot's key does not belong into its bucket", slot_gpa);
        }
        Header header;
        if (slot.record_gpa < r.log_gpa || !ram.Load(slot.record_gpa, &header) ||
            header.key != slot.key) {
          return Violated(report, "a slot does not point at a record of its key", slot_gpa);
        }
        ++taken;
      }
    }
    report.items_checked += r.log_gpa / sizeof(Slot);
    if (taken != r.live) return Violated(report, "slots were lost or came from nowhere", 0);
    return report;
  }

  static CheckReport CheckLog(const Registers& r, LeasedReader& ram, CheckReport report) {
    uint64_t live = 0;
    const bool wrapped = r.lap_end_gpa != 0;
    report = CheckLap(r, ram, report, r.tail_gpa, wrapped ? r.lap_end_gpa : r.head_gpa, &live);
    if (report.ok && wrapped) report = CheckLap(r, ram, report, r.log_gpa, r.head_gpa, &live);
    // Each taken slot's record must have come by, as the record that the slot points at.
    if (report.ok && live != r.live) {
      return Violated(report, "a slot points at a record outside the log", r.tail_gpa);
    }
    return report;
  }

  static CheckReport CheckLap(const Registers& r, LeasedReader& ram, CheckReport report,
                              uint64_t gpa, uint64_t end_gpa, uint64_t* live) {
    while (gpa < end_gpa) {
      Header header;
      if (!ram.Load(gpa, &header))
        return Violated(report, "the log reaches past the end of RAM", gpa);
      const uint64_t words = ValueWords(header.stamp);
      if (!PlausibleHeader(r, header) || RecordBytes(words) > end_gpa - gpa ||
          header.stamp >> kStampWordsBits > r.version) {
        return Violated(report, "a record's header is not one that was written", gpa);
      }
      uint64_t sum = SumOfHeader(r, header.key, header.stamp);
      if (!SumValue(ram, gpa, words, &sum) || sum != header.checksum) {
        return Violated(report, "a record does not match its checksum", gpa);
      }
      Bucket bucket;
      if (!ram.Load(BucketGpa(r, header.key), &bucket)) {
        return Violated(report, "the table reaches past the end of RAM", gpa);
      }
      const size_t i = FindSlot(bucket, header.key);
      if (i < kSlotsPerBucket && bucket[i].record_gpa == gpa) ++*live;
      ++report.items_checked;
      gpa += RecordBytes(words);
    }
    if (gpa != end_gpa) return Violated(report, "the log does not end at its head", gpa);
    return report;
  }

  static CheckReport CheckOperation(const Registers& r, LeasedReader& ram, CheckReport report) {
    const Operation& op = r.op;
    if (op.kind == OpKind::kNone) return report;
    const uint64_t gpa = op.kind == OpKind::kGet ? op.source_gpa : op.target_gpa;
    uint64_t sum = SumOfHeader(r, op.key, op.stamp);
    if (!SumValue(ram, gpa, op.words_done, &sum) || sum != op.sum) {
      return Violated(report, "the operation in flight does not match the words it has done", gpa);
    }
    ++report.items_checked;
    return report;
  }

  static bool SumValue(LeasedReader& ram, uint64_t record_gpa, uint64_t words, uint64_t* sum) {
    std::array<uint64_t, kChunkWords> chunk;
    for (uint64_t done = 0; done < words; done += chunk.size()) {
      const uint64_t count = std::min<uint64_t>(chunk.size(), words - done);
      if (!ram.Read(ValueGpa(record_gpa, done), chunk.data(), count * sizeof(uint64_t)))
        return false;
      for (uint64_t i = 0; i < count; ++i) *sum = FoldWord(*sum, chunk[i]);
    }
    return true;
  }
};

}  // namespace standstill
