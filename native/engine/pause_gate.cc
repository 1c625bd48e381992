#include "standstill/pause_gate.h"

#include "port/clock.h"
#include "port/futex.h"
#include "util/check.h"

namespace standstill {
namespace {

// How long each side spins before it sleeps: a futex wake costs 14–30 µs, so a pause shorter than
// that is best waited for on the CPU.
constexpr int64_t kHostSpinNs = 20'000;
constexpr int64_t kGuestSpinNs = 50'000;
constexpr int kSpinsBetweenClockReads = 32;

template <class Done>
bool SpinUntil(int64_t spin_ns, const Done& done) {
  const int64_t until_ns = HostMonotonicNs() + spin_ns;
  do {
    for (int i = 0; i < kSpinsBetweenClockReads; ++i) {
      if (done()) return true;
      CpuRelax();
    }
  } while (HostMonotonicNs() < until_ns);
  return false;
}

constexpr auto kAcquire = std::memory_order_acquire;
constexpr auto kAcquireRelease = std::memory_order_acq_rel;
constexpr auto kRelaxed = std::memory_order_relaxed;

}  // namespace

// ── Host side ─────────────────────────────────────────────────────────────────────────────────

PauseGate::Ticket PauseGate::Request(bool park_at_once) {
  uint32_t word = Word();
  for (;;) {
    const uint32_t state = word & kStateMask;
    if (state == kHalted) return {Generation(word), false, true};
    SS_CHECK(state == kRunning);
    const bool idle = (word & kIdle) != 0;
    const uint32_t generation = (Generation(word) + 1) & kGenerationMask;
    const uint32_t kept = word & (kStop | kIdle | (idle ? 0u : kHostAsleep));
    const uint32_t next = WithGeneration(
        generation, (idle ? kHalted : kRequested) | kept | (park_at_once ? kParkAtOnce : 0u));
    if (word_.compare_exchange_weak(word, next, kAcquireRelease, kAcquire)) {
      if (idle && (word & kHostAsleep) != 0) FutexWakeAll(word_);
      return {generation, true, idle};
    }
  }
}

bool PauseGate::WaitHalted(uint32_t generation, int64_t timeout_ns) {
  const auto halted = [&](uint32_t word) {
    return (word & kStateMask) == kHalted &&
           (generation == kAnyGeneration || Generation(word) == generation);
  };
  if (SpinUntil(timeout_ns < kHostSpinNs ? timeout_ns : kHostSpinNs,
                [&] { return halted(Word()); }))
    return true;
  const int64_t deadline_ns = MomentAfter(HostMonotonicNs(), timeout_ns);
  uint32_t word = Word();
  while (!halted(word)) {
    const int64_t left_ns = deadline_ns - HostMonotonicNs();
    if (left_ns <= 0) return false;
    if ((word & kHostAsleep) == 0 &&
        !word_.compare_exchange_weak(word, word | kHostAsleep, kAcquireRelease, kAcquire)) {
      continue;
    }
    FutexWait(word_, word | kHostAsleep, left_ns);
    word = Word();
  }
  return true;
}

bool PauseGate::Withdraw(uint32_t generation) {
  uint32_t word = Word();
  while (Generation(word) == generation && (word & kStateMask) == kRequested) {
    const uint32_t next = WithGeneration(generation, kRunning | (word & kStop));
    if (word_.compare_exchange_weak(word, next, kAcquireRelease, kAcquire)) return true;
  }
  return false;
}

bool PauseGate::BeginRelease(uint32_t generation) {
  uint32_t word = Word();
  while (Generation(word) == generation && (word & kStateMask) == kHalted) {
    if (word_.compare_exchange_weak(word, (word & ~kStateMask) | kReleasing, kAcquireRelease,
                                    kAcquire))
      return true;
  }
  return false;
}

void PauseGate::FinishRelease(uint32_t generation) {
  uint32_t word = Word();
  do {
    SS_CHECK(Generation(word) == generation && (word & kStateMask) == kReleasing);
  } while (!word_.compare_exchange_weak(
      word, WithGeneration(generation, kRunning | (word & (kIdle | kStop))), kAcquireRelease,
      kAcquire));
  if ((word & kGuestAsleep) != 0) FutexWakeAll(word_);
}

void PauseGate::Stop() {
  word_.fetch_or(kStop, kAcquireRelease);
  FutexWakeAll(word_);
}

// ── Guest side ────────────────────────────────────────────────────────────────────────────────

bool PauseGate::Acknowledge() {
  uint32_t word = word_.load(kRelaxed);
  while ((word & kStateMask) == kRequested) {
    const uint32_t next =
        WithGeneration(Generation(word), kHalted | (word & (kParkAtOnce | kStop)));
    if (word_.compare_exchange_weak(word, next, kAcquireRelease, kRelaxed)) {
      if ((word & kHostAsleep) != 0) FutexWakeAll(word_);
      return true;
    }
  }
  return false;
}

bool PauseGate::HaltSelf() {
  uint32_t word = word_.load(kRelaxed);
  while ((word & kStateMask) == kRunning) {
    const uint32_t next = WithGeneration(Generation(word) + 1, kHalted | (word & kStop));
    if (word_.compare_exchange_weak(word, next, kAcquireRelease, kRelaxed)) {
      if ((word & kHostAsleep) != 0) FutexWakeAll(word_);
      return true;
    }
  }
  return false;
}

bool PauseGate::AwaitRelease() {
  const uint32_t word = Word();
  if ((word & kParkAtOnce) == 0) {
    SpinUntil(kGuestSpinNs, [&] {
      const uint32_t now = word_.load(kRelaxed);
      return (now & kStop) != 0 || (now & kHalted) == 0;
    });
  }
  return SleepUntilReleased();
}

bool PauseGate::SleepUntilReleased() {
  uint32_t word = Word();
  for (;;) {
    if ((word & kStop) != 0) return false;
    if ((word & kHalted) == 0) return true;  // neither Halted nor Releasing
    if ((word & kGuestAsleep) == 0 &&
        !word_.compare_exchange_weak(word, word | kGuestAsleep, kAcquireRelease, kAcquire)) {
      continue;
    }
    FutexWait(word_, word | kGuestAsleep, kNoTimeout);
    word = Word();
  }
}

bool PauseGate::EnterIdle() {
  uint32_t word = word_.load(kRelaxed);
  while ((word & kAttention) == 0) {
    if (word_.compare_exchange_weak(word, word | kIdle, kAcquireRelease, kRelaxed)) return true;
  }
  return false;
}

bool PauseGate::SleepIdle(int64_t timeout_ns) {
  const uint32_t word = Word();
  if ((word & (kStop | kHalted)) == 0) FutexWait(word_, word, timeout_ns);
  return SleepUntilReleased();
}

bool PauseGate::LeaveIdle() {
  for (;;) {
    if (!SleepUntilReleased()) return false;
    uint32_t word = Word();
    while ((word & (kHalted | kStop)) == 0) {
      if (word_.compare_exchange_weak(word, word & ~kIdle, kAcquireRelease, kAcquire)) return true;
    }
  }
}

}  // namespace standstill
