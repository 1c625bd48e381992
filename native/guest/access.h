// The guest's way to RAM: checked loads and stores, and the adapter that makes a Program of a class
// with a one-step function.
//
// Threads: an access object lives on the guest thread's stack for one call of `run`; no pointer or
// window taken from it outlives the step that took it.
// Ordering: plain accesses. Marks and RAM become visible to the host by the pause gate's
// acknowledgement (release) and its observation (acquire); hand-over states carry their own
// ordering.
//
// Every access is naturally aligned, so it touches one page, and marks it. An access that is out of
// range or misaligned throws GuestFault, which `RunSteps` turns into an outcome: the hot path pays
// one compare for both conditions and nothing for the handling.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "memory/handover.h"
#include "standstill/program.h"
#include "util/controls.h"
#include "util/prng.h"

namespace standstill {

// What a store does besides storing.
struct MarkWrites {
  static void Claim(const RamWindow& ram, uint64_t page) {
    if (Controls::Take(Control::kDropMark)) return;
    ram.marks[page] = 1;
  }
};
struct MarkAndHandOverWrites {
  static void Claim(const RamWindow& ram, uint64_t page) {
    ram.marks[page] = 1;
    ram.handover->BeforeWrite(page);
  }
};

template <class WritePolicy>
class CheckedRam {
 public:
  explicit CheckedRam(const RamWindow& window) : ram_(window) {}

  uint64_t size_bytes() const { return ram_.size_bytes; }

  template <class T>
  T Load(uint64_t gpa) const {
    Check<T>(gpa);
    T value;
    std::memcpy(&value, ram_.base + gpa, sizeof(T));
    return value;
  }

  template <class T>
  void Store(uint64_t gpa, T value) {
    Check<T>(gpa);
    WritePolicy::Claim(ram_, gpa >> kPageShift);
    std::memcpy(ram_.base + gpa, &value, sizeof(T));
  }

  // Many bytes at once, of any alignment; valid until the step ends.
  std::span<const std::byte> ReadWindow(uint64_t gpa, uint64_t length) const {
    CheckRange(gpa, length);
    return {ram_.base + gpa, length};
  }
  // Claims all its pages when taken, so take it only for what will be written.
  std::span<std::byte> WriteWindow(uint64_t gpa, uint64_t length) {
    CheckRange(gpa, length);
    if (length != 0) {
      const uint64_t last = (gpa + length - 1) >> kPageShift;
      for (uint64_t page = gpa >> kPageShift; page <= last; ++page) WritePolicy::Claim(ram_, page);
    }
    return {ram_.base + gpa, length};
  }

 private:
  // Two conditions, since compilers prove the first of an address that is an index times a size,
  // and one compare remains. The RAM is never smaller than a T.
  template <class T>
  void Check(uint64_t gpa) const {
    static_assert(std::is_trivially_copyable_v<T> && std::has_single_bit(sizeof(T)) &&
                  sizeof(T) <= kPageBytes);
    const bool misaligned = gpa % sizeof(T) != 0;
    if (__builtin_expect(misaligned || gpa > ram_.size_bytes - sizeof(T), 0)) {
      Refuse(gpa, sizeof(T));
    }
  }
  void CheckRange(uint64_t gpa, uint64_t length) const {
    if (__builtin_expect(gpa > ram_.size_bytes || length > ram_.size_bytes - gpa, 0))
      Refuse(gpa, length);
  }
  [[noreturn, gnu::cold, gnu::noinline]] void Refuse(uint64_t gpa, uint64_t length) const {
    const bool in_range = gpa <= ram_.size_bytes && length <= ram_.size_bytes - gpa;
    throw GuestFault{in_range ? FaultKind::kMisaligned : FaultKind::kOutOfRange, gpa, length};
  }

