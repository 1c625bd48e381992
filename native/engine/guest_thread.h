// The guest thread: one a VM. Executes the program between safepoints, halts at the gate, sleeps
// when the program or the duty cycle says so, and never allocates, locks or makes a system call
// inside a step.
//
//   halted ──release──▶ quanta of about kQuantumNs ──▶ safepoint ──▶ …
//
// Threads: the constructor, Start and Stop by the owner; what is marked "halted" by a host thread
// that has seen the gate halted (and holds it so); `steps` by any. Ordering: by the gate. `steps_`
// is relaxed: a running guest's count is a recent one, a halted one's exact.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "memory/handover.h"
#include "port/memory_loss.h"
#include "port/thread.h"
#include "standstill/clock_page.h"
#include "standstill/guest_ram.h"
#include "standstill/pause_gate.h"
#include "standstill/program.h"
#include "standstill/ticker_stats.h"

namespace standstill {

class GuestThread {
 public:
  static constexpr uint64_t kNoTarget = ~uint64_t{0};
  // What one call of `run` is sized to take: the longest part of the way to a safepoint, and long
  // against the safepoint itself.
  static constexpr int64_t kQuantumNs = 800;

  struct Setup {
    const Program& program;
    GuestRam& ram;
    PauseGate& gate;
    ClockPage& clock;
    uint8_t* marks;
    double duty_cycle;
    // Called on the guest thread when it has halted of its own accord: at its target or at a fault.
    std::function<void()> on_self_halt;
  };

  explicit GuestThread(const Setup& setup);
  GuestThread(const GuestThread&) = delete;
  GuestThread& operator=(const GuestThread&) = delete;

  bool Start();
  void Stop();  // and join; idempotent
  bool left() const { return left_.load(std::memory_order_acquire); }

  // What the hand-over calls while the guest waits for a copier.
  HandoverWaiter waiter() {
    return {[](void* self) { static_cast<GuestThread*>(self)->PollWhileWaiting(); }, this};
  }

  uint64_t steps() const { return steps_.load(std::memory_order_relaxed); }
  const TickerStats* ticker() const { return setup_.program.reads_clock ? &ticker_ : nullptr; }
  // The guest's stamp of its first resume after ExpectResume (halted); 0 until then.
  void ExpectResume() { resumed_at_ns_.store(0, std::memory_order_relaxed); }
  int64_t resumed_at_ns() const { return resumed_at_ns_.load(std::memory_order_acquire); }

  // A fault stands, with fault(), until the guest is restored; one of lost memory for good.
  bool faulted() const { return faulted_.load(std::memory_order_acquire) || memory_lost(); }
  bool memory_lost() const { return loss_ != nullptr && loss_->any(); }
  GuestFault fault() const;

  // ── Halted ──
  int64_t halted_at_ns() const { return halted_at_ns_; }
  // A guest that waits for a copier halts inside a step: its RAM stands still, its registers are
  // not whole.
  bool mid_step() const { return mid_step_; }
  void* registers() { return registers_.data(); }
  void SetTarget(uint64_t step) { target_ = step; }
  uint64_t target() const { return target_; }
  void UseMarks(uint8_t* marks) { window_.marks = marks; }
  void UseHandover(Handover* handover) { window_.handover = handover; }
  void Fault(const GuestFault& fault);
  // The guest goes on from there; a fault, a sleep and a target are forgotten.
  void Restore(std::span<const std::byte> registers, uint64_t steps);
  const RamWindow& window() const { return window_; }
  TickerStats& ticker_for_window() { return ticker_; }

 private:
  void Main();
  void PollWhileWaiting();
  bool Safepoint();  // answers the gate; false when stopping
  void RunQuanta();  // until something asks for attention
  void TuneQuantum(int64_t elapsed_ns);
  bool HaltOfOwnAccord();  // false when stopping
  bool AwaitRelease();
  bool SleepFor(int64_t ns);  // guest time; false when stopping
  bool KeepDutyCycle();
  bool Done() const { return steps_local_ == target_ || faulted(); }

  const Setup setup_;
  const std::shared_ptr<const MemoryLoss> loss_;  // of RAM; null: none can be
  Thread thread_;
  std::atomic<bool> left_{false};

  // The guest thread's own while it runs; a host's while it is halted.
  RamWindow window_;
  uint64_t steps_local_ = 0;
  uint64_t target_ = kNoTarget;
  int64_t halt_for_ns_ = 0;  // what the program's last step asked for
  int64_t duty_period_from_ns_ = 0;
  int duty_quanta_left_ = 0;
  uint32_t quantum_steps_ = 1;
  int64_t halted_at_ns_ = 0;
  GuestFault fault_;
  bool mid_step_ = false;
  alignas(64) std::array<std::byte, kRegisterBytesMax> registers_{};

  alignas(64) std::atomic<uint64_t> steps_{0};
  std::atomic<bool> faulted_{false};  // released after fault_
  std::atomic<int64_t> resumed_at_ns_{0};
  TickerStats ticker_;
};

}  // namespace standstill
