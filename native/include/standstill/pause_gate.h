// The pause gate: one 32-bit atomic word a VM, which holds request, state and generation, and is
// the futex word of both sides. docs/PAUSE_PROTOCOL.md explains it; test/model/pause_gate.pml is
// its model.
//
//        Request (gen+1)           guest, at a safepoint              BeginRelease (gen)
//   Running ───────────▶ Requested ───────────────────▶ Halted ───────────────────▶ Releasing
//      ▲  ▲   Withdraw (gen) │           HaltSelf (gen+1)  ▲                             │
//      │  └──────────────────┘  Running ───────────────────┘                             │
//      └──────────────────────────── FinishRelease (gen) ────────────────────────────────┘
//   The Idle flag beside Running says that the guest sleeps and touches nothing: a request then
//   goes to Halted in one step, without waking it.
//
// Every transition is one compare-and-swap on (state, generation): a deadline that comes late finds
// another generation and changes nothing. Generations wrap after 2^25 freezes of one VM, and a
// timer is disarmed at release, so a stale one would have to sleep through 33 million freezes
// between its look and its swap.
//
// Threads: the guest's side by the one guest thread; the host's side by any thread, one requester
// at a time (Vm holds its control mutex). Ordering: the guest halts with release and a host
// observes with acquire: all that the guest wrote is then visible. FinishRelease is release, and
// the guest leaves the gate with acquire. The fast check is relaxed: what it must not miss, it sees
// at the next safepoint.
#pragma once

#include <atomic>
#include <cstdint>

namespace standstill {

class PauseGate {
 public:
  enum State : uint32_t { kRunning = 0, kRequested = 1, kHalted = 2, kReleasing = 3 };
  static constexpr uint32_t kGenerationMask = (uint32_t{1} << 25) - 1;

  // ── Host side ──
  struct Ticket {
    uint32_t generation;
    bool requested;  // false: the guest was halted already, nothing was asked
    bool halted;     // true: halted on the spot (idle, or halted already)
  };
  // `park_at_once` tells the guest not to spin for its release: for long pauses, and where many
  // guests share few CPUs.
  Ticket Request(bool park_at_once);
  // Waits until the generation (or any) is halted: spins for a bounded time, then sleeps. False on
  // timeout.
  static constexpr uint32_t kAnyGeneration = ~uint32_t{0};
  bool WaitHalted(uint32_t generation, int64_t timeout_ns);
  // Takes a request back. False where the guest has halted meanwhile.
  bool Withdraw(uint32_t generation);
  // Only one caller wins the release of a generation; the winner does what must happen before the
  // guest runs, then calls FinishRelease.
  bool BeginRelease(uint32_t generation);
  void FinishRelease(uint32_t generation);
  // Ends the guest thread's waits; it leaves at its next safepoint.
  void Stop();

  State state() const { return static_cast<State>(Word() & kStateMask); }
  bool idle() const { return (Word() & kIdle) != 0; }
  uint32_t generation() const { return Generation(Word()); }

  // ── Guest side ──
  // The safepoint's fast check: nothing asks for attention.
  bool Open() const { return (word_.load(std::memory_order_relaxed) & kAttention) == 0; }
  bool stopping() const { return (word_.load(std::memory_order_relaxed) & kStop) != 0; }
  bool requested() const {
    return (word_.load(std::memory_order_relaxed) & kStateMask) == kRequested;
  }
  // At a safepoint with a request: halts. False where the request was withdrawn meanwhile.
  bool Acknowledge();
  // Halts of the guest's own accord. False where a request came first: that is acknowledged and
  // waited out before the guest tries again.
  bool HaltSelf();
  // Halted: waits for the release. False when stopping.
  bool AwaitRelease();
  // Running → idle and back. EnterIdle is false where a request came first. SleepIdle sleeps for
  // the time given at most, and through a pause that it finds when it wakes. LeaveIdle likewise
  // waits out a pause first. The latter two are false when stopping.
  bool EnterIdle();
  bool SleepIdle(int64_t timeout_ns);
  bool LeaveIdle();

 private:
  static constexpr uint32_t kStateMask = 3;
  static constexpr uint32_t kIdle = 4;         // set and cleared by the guest
  static constexpr uint32_t kGuestAsleep = 8;  // the guest waits on the word for its release
  static constexpr uint32_t kHostAsleep = 16;  // a host waits on the word for a halt
  static constexpr uint32_t kParkAtOnce = 32;
  static constexpr uint32_t kStop = 64;
  static constexpr uint32_t kAttention = kStateMask | kIdle | kStop;
  static constexpr uint32_t kGenerationShift = 7;

  static uint32_t Generation(uint32_t word) { return word >> kGenerationShift; }
  static uint32_t WithGeneration(uint32_t generation, uint32_t bits) {
    return ((generation & kGenerationMask) << kGenerationShift) | bits;
  }
  uint32_t Word() const { return word_.load(std::memory_order_acquire); }
  bool SleepUntilReleased();

  // A guest starts halted, at generation 0.
  alignas(64) std::atomic<uint32_t> word_{kHalted};
};

}  // namespace standstill