  RamWindow ram_;
};

// ── From a class to a Program ─────────────────────────────────────────────────────────────────
// A program is a class with
//   static constexpr std::string_view kName, kSummary;
//   static constexpr std::array<ParamSpec, N> kParams;
//   static constexpr uint32_t kQuantumSteps;  static constexpr bool kReadsClock;
//   struct Registers;                                    trivially copyable, at most 4 KiB;
//       its `prng_state`, where it has one, is all that chance is drawn from
//   static void Init(const InitContext&, Registers&);
//   template <class Ram> static int64_t Step(Registers&, Ram&, const Inputs&);
//       executes one step; answers kContinue, or for how long the guest halts
//   static CheckReport Check(const Registers&, LeasedReader&);
//   static bool Possible(const Registers&, const ParamValues&, uint64_t ram_bytes);  optional
inline constexpr int64_t kContinue = -1;

// Runs up to the budget. Few registers are copied in and out, so that a store through a byte
// pointer cannot force the compiler to reload them; many are used in place, since copying them at
// every safepoint costs more than that.
inline constexpr size_t kCopiedRegisterBytesMax = 128;

template <class P, class Ram>
RunResult RunSteps(void* registers, const RamWindow& window, const Inputs& inputs,
                   uint32_t budget_steps, GuestFault* fault) {
  using Registers = typename P::Registers;
  RunResult result;
  constexpr bool kInPlace = sizeof(Registers) > kCopiedRegisterBytesMax;
  std::conditional_t<kInPlace, Registers&, Registers> local = *static_cast<Registers*>(registers);
  Ram ram(window);
  uint32_t steps_left = budget_steps;
  try {
    while (steps_left != 0) {
      const int64_t halt_ns = P::Step(local, ram, inputs);
      --steps_left;
      if (__builtin_expect(halt_ns != kContinue, 0)) {
        result.outcome = Outcome::kHalted;
        result.halt_ns = halt_ns;
        break;
      }
    }
  } catch (const GuestFault& thrown) {
    result.outcome = Outcome::kFaulted;
    *fault = thrown;
  }
  result.steps = budget_steps - steps_left;
  if constexpr (!kInPlace) *static_cast<Registers*>(registers) = local;
  return result;
}

template <class Registers>
constexpr auto Reseed() -> void (*)(void*, uint64_t) {
  if constexpr (requires(Registers r) { r.prng_state; }) {
    return [](void* registers, uint64_t seed) {
      static_cast<Registers*>(registers)->prng_state = Mix64(seed);
    };
  } else {
    return nullptr;
  }
}

template <class P>
constexpr auto Possible() -> bool (*)(const void*, const ParamValues&, uint64_t) {
  if constexpr (requires { &P::Possible; }) {
    return [](const void* registers, const ParamValues& params, uint64_t ram_bytes) {
      return P::Possible(*static_cast<const typename P::Registers*>(registers), params, ram_bytes);
    };
  } else {
    return nullptr;
  }
}

template <class P>
constexpr Program MakeProgram() {
  using Registers = typename P::Registers;
  static_assert(std::is_trivially_copyable_v<Registers> && sizeof(Registers) <= kRegisterBytesMax);
  static_assert(P::kParams.size() <= kProgramParamsMax);
  return {
      .name = P::kName,
      .summary = P::kSummary,
      .params = P::kParams,
      .register_bytes = sizeof(Registers),
      .quantum_steps = P::kQuantumSteps,
      .reads_clock = P::kReadsClock,
      .init =
          [](const InitContext& context) {
            P::Init(context, *static_cast<Registers*>(context.registers));
          },
      .reseed = Reseed<Registers>(),
      .possible = Possible<P>(),
      .run = &RunSteps<P, CheckedRam<MarkWrites>>,
      .run_handover = &RunSteps<P, CheckedRam<MarkAndHandOverWrites>>,
      .check =
          [](const void* registers, LeasedReader& ram) {
            return P::Check(*static_cast<const Registers*>(registers), ram);
          },
  };
}

}  // namespace standstill
