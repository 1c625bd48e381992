#include "engine/guest_thread.h"

#include <algorithm>
#include <utility>

#include "port/clock.h"
#include "util/controls.h"

namespace standstill {
namespace {

constexpr size_t kStackBytes = 128 * 1024;
constexpr int64_t kDutyPeriodNs = 1'000'000;
constexpr int kDutyCheckQuanta = 64;
constexpr int kTunedQuanta = 32;

}  // namespace

GuestThread::GuestThread(const Setup& setup)
    : setup_(setup),
      loss_(setup.ram.loss()),
      window_{setup.ram.base(), setup.ram.size_bytes(), setup.marks, nullptr} {}

bool GuestThread::Start() {
  return thread_.Start(
      "standstill-vcpu", kStackBytes,
      [](void* self) {
        auto* guest = static_cast<GuestThread*>(self);
        guest->Main();
        guest->left_.store(true, std::memory_order_release);
      },
      this);
}

void GuestThread::Stop() {
  if (!thread_.joinable()) return;
  setup_.gate.Stop();
  thread_.Join();
}

GuestFault GuestThread::fault() const {
  if (faulted_.load(std::memory_order_acquire) || !memory_lost()) return fault_;
  return {FaultKind::kMemoryLost, loss_->offset(), kPageBytes};
}

void GuestThread::Fault(const GuestFault& fault) {
  fault_ = fault;
  faulted_.store(true, std::memory_order_release);
}

void GuestThread::Restore(std::span<const std::byte> registers, uint64_t steps) {
  std::copy(registers.begin(), registers.end(), registers_.begin());
  steps_local_ = steps;
  steps_.store(steps, std::memory_order_relaxed);
  target_ = kNoTarget;
  halt_for_ns_ = 0;
  fault_ = {};
  faulted_.store(false, std::memory_order_release);
}

void GuestThread::Main() {
  if (!AwaitRelease()) return;
  for (;;) {
    if (!setup_.gate.Open()) {
      if (!Safepoint()) return;
    } else if (Done()) {
      if (!HaltOfOwnAccord()) return;
    } else if (halt_for_ns_ != 0) {
      if (!SleepFor(std::exchange(halt_for_ns_, 0))) return;
    } else if (duty_quanta_left_ == 0 && setup_.duty_cycle < 1) {
      if (!KeepDutyCycle()) return;
    } else {
      if (window_.handover != nullptr && window_.handover->Finished()) window_.handover = nullptr;
      RunQuanta();
    }
  }
}

void GuestThread::RunQuanta() {
  const Program& program = setup_.program;
  const RunFunction run = window_.handover != nullptr ? program.run_handover : program.run;
  const bool limited = setup_.duty_cycle < 1;
  Inputs inputs;
  inputs.ticker = &ticker_;
  int64_t tuned_at_ns = 0;
  int quanta_to_tuning = kTunedQuanta;
  do {
    if (program.reads_clock) inputs.clock = setup_.clock.Read();
    const auto budget =
        static_cast<uint32_t>(std::min<uint64_t>(quantum_steps_, target_ - steps_local_));
    const RunResult result = run(registers_.data(), window_, inputs, budget, &fault_);
    steps_local_ += result.steps;
    steps_.store(steps_local_, std::memory_order_relaxed);
    if (__builtin_expect(result.outcome != Outcome::kRan, 0)) {
      halt_for_ns_ = result.halt_ns;
      if (result.outcome == Outcome::kFaulted) {
        faulted_.store(true, std::memory_order_release);
      }
      return;
    }
    if (limited && --duty_quanta_left_ == 0) return;
    if (--quanta_to_tuning == 0) {
      const int64_t now_ns = HostMonotonicNs();
      if (tuned_at_ns != 0) TuneQuantum(now_ns - tuned_at_ns);
      tuned_at_ns = now_ns;
      quanta_to_tuning = kTunedQuanta;
    }
    if (window_.handover != nullptr && window_.handover->Finished()) return;
  } while (setup_.gate.Open() && steps_local_ != target_ && !memory_lost());
}

// How many steps are in a quantum has no influence on what they do. One disturbed measurement at
// most halves it.
void GuestThread::TuneQuantum(int64_t elapsed_ns) {
  const uint32_t most = std::min(setup_.program.quantum_steps, quantum_steps_ * 2);
  const uint32_t least = std::max<uint32_t>(1, quantum_steps_ / 2);
  const int64_t fits =
      quantum_steps_ * kQuantumNs * kTunedQuanta / std::max<int64_t>(1, elapsed_ns);
  quantum_steps_ = static_cast<uint32_t>(std::clamp<int64_t>(fits, std::min(least, most), most));
}

bool GuestThread::Safepoint() {
  if (setup_.gate.requested()) {
    halted_at_ns_ = setup_.clock.Halt();
    if (!setup_.gate.Acknowledge()) {  // withdrawn
      setup_.clock.Run(HostMonotonicNs());
      return true;
    }
    return AwaitRelease();
  }
  return !setup_.gate.stopping();
}

bool GuestThread::HaltOfOwnAccord() {
  halted_at_ns_ = setup_.clock.Halt();
  if (!setup_.gate.HaltSelf()) {  // a request came first
    setup_.clock.Run(HostMonotonicNs());
    return true;
  }
  setup_.on_self_halt();
  if (!AwaitRelease()) return false;
  if (target_ == steps_local_) target_ = kNoTarget;  // reached, and no later one set
  return true;
}

bool GuestThread::AwaitRelease() {
  if (!setup_.gate.AwaitRelease()) return false;
  if (resumed_at_ns_.load(std::memory_order_relaxed) == 0) {
    resumed_at_ns_.store(HostMonotonicNs(), std::memory_order_release);
  }
  if (Controls::Take(Control::kLoseStep)) ++steps_local_;
  return true;
}

bool GuestThread::SleepFor(int64_t ns) {
  const int64_t until_ns = setup_.clock.GuestMonotonicNs() + ns;
  while (!setup_.gate.EnterIdle()) {
    if (!Safepoint()) return false;
  }
  for (;;) {
    const int64_t left_ns = until_ns - setup_.clock.GuestMonotonicNs();
    if (left_ns <= 0) return setup_.gate.LeaveIdle();
    if (!setup_.gate.SleepIdle(left_ns)) return false;
  }
}

// Runs for a share of each period and sleeps for the rest. Decides only when steps run.
bool GuestThread::KeepDutyCycle() {
  duty_quanta_left_ = kDutyCheckQuanta;
  const int64_t now_ns = setup_.clock.GuestMonotonicNs();
  const int64_t ran_ns = now_ns - duty_period_from_ns_;
  if (ran_ns >= kDutyPeriodNs) {
    duty_period_from_ns_ = now_ns;
    return true;
  }
  if (static_cast<double>(ran_ns) < setup_.duty_cycle * static_cast<double>(kDutyPeriodNs))
    return true;
  const bool going_on = SleepFor(kDutyPeriodNs - ran_ns);
  duty_period_from_ns_ = setup_.clock.GuestMonotonicNs();
  return going_on;
}

void GuestThread::PollWhileWaiting() {
  if (setup_.gate.Open()) return;
  mid_step_ = true;
  const bool going_on = Safepoint();
  // A stopping guest leaves at the end of the step, which the copier's page will let it reach.
  if (going_on) mid_step_ = false;
}

}  // namespace standstill
