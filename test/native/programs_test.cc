// Guest programs: what they write depends on parameters, seed and steps alone; their invariants
// hold at every safepoint and notice a single flipped bit; every page they change is marked; what
// they refuse to do ends as a fault and not as a crash.
#include <doctest/doctest.h>

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "flat_sink.h"
#include "guest/access.h"
#include "guest/hash_chain.h"
#include "guest/kv_store.h"
#include "guest/page_writer.h"
#include "guest/queue.h"
#include "memory/handover.h"
#include "memory/lease.h"
#include "port/memory.h"
#include "standstill/guest_ram.h"
#include "standstill/program.h"
#include "standstill/ticker_stats.h"
#include "util/prng.h"

namespace standstill {
namespace {

ParamValues Defaults(const Program& program) {
  ParamValues values{};
  for (size_t i = 0; i < program.params.size(); ++i) values[i] = program.params[i].value_default;
  return values;
}

// A program with parameters that bring out one of its ways.
struct Variant {
  const char* program;
  std::vector<std::pair<const char*, double>> params;
  uint64_t steps;  // enough for every path, such as a full lap of a ring
};

const std::vector<Variant>& Variants() {
  static const std::vector<Variant> variants = {
      {"page-writer", {}, 60'000},
      {"page-writer", {{"writeFraction", 0.3}, {"workingSet", 70'000}}, 60'000},
      {"page-writer", {{"pattern", PageWriter::kZipfian}}, 60'000},
      {"page-writer", {{"pattern", PageWriter::kSequential}, {"workingSet", 16'384}}, 60'000},
      {"kv-store", {}, 60'000},
      {"kv-store", {{"valueBytesMax", 4096}}, 30'000},
      {"kv-store", {{"valueBytesMax", 8}, {"putFraction", 1}}, 60'000},
      {"kv-store", {{"putFraction", 0.6}, {"deleteFraction", 0.9}}, 60'000},
      {"queue", {}, 60'000},
      {"queue", {{"workingSet", 4096}, {"depthMax", 1 << 24}}, 20'000},
      {"queue", {{"depthMax", 1}}, 20'000},
      {"hash-chain", {}, 10'000},
      {"hash-chain", {{"bufferBytes", 1024}, {"checkpointSteps", 7}}, 10'000},
      {"ticker", {}, 10'000},
      {"idle", {}, 1'000},
  };
  return variants;
}

ParamValues ParamsOf(const Variant& variant) {
  const Program& program = *FindProgram(variant.program);
  ParamValues values = Defaults(program);
  for (const auto& [name, value] : variant.params) {
    const auto spec = std::find_if(program.params.begin(), program.params.end(),
                                   [&](const ParamSpec& param) { return param.name == name; });
    REQUIRE(spec != program.params.end());
    values[static_cast<size_t>(spec - program.params.begin())] = value;
  }
  return values;
}

// A VM's parts, without a thread.
class Machine {
 public:
  Machine(const Program& program, const ParamValues& params, uint64_t seed,
          uint64_t ram_bytes = kRamBytesMin)
      : program_(program), registers_((program.register_bytes + 7) / 8) {
    REQUIRE(GuestRam::Create(ram_bytes, false, &ram_) == Status::kOk);
    marks_.resize(ram_->pages());
    inputs_.ticker = &ticker_;
    program.init({.registers = registers_.data(), .ram = *ram_, .params = params, .seed = seed});
    book_.Open();
  }

  // With a hand-over under way, nothing but the guest copies.
  void BeginHandover() {
    target_.resize(ram_->size_bytes());
    sink_ = std::make_unique<FlatSink>(target_.data());
    REQUIRE(Handover::Create(*ram_, HandoverWaiter{}, &handover_) == Status::kOk);
    handover_->Begin(sink_.get());
  }

  RunResult RunOnce(uint32_t budget_steps) {
    const RamWindow window = {.base = ram_->base(),
                              .size_bytes = ram_->size_bytes(),
                              .marks = marks_.data(),
                              .handover = handover_.get()};
    const RunFunction run = handover_ != nullptr ? program_.run_handover : program_.run;
    const RunResult result = run(registers_.data(), window, inputs_, budget_steps, &fault_);
    steps_ += result.steps;
    return result;
  }
  void Run(uint64_t steps) {
    for (uint64_t done = 0; done < steps;) {
      const RunResult result = RunOnce(static_cast<uint32_t>(steps - done));
      REQUIRE(result.outcome != Outcome::kFaulted);
      REQUIRE(result.steps > 0);
      done += result.steps;
    }
  }

  CheckReport Check() {
    Lease lease;
    REQUIRE(lease.Acquire(book_) == Status::kOk);
    Progress progress;
    LeasedReader reader(*ram_, lease, progress);
    return program_.check(registers_.data(), reader);
  }

  void FlipBit(uint64_t gpa, uint64_t bit) { ram_->base()[gpa] ^= std::byte{1} << bit; }
  std::vector<std::byte> CopyRam() const {
    return {ram_->base(), ram_->base() + ram_->size_bytes()};
  }

  template <class Registers>
  Registers& As() {
    REQUIRE(program_.register_bytes == sizeof(Registers));
    return *reinterpret_cast<Registers*>(registers_.data());
  }
  const Program& program() const { return program_; }
  GuestRam& ram() { return *ram_; }
  std::vector<uint8_t>& marks() { return marks_; }
  const std::vector<uint64_t>& registers() const { return registers_; }
  Inputs& inputs() { return inputs_; }
  TickerStats& ticker() { return ticker_; }
  uint64_t steps() const { return steps_; }
  const GuestFault& fault() const { return fault_; }

 private:
  const Program& program_;
  std::unique_ptr<GuestRam> ram_;
  std::vector<uint64_t> registers_;
  std::vector<uint8_t> marks_;
  std::vector<std::byte> target_;
  std::unique_ptr<FlatSink> sink_;
  std::unique_ptr<Handover> handover_;
  TickerStats ticker_;
  Inputs inputs_;
  LeaseBook book_;
  uint64_t steps_ = 0;
  GuestFault fault_;
};

bool SameMemory(Machine& a, Machine& b) {
  return a.ram().size_bytes() == b.ram().size_bytes() &&
         std::memcmp(a.ram().base(), b.ram().base(), a.ram().size_bytes()) == 0;
}

std::string Describe(const Variant& variant) {
  std::string text = variant.program;
  for (const auto& [name, value] : variant.params) {
    text += std::string(" ") + name + "=" + std::to_string(value);
  }
  return text;
}

std::string Describe(const CheckReport& report) {
  if (report.ok) return "ok";
  return std::string(report.violation) + " at " + std::to_string(report.gpa);
}

// ── The table ─────────────────────────────────────────────────────────────────────────────────
TEST_CASE("programs: the table names six programs, each once, each found by its name") {
  const std::vector<std::string_view> names = {"page-writer", "kv-store", "queue",
                                               "hash-chain",  "ticker",   "idle"};
  REQUIRE(Programs().size() == names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    CHECK(Programs()[i]->name == names[i]);
    CHECK(FindProgram(names[i]) == Programs()[i]);
  }
  CHECK(FindProgram("no-such-program") == nullptr);
  CHECK(FindProgram("") == nullptr);
}

TEST_CASE("programs: every parameter is well-formed") {
  for (const Program* program : Programs()) {
    CAPTURE(program->name);
    CHECK(!program->summary.empty());
    CHECK(program->register_bytes > 0);
    CHECK(program->register_bytes <= kRegisterBytesMax);
    CHECK(program->register_bytes % 8 == 0);
    CHECK(program->quantum_steps >= 1);
    CHECK(program->params.size() <= kProgramParamsMax);
    for (const ParamSpec& spec : program->params) {
      CAPTURE(spec.name);
      CHECK(!spec.summary.empty());
      CHECK(spec.value_min <= spec.value_default);
      CHECK(spec.value_default <= spec.value_max);
      CHECK((spec.kind == ParamKind::kChoice) == !spec.choices.empty());
      if (spec.kind == ParamKind::kChoice) {
        CHECK(spec.value_min == 0);
        CHECK(spec.value_max == spec.choices.size() - 1);
      }
      if (spec.kind == ParamKind::kFraction) {
        CHECK(spec.value_min >= 0);
        CHECK(spec.value_max <= 1);
      }
      const auto same_name = [&](const ParamSpec& other) { return other.name == spec.name; };
      CHECK(std::count_if(program->params.begin(), program->params.end(), same_name) == 1);
    }
  }
}

// ── Determinism ───────────────────────────────────────────────────────────────────────────────
TEST_CASE("programs: RAM, registers and steps do not depend on budgets, hand-over or clock") {
  uint64_t seed = 1000;
  for (const Variant& variant : Variants()) {
    CAPTURE(Describe(variant));
    CAPTURE(++seed);
    const Program& program = *FindProgram(variant.program);
    const ParamValues params = ParamsOf(variant);
    // One of the sizes is not a power of two.
    const uint64_t ram_bytes = kRamBytesMin + (seed % 2) * 3 * kPageBytes;
    Machine whole(program, params, seed, ram_bytes);
    whole.Run(variant.steps);

    Machine chopped(program, params, seed, ram_bytes);
    Prng prng{seed};
    uint64_t switch_at = prng.Below(variant.steps);
    bool handed_over = false;
    while (chopped.steps() < variant.steps) {
      if (!handed_over && chopped.steps() >= switch_at) {
        chopped.BeginHandover();
        handed_over = true;
      }
      chopped.inputs().clock.guest_monotonic_ns += static_cast<int64_t>(prng.Below(1'000'000));
      chopped.inputs().clock.guest_wall_ns += static_cast<int64_t>(prng.Below(1'000'000));
      chopped.inputs().clock.host_monotonic_ns += static_cast<int64_t>(prng.Below(1'000'000));
      chopped.Run(std::min(1 + prng.Below(700), variant.steps - chopped.steps()));
    }
    CHECK(chopped.steps() == whole.steps());
    CHECK(chopped.registers() == whole.registers());
    CHECK(SameMemory(chopped, whole));
    CHECK(chopped.marks() == whole.marks());
  }
}

TEST_CASE("programs: another seed leaves another RAM") {
  for (const Variant& variant : Variants()) {
    CAPTURE(Describe(variant));
    const Program& program = *FindProgram(variant.program);
    Machine one(program, ParamsOf(variant), 1);
    Machine two(program, ParamsOf(variant), 2);
    one.Run(variant.steps);
    two.Run(variant.steps);
    CHECK(!SameMemory(one, two));
  }
}

TEST_CASE(
    "programs: init touches next to nothing of the largest RAM, and the first steps run there") {
  const uint64_t ram_bytes = std::min(kRamBytesMax, PhysicalMemoryBytes() & ~(kPageBytes - 1));
  for (const Program* program : Programs()) {
    CAPTURE(program->name);
    Machine machine(*program, Defaults(*program), 7, ram_bytes);
    machine.Run(2'000);
    CHECK(std::count(machine.marks().begin(), machine.marks().end(), 1) <= 4'000);
  }
}

// ── Marks ─────────────────────────────────────────────────────────────────────────────────────
TEST_CASE("programs: every page that changed is marked, in both variants") {
  uint64_t seed = 2000;
  for (const Variant& variant : Variants()) {
    for (const bool handover : {false, true}) {
      CAPTURE(Describe(variant));
      CAPTURE(handover);
      CAPTURE(++seed);
      Machine machine(*FindProgram(variant.program), ParamsOf(variant), seed);
      if (handover) machine.BeginHandover();
      Prng prng{seed};
      uint64_t marked = 0;
      for (int round = 0; round < 60; ++round) {
        std::fill(machine.marks().begin(), machine.marks().end(), uint8_t{0});
        const std::vector<std::byte> before = machine.CopyRam();
        // Mostly a few steps, lest a later write marks the page that an earlier one forgot.
        machine.Run(1 + prng.Below(round % 4 == 0 ? variant.steps / 10 : 3));
        for (uint64_t page = 0; page < machine.ram().pages(); ++page) {
          const uint64_t gpa = page << kPageShift;
          const bool changed =
              std::memcmp(before.data() + gpa, machine.ram().base() + gpa, kPageBytes) != 0;
          marked += machine.marks()[page];
          if (changed) REQUIRE(machine.marks()[page] == 1);
        }
      }
      CHECK(marked > 0);
    }
  }
}

// ── Invariants ────────────────────────────────────────────────────────────────────────────────
TEST_CASE("programs: the invariants hold at every safepoint, the first included") {
  uint64_t seed = 3000;
  for (const Variant& variant : Variants()) {
    CAPTURE(Describe(variant));
    CAPTURE(++seed);
    Machine machine(*FindProgram(variant.program), ParamsOf(variant), seed);
    Prng prng{seed};
    while (machine.steps() < variant.steps) {
      CAPTURE(machine.steps());
      const CheckReport report = machine.Check();
      CAPTURE(Describe(report));
      REQUIRE(report.ok);
      REQUIRE(report.items_checked > 0);
      // Mostly a step or two apart, so that operations in flight are met too.
      const uint64_t most = prng.Below(4) == 0 ? variant.steps / 20 : 3;
      machine.Run(std::min(1 + prng.Below(most), variant.steps - machine.steps()));
      if (prng.Below(8) == 0) machine.Run(1);
    }
  }
}

// Where the program keeps what its check vouches for: [first, second) ranges of RAM.
std::vector<std::pair<uint64_t, uint64_t>> LiveRanges(Machine& machine) {
  const std::string_view name = machine.program().name;
  if (name == PageWriter::kName) {
    return {{0, machine.As<PageWriter::Registers>().words * sizeof(uint64_t)}};
  }
  if (name == HashChain::kName) {
    return {{0, machine.As<HashChain::Registers>().words * sizeof(uint64_t)}};
  }
  if (name == Queue::kName) {
    const auto& r = machine.As<Queue::Registers>();
    if (r.produced == r.consumed) return {};
    if (r.tail_gpa < r.head_gpa) return {{r.tail_gpa, r.head_gpa}};
    return {{r.tail_gpa, r.ring_bytes}, {0, r.head_gpa}};
  }
  const auto& r = machine.As<KvStore::Registers>();
  std::vector<std::pair<uint64_t, uint64_t>> ranges = {{0, r.log_gpa}};
  if (r.lap_end_gpa == 0) {
    ranges.push_back({r.tail_gpa, r.head_gpa});
  } else {
    ranges.push_back({r.tail_gpa, r.lap_end_gpa});
    ranges.push_back({r.log_gpa, r.head_gpa});
  }
  if (r.op.kind == KvStore::OpKind::kPut || r.op.kind == KvStore::OpKind::kMove) {
    const uint64_t values = r.op.target_gpa + sizeof(KvStore::Header);
    ranges.push_back({values, values + r.op.words_done * sizeof(uint64_t)});
  }
  return ranges;
}

TEST_CASE("programs: a single flipped bit in live data is found") {
  uint64_t seed = 4000;
  for (const Variant& variant : Variants()) {
    const std::string_view name = variant.program;
    if (name == "ticker" || name == "idle") continue;
    CAPTURE(Describe(variant));
    CAPTURE(++seed);
    Machine machine(*FindProgram(variant.program), ParamsOf(variant), seed);
    Prng prng{seed};
    int flips = 0;
    for (int attempt = 0; attempt < 40; ++attempt) {
      machine.Run(1 + prng.Below(attempt % 2 == 0 ? variant.steps / 20 : 3));
      auto ranges = LiveRanges(machine);
      std::erase_if(ranges, [](const auto& range) { return range.first == range.second; });
      if (ranges.empty()) continue;
      const auto [from, to] = ranges[prng.Below(ranges.size())];
      const uint64_t gpa = from + prng.Below(to - from);
      const uint64_t bit = prng.Below(8);
      CAPTURE(machine.steps());
      CAPTURE(gpa);
      CAPTURE(bit);
      machine.FlipBit(gpa, bit);
      const CheckReport damaged = machine.Check();
      CHECK(!damaged.ok);
      CHECK((damaged.ok || damaged.violation != nullptr));
      machine.FlipBit(gpa, bit);
      REQUIRE(machine.Check().ok);
      ++flips;
    }
    CHECK(flips >= 15);
  }
}

TEST_CASE("programs: a flipped bit in what ticker and idle wrote last is found") {
  for (const char* name : {"ticker", "idle"}) {
    CAPTURE(name);
    const Program& program = *FindProgram(name);
    Machine machine(program, Defaults(program), 5);
    machine.Run(100);
    const std::vector<std::byte> ram = machine.CopyRam();
    uint64_t bytes = 0;
    for (uint64_t gpa = 0; gpa < ram.size(); ++gpa) {
      if (ram[gpa] == std::byte{0}) continue;
      machine.FlipBit(gpa, gpa % 8);
      CHECK(!machine.Check().ok);
      machine.FlipBit(gpa, gpa % 8);
      ++bytes;
    }
    CHECK(bytes > 8);
    CHECK(machine.Check().ok);
  }
}

TEST_CASE("programs: a guest with damaged RAM runs on, bounded and without a crash") {
  uint64_t seed = 5000;
  for (const Variant& variant : Variants()) {
    for (int round = 0; round < 3; ++round) {
      CAPTURE(Describe(variant));
      CAPTURE(++seed);
      Machine machine(*FindProgram(variant.program), ParamsOf(variant), seed);
      Prng prng{seed};
      machine.Run(variant.steps / 4);
      for (int i = 0; i < 2'000; ++i) {
        machine.FlipBit(prng.Below(machine.ram().size_bytes()), prng.Below(8));
      }
      machine.Run(variant.steps / 2);
      static_cast<void>(machine.Check());
    }
  }
}

TEST_CASE("page-writer: a page that is older than the rest is found, though its words are sound") {
  const Program& program = *FindProgram("page-writer");
  Machine machine(program, Defaults(program), 11);
  machine.Run(50'000);
  const std::vector<std::byte> before = machine.CopyRam();
  machine.Run(50'000);
  const uint64_t gpa = 17 * kPageBytes;
  std::memcpy(machine.ram().base() + gpa, before.data() + gpa, kPageBytes);
  const CheckReport report = machine.Check();
  CHECK(!report.ok);
  CHECK(std::string(report.violation) == "the words' counts do not add up to the writes made");
}

TEST_CASE("page-writer: a word that was never written cannot carry the mark of a count of zero") {
  const Program& program = *FindProgram("page-writer");
  Machine machine(program, Defaults(program), 14);
  const uint64_t word = PageWriter::Word(100, 0, machine.As<PageWriter::Registers>().key);
  std::memcpy(machine.ram().base() + 100 * sizeof(word), &word, sizeof(word));
  CHECK(!machine.Check().ok);
}

TEST_CASE("page-writer: writes the share that it is asked for, and zipfian is skewed") {
  const Program& program = *FindProgram("page-writer");
  constexpr uint64_t kSteps = 100'000;
  for (const double fraction : {0.0, 0.25, 1.0}) {
    CAPTURE(fraction);
    ParamValues params = Defaults(program);
    params[PageWriter::kWriteFraction] = fraction;
    Machine machine(program, params, 12);
    machine.Run(kSteps);
    const double writes = static_cast<double>(machine.As<PageWriter::Registers>().writes);
    CHECK(writes == doctest::Approx(fraction * kSteps).epsilon(0.02));
    const bool marked = std::count(machine.marks().begin(), machine.marks().end(), 1) != 0;
    CHECK(marked == (fraction > 0));
  }

  // The busiest tenth of 256 pages takes ln(26)/ln(257), 59 %, of a zipfian writer's writes.
  for (const auto& [pattern, share_min, share_max] :
       {std::tuple{PageWriter::kUniform, 0.10, 0.13}, {PageWriter::kZipfian, 0.53, 0.68}}) {
    CAPTURE(pattern);
    ParamValues params = Defaults(program);
    params[PageWriter::kPattern] = pattern;
    Machine machine(program, params, 13);
    machine.Run(kSteps);
    std::vector<uint64_t> writes(machine.ram().pages());
    for (uint64_t gpa = 0; gpa < machine.ram().size_bytes(); gpa += sizeof(uint64_t)) {
      uint32_t count;
      std::memcpy(&count, machine.ram().base() + gpa, sizeof(count));
      writes[gpa >> kPageShift] += count;
    }
    std::sort(writes.rbegin(), writes.rend());
    uint64_t busiest = 0;
    for (size_t i = 0; i < writes.size() / 10; ++i) busiest += writes[i];
    const double share = static_cast<double>(busiest) / kSteps;
    CHECK(share > share_min);
    CHECK(share < share_max);
  }
}

TEST_CASE("kv-store: what was put is there, and the log goes round many times") {
  const Program& program = *FindProgram("kv-store");
  Machine machine(program, Defaults(program), 21);
  uint64_t laps = 0;
  bool wrapped = false;
  std::bitset<4> kinds_in_flight;
  for (int i = 0; i < 150'000; ++i) {
    machine.Run(1);
    const auto& r = machine.As<KvStore::Registers>();
    REQUIRE(r.damage == 0);
    laps += !wrapped && r.lap_end_gpa != 0;
    wrapped = r.lap_end_gpa != 0;
  }
  CHECK(laps >= 3);
  CHECK(machine.Check().ok);
  const auto& r = machine.As<KvStore::Registers>();
  // Of the puts and deletes of a key, 40 to 6, the last was a put with a chance of 87 %.
  CHECK(static_cast<double>(r.live) ==
        doctest::Approx(0.87 * static_cast<double>(r.keys)).epsilon(0.06));

  ParamValues params = Defaults(program);
  params[KvStore::kValueBytesMax] = 4096;
  Machine long_values(program, params, 22);
  for (int i = 0; i < 20'000; ++i) {
    long_values.Run(1);
    kinds_in_flight.set(static_cast<size_t>(long_values.As<KvStore::Registers>().op.kind));
  }
  CHECK(kinds_in_flight.all());
}

TEST_CASE("kv-store: the guest itself meets a damaged record, and says so from then on") {
  const Program& program = *FindProgram("kv-store");
  Machine machine(program, Defaults(program), 23);
  machine.Run(20'000);
  const auto& r = machine.As<KvStore::Registers>();
  // The first word of every live value, so that nothing but the checksum can tell.
  for (uint64_t slot_gpa = 0; slot_gpa < r.log_gpa; slot_gpa += sizeof(KvStore::Slot)) {
    KvStore::Slot slot;
    std::memcpy(&slot, machine.ram().base() + slot_gpa, sizeof(slot));
    if (slot.key != 0) machine.FlipBit(slot.record_gpa + sizeof(KvStore::Header), 3);
  }
  machine.Run(20'000);
  CHECK(r.damage == 1);
  CHECK(!machine.Check().ok);
}

TEST_CASE("queue: the consumer tells lost, duplicated, reordered and damaged items apart") {
  using Item = Queue::Item;
  struct Damage {
    const char* word;
    void (*apply)(Item* items);  // to the queue's oldest items
  };
  const Damage damages[] = {
      {"lost", [](Item* items) { items[2] = Item{}; }},
      {"duplicated", [](Item* items) { items[2] = items[1]; }},
      {"reordered", [](Item* items) { std::swap(items[2], items[3]); }},
      {"checksum", [](Item* items) { items[2][4] ^= 1; }},
  };
  const Program& program = *FindProgram("queue");
  for (const Damage& damage : damages) {
    CAPTURE(damage.word);
    Machine machine(program, Defaults(program), 31);
    const auto& r = machine.As<Queue::Registers>();
    while (r.produced - r.consumed < 10) machine.Run(1);
    REQUIRE(r.tail_gpa + 10 * sizeof(Item) <= r.ring_bytes);
    damage.apply(reinterpret_cast<Item*>(machine.ram().base() + r.tail_gpa));
    const uint64_t damaged_from = r.tail_gpa + 2 * sizeof(Item);
    const CheckReport before = machine.Check();
    CHECK(!before.ok);

    // Once consumed, the finding stays.
    const uint64_t consumed = r.consumed;
    while (r.consumed < consumed + 200) machine.Run(1);
    const CheckReport after = machine.Check();
    REQUIRE(!after.ok);
    CHECK(std::string(after.violation) == before.violation);
    if (std::string(damage.word) != "duplicated") {
      CHECK(std::string(after.violation).find(damage.word) != std::string::npos);
    }
    CHECK(after.gpa == damaged_from);
  }
}

TEST_CASE("ticker: what the clock shows reaches the statistics and not the RAM") {
  const Program& program = *FindProgram("ticker");
  CHECK(program.reads_clock);
  Machine machine(program, Defaults(program), 41);
  for (int i = 0; i < 100; ++i) {
    machine.inputs().clock.guest_monotonic_ns += 10;
    machine.inputs().clock.host_monotonic_ns += 25;
    machine.Run(1);
  }
  CHECK(machine.ticker().ticks() == 100);
  CHECK(machine.ticker().hidden_total_ns() == 99 * 15);

  Machine without(program, Defaults(program), 41);
  without.inputs().ticker = nullptr;
  without.Run(100);
  CHECK(SameMemory(machine, without));
}

TEST_CASE("idle: every step is one wake and ends halted for the interval") {
  const Program& program = *FindProgram("idle");
  ParamValues params = Defaults(program);
  params[0] = 250;
  Machine machine(program, params, 51);
  for (int i = 0; i < 3; ++i) {
    const RunResult result = machine.RunOnce(100);
    CHECK(result.steps == 1);
    CHECK(result.outcome == Outcome::kHalted);
    CHECK(result.halt_ns == 250'000);
  }
}

// ── Faults ────────────────────────────────────────────────────────────────────────────────────
enum class Access : uint64_t { kLoad, kStore, kReadWindow, kWriteWindow };

// Does nine good steps, then the access that its registers describe.
struct Trespasser {
  static constexpr std::string_view kName = "trespasser";
  static constexpr std::string_view kSummary = "accesses what it is told to";
  static constexpr std::array<ParamSpec, 0> kParams = {};
  static constexpr uint32_t kQuantumSteps = 1;
  static constexpr bool kReadsClock = false;
  struct Registers {
    uint64_t steps;
    Access access;
    uint64_t gpa;
    uint64_t length;
  };
  static void Init(const InitContext&, Registers&) {}
  template <class Ram>
  static int64_t Step(Registers& r, Ram& ram, const Inputs&) {
    if (r.steps < 9) {
      ram.template Store<uint64_t>(0, ++r.steps);
      return kContinue;
    }
    switch (r.access) {
      case Access::kLoad:
        r.length = ram.template Load<uint64_t>(r.gpa);
        break;
      case Access::kStore:
        ram.template Store<uint64_t>(r.gpa, 1);
        break;
      case Access::kReadWindow:
        r.length = ram.ReadWindow(r.gpa, r.length).size();
        break;
      case Access::kWriteWindow:
        r.length = ram.WriteWindow(r.gpa, r.length).size();
        break;
    }
    return kContinue;
  }
  static CheckReport Check(const Registers&, LeasedReader&) { return {}; }
};

TEST_CASE("programs: an access out of range or misaligned faults the guest") {
  struct Case {
    Access access;
    uint64_t gpa;
    uint64_t length;
    FaultKind fault;
  };
  constexpr uint64_t kEnd = kRamBytesMin;
  constexpr uint64_t kTop = ~uint64_t{0};
  const Case cases[] = {
      {Access::kLoad, kEnd - 8, 8, FaultKind::kNone},
      {Access::kStore, kEnd - 8, 8, FaultKind::kNone},
      {Access::kReadWindow, kEnd - 3, 3, FaultKind::kNone},
      {Access::kWriteWindow, 1, kEnd - 1, FaultKind::kNone},
      {Access::kReadWindow, kEnd, 0, FaultKind::kNone},
      {Access::kLoad, kEnd, 8, FaultKind::kOutOfRange},
      {Access::kStore, kEnd, 8, FaultKind::kOutOfRange},
      {Access::kStore, kTop - 7, 8, FaultKind::kOutOfRange},
      {Access::kLoad, kTop, 8, FaultKind::kOutOfRange},
      {Access::kLoad, kEnd - 4, 8, FaultKind::kOutOfRange},
      {Access::kLoad, 4, 8, FaultKind::kMisaligned},
      {Access::kStore, 4097, 8, FaultKind::kMisaligned},
      {Access::kReadWindow, kEnd - 3, 4, FaultKind::kOutOfRange},
      {Access::kReadWindow, 8, kTop, FaultKind::kOutOfRange},
      {Access::kWriteWindow, kEnd + 1, 0, FaultKind::kOutOfRange},
      {Access::kWriteWindow, kTop - 1, 16, FaultKind::kOutOfRange},
  };
  static constexpr Program kProgram = MakeProgram<Trespasser>();
  for (const Case& test : cases) {
    for (const bool handover : {false, true}) {
      CAPTURE(static_cast<int>(test.access));
      CAPTURE(test.gpa);
      CAPTURE(test.length);
      CAPTURE(handover);
      Machine machine(kProgram, {}, 0);
      if (handover) machine.BeginHandover();
      auto& r = machine.As<Trespasser::Registers>();
      r.access = test.access;
      r.gpa = test.gpa;
      r.length = test.length;
      const RunResult result = machine.RunOnce(10);
      if (test.fault == FaultKind::kNone) {
        CHECK(result.outcome == Outcome::kRan);
        CHECK(result.steps == 10);
        continue;
      }
      CHECK(result.outcome == Outcome::kFaulted);
      CHECK(result.steps == 9);
      CHECK(machine.fault().kind == test.fault);
      CHECK(machine.fault().gpa == test.gpa);
      CHECK(machine.fault().size_bytes == test.length);
      CHECK(std::count(machine.marks().begin(), machine.marks().end(), 1) == 1);
    }
  }
}

}  // namespace
}  // namespace standstill
