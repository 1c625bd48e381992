// A guest program: what a VM's guest thread executes. A program is a set of pure functions over
// (registers, RAM, inputs, budget): time and interrupts are inputs, there is no lock, no system
// call and no allocation in it, and its effect on RAM and registers depends on nothing but its
// parameters, its seed and the number of steps executed. docs/ARCHITECTURE.md, "Guest programs".
//
// Threads: a Program is an immutable table entry. `run` is called by one guest thread at a time;
// `init` and `check` by a host thread while no guest thread touches the registers or the RAM.
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace standstill {

class GuestRam;
class Handover;
class LeasedReader;
class TickerStats;

inline constexpr uint64_t kPageShift = 12;
inline constexpr uint64_t kPageBytes = uint64_t{1} << kPageShift;
inline constexpr size_t kRegisterBytesMax = 4096;
inline constexpr size_t kProgramParamsMax = 8;
inline constexpr uint32_t kQuantumStepsMax = 4096;

// ── Parameters ────────────────────────────────────────────────────────────────────────────────
enum class ParamKind : uint8_t { kInteger, kFraction, kBytes, kChoice };

struct ParamSpec {
  std::string_view name;  // camelCase, as a user of the library writes it
  std::string_view summary;
  ParamKind kind;
  double value_default;  // kBytes: 0 stands for the VM's whole RAM; kChoice: an index
  double value_min;
  double value_max;
  std::span<const std::string_view> choices = {};
};

// In its range, and whole but for a fraction.
inline bool ParamFits(const ParamSpec& spec, double value) {
  const bool whole = spec.kind == ParamKind::kFraction || value == std::floor(value);
  return whole && value >= spec.value_min && value <= spec.value_max;  // so NaN does not fit
}

// One value for each entry of Program::params, in its order. Doubles hold every byte count up to
// 64 GiB exactly.
using ParamValues = std::array<double, kProgramParamsMax>;

// ── Execution ─────────────────────────────────────────────────────────────────────────────────
// One sample of the clock page; all three values belong to the same reading of the host's clock.
struct ClockSample {
  int64_t guest_monotonic_ns = 0;
  int64_t guest_wall_ns = 0;
  int64_t host_monotonic_ns = 0;  // for measurement only, as steal time is
};

// What comes into a step from outside. `clock` is filled only for programs with reads_clock, and
// nothing in it may reach RAM or registers; what it shows goes to `ticker`, outside of RAM.
struct Inputs {
  ClockSample clock;
  TickerStats* ticker = nullptr;
};

// What the guest writes through.
struct RamWindow {
  std::byte* base = nullptr;
  uint64_t size_bytes = 0;
  uint8_t* marks = nullptr;      // one byte a page
  Handover* handover = nullptr;  // only read by the hand-over variant
};

enum class Outcome : uint8_t { kRan, kHalted, kFaulted };
// The last one is no doing of the guest's: the file that its RAM is mapped from was changed, cut or
// could not be read.
enum class FaultKind : uint8_t { kNone, kOutOfRange, kMisaligned, kMemoryLost };

struct GuestFault {
  FaultKind kind = FaultKind::kNone;
  uint64_t gpa = 0;  // guest physical address
  uint64_t size_bytes = 0;
};

// Two machine words: every quantum returns one.
struct RunResult {
  uint32_t steps = 0;  // steps completed, at most the budget; a faulting step is not completed
  Outcome outcome = Outcome::kRan;
  int64_t halt_ns = 0;  // kHalted: the guest sleeps this long by its own clock, or until woken
};

// `fault` is written with kFaulted only.
using RunFunction = RunResult (*)(void* registers, const RamWindow& ram, const Inputs& inputs,
                                  uint32_t budget_steps, GuestFault* fault);

// ── Invariants ────────────────────────────────────────────────────────────────────────────────
struct CheckReport {
  bool ok = true;
  uint64_t items_checked = 0;
  const char* violation = nullptr;  // what does not hold, a string literal
  uint64_t gpa = 0;                 // where
};

struct InitContext {
  void* registers;  // register_bytes, zeroed
  GuestRam& ram;    // zeroed
  const ParamValues& params;
  uint64_t seed;
};

struct Program {
  std::string_view name;
  std::string_view summary;
  std::span<const ParamSpec> params;
  uint32_t register_bytes;
  // The largest budget given to one call of `run`. The guest thread gives as much of it as takes
  // about GuestThread::kQuantumNs, since a safepoint is the return from `run`.
  uint32_t quantum_steps;
  bool reads_clock;
  void (*init)(const InitContext&);
  // Lets chance go another way from here on; memory and registers stay valid. Null: nothing in the
  // program is left to chance.
  void (*reseed)(void* registers, uint64_t seed);
  // Of registers that come from outside: that no step and no check takes without end or leaves the
  // language's rules. Null: whatever they are, none does.
  bool (*possible)(const void* registers, const ParamValues& params, uint64_t ram_bytes);
  RunFunction run;  // marks every page that it writes
  RunFunction
      run_handover;  // the same, and hands pages over to a live copier before their first write
  // Valid at any safepoint. May throw what `ram` throws when its lease is revoked.
  CheckReport (*check)(const void* registers, LeasedReader& ram);
};

// ── The table ─────────────────────────────────────────────────────────────────────────────────
std::span<const Program* const> Programs();
const Program* FindProgram(std::string_view name);

}  // namespace standstill
