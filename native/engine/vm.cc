#include "standstill/vm.h"

#include <condition_variable>
#include <cstring>
#include <new>
#include <set>
#include <utility>

#include "engine/vm_impl.h"
#include "port/clock.h"
#include "port/memory.h"
#include "util/controls.h"

namespace standstill {
namespace {

// The VMs whose guest threads must be stopped at exit. Never destroyed.
struct Registry {
  std::mutex mutex;
  std::set<Vm*> vms;  // mutex

  static Registry& Get() {
    static Registry& registry = *new Registry;
    return registry;
  }
};

bool ParamsInRange(const Program& program, const ParamValues& values) {
  for (size_t i = 0; i < program.params.size(); ++i) {
    if (!ParamFits(program.params[i], values[i])) return false;
  }
  return true;
}

}  // namespace

// ── Inside ────────────────────────────────────────────────────────────────────────────────────

Status Vm::Impl::Runnable() const {
  if (closed) return Status::kClosed;
  if (holder != nullptr || exclusive) return Status::kBusy;
  if (faulted()) return Status::kFaulted;
  return Status::kOk;
}

void Vm::Impl::OpenForReaders() {
  (void)ram->Whole();  // a loss is known from here on
  if (exclusive || std::exchange(readers_open, true)) return;
  leases.Open();
}

Status Vm::Impl::Halt(int64_t timeout_ns, PauseResult* out, bool* was_running) {
  const int64_t from_ns = HostMonotonicNs();
  const PauseGate::Ticket ticket = gate.Request(false);
  if (!ticket.halted && !gate.WaitHalted(ticket.generation, timeout_ns) &&
      gate.Withdraw(ticket.generation)) {
    return Status::kPauseTimeout;
  }
  const int64_t seen_ns = HostMonotonicNs();
  if (ticket.requested && ticket.halted) (void)clock.Halt();  // on behalf of a sleeping guest
  OpenForReaders();
  *was_running = ticket.requested;
  *out = {};
  if (ticket.requested)
    *out = {ticket.halted ? seen_ns - from_ns : guest->halted_at_ns() - from_ns, seen_ns - from_ns};
  return Status::kOk;
}

void Vm::Impl::Release() {
  if (!gate.BeginRelease(gate.generation())) return;
  if (std::exchange(readers_open, false)) leases.Revoke();
  clock.Run(HostMonotonicNs());
  gate.FinishRelease(gate.generation());
}

EpochResult Vm::Impl::EndEpochHalted() {
  if (audit != nullptr && !Controls::Take(Control::kSkipAudit)) audit->Verify(marks->active());
  EpochResult result;
  result.epoch = marks->EndEpoch();
  guest->UseMarks(marks->active());
  return result;
}

void Vm::Impl::ApplyFlipControl() {
  if (!Controls::Take(Control::kFlipRam)) return;
  const uint64_t gpa = config.ram_bytes / 2;
  marks->Mark(gpa >> kPageShift);
  ram->base()[gpa] ^= std::byte{1};
}

void Vm::Impl::FreeMemory() {
  base = {};
  origin.reset();
  page_crcs = {};
  audit.reset();
  handover.reset();
  marks.reset();
  ram.reset();
}

void Vm::Impl::OnSelfHalt() {
  (void)ram->Whole();
  FinishRunUntil(guest->faulted() ? Status::kFaulted : Status::kOk);
}

void Vm::Impl::FinishRunUntil(Status status) {
  std::function<void(Status)> done;
  {
    const std::lock_guard lock(pending_mutex);
    done = std::exchange(pending, nullptr);
  }
  if (done) done(status);
}

// ── Life ──────────────────────────────────────────────────────────────────────────────────────

Vm::Vm(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Vm::~Vm() {
  Close();
}

Status Vm::Create(const VmConfig& config, std::shared_ptr<Vm>* out) try {
  std::unique_ptr<GuestRam> ram;
  if (const Status status = GuestRam::Create(config.ram_bytes, config.prefault, &ram);
      status != Status::kOk) {
    return status;
  }
  std::unique_ptr<Impl> impl;
  if (const Status status = Impl::Build(config, std::move(ram), &impl); status != Status::kOk)
    return status;
  config.program->init({impl->guest->registers(), *impl->ram, impl->config.params, config.seed});
  return Impl::Open(std::move(impl), out);
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status Vm::Impl::Build(const VmConfig& config, std::unique_ptr<GuestRam> ram,
                       std::unique_ptr<Impl>* out) {
  if (config.program == nullptr || !(config.duty_cycle > 0 && config.duty_cycle <= 1) ||
      !ParamsInRange(*config.program, config.params)) {
    return Status::kInvalidArgument;
  }
  auto impl = std::make_unique<Impl>(config);
  impl->ram = std::move(ram);
  if (const Status status = WriteMarks::Create(impl->ram->pages(), &impl->marks);
      status != Status::kOk)
    return status;
  Impl* const inside = impl.get();
  impl->guest = std::make_unique<GuestThread>(GuestThread::Setup{
      *config.program, *impl->ram, impl->gate, impl->clock, impl->marks->active(),
      config.duty_cycle, [inside] { inside->OnSelfHalt(); }});
  *out = std::move(impl);
  return Status::kOk;
}

Status Vm::Impl::Open(std::unique_ptr<Impl> impl, std::shared_ptr<Vm>* out) {
#if STANDSTILL_CONTROLS
  impl->audit = std::make_unique<ShadowAudit>(*impl->ram);
#endif
  std::shared_ptr<Vm> vm(new Vm(std::move(impl)));
  vm->impl_->OpenForReaders();
  {
    Registry& registry = Registry::Get();
    const std::lock_guard lock(registry.mutex);
    registry.vms.insert(vm.get());
  }
  if (!vm->impl_->guest->Start()) return Status::kThreadFailed;
  *out = std::move(vm);
  return Status::kOk;
}

const VmConfig& Vm::config() const {
  return impl_->config;
}

bool Vm::shares_memory() const {
  return impl_->ram != nullptr && impl_->ram->shares_memory();
}

VmState Vm::state() const {
  if (impl_->closed) return VmState::kClosed;
  switch (impl_->gate.state()) {
    case PauseGate::kRunning:
      return impl_->gate.idle() ? VmState::kIdle : VmState::kRunning;
    case PauseGate::kRequested:
      return VmState::kPausing;
    default:
      if (!impl_->started) return VmState::kCreated;
      return impl_->faulted() ? VmState::kFaulted : VmState::kPaused;
  }
}

Status Vm::Start() {
  const std::lock_guard lock(impl_->control);
  if (!impl_->closed && impl_->started && !impl_->faulted()) return Status::kAlreadyStarted;
  if (const Status status = impl_->Runnable(); status != Status::kOk) return status;
  impl_->started = true;
  impl_->Release();
  return Status::kOk;
}

Status Vm::Pause(int64_t timeout_ns, PauseResult* out) {
  const std::lock_guard lock(impl_->control);
  if (impl_->closed) return Status::kClosed;
  bool was_running;
  return impl_->Halt(timeout_ns, out, &was_running);
}

Status Vm::Resume() {
  const std::lock_guard lock(impl_->control);
  if (const Status status = impl_->Runnable(); status != Status::kOk) return status;
  if (!impl_->started) return Status::kNotStarted;
  if (!impl_->halted()) return Status::kOk;
  impl_->Release();
  (void)impl_->clock.Synchronise(impl_->config.sync);
  return Status::kOk;
}

Status Vm::RunUntil(uint64_t step, std::function<void(Status)> done) {
  bool there = false;
  {
    const std::lock_guard lock(impl_->control);
    if (const Status status = impl_->Runnable(); status != Status::kOk) return status;
    {
      const std::lock_guard pending_lock(impl_->pending_mutex);
      if (impl_->pending) return Status::kBusy;
    }
    PauseResult pause;
    bool was_running;
    if (const Status status = impl_->Halt(kHandshakeTimeoutNs, &pause, &was_running);
        status != Status::kOk) {
      return status;
    }
    GuestThread& guest = *impl_->guest;
    // Asked while it is halted: a released guest writes what these read.
    const Status refusal = impl_->faulted()       ? Status::kFaulted
                           : guest.mid_step()     ? Status::kBusy
                           : step < guest.steps() ? Status::kStepPassed
                                                  : Status::kOk;
    if (refusal != Status::kOk) {
      if (was_running) impl_->Release();
      return refusal;
    }
    there = step == guest.steps();
    impl_->started = true;
    if (!there) {
      {
        const std::lock_guard pending_lock(impl_->pending_mutex);
        impl_->pending = std::move(done);
      }
      guest.SetTarget(step);
      impl_->Release();
    }
  }
  if (there) done(Status::kOk);
  return Status::kOk;
}

Status Vm::RunUntilAndWait(uint64_t step) {
  std::mutex mutex;
  std::condition_variable changed;
  bool finished = false;
  Status outcome = Status::kOk;
  const Status status = RunUntil(step, [&](Status result) {
    const std::lock_guard lock(mutex);
    outcome = result;
    finished = true;
    changed.notify_one();
  });
  if (status != Status::kOk) return status;
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return finished; });
  return outcome;
}

void Vm::Close() {
  {
    Registry& registry = Registry::Get();
    const std::lock_guard lock(registry.mutex);
    registry.vms.erase(this);
  }
  {
    const std::lock_guard lock(impl_->control);
    if (impl_->closed.exchange(true)) return;
    impl_->holder = nullptr;
    if (std::exchange(impl_->readers_open, false)) impl_->leases.Revoke();
    if (impl_->copy_progress != nullptr) impl_->copy_progress->Cancel();
    impl_->guest->Stop();
    if (!impl_->copying) impl_->FreeMemory();  // else the operation does, as it ends
  }
  impl_->FinishRunUntil(Status::kClosed);
}

void StopAllGuests(int64_t timeout_ns) {
  Registry& registry = Registry::Get();
  const std::lock_guard lock(registry.mutex);
  for (Vm* vm : registry.vms) vm->impl_->gate.Stop();
  const int64_t until_ns = MomentAfter(HostMonotonicNs(), timeout_ns);
  for (Vm* vm : registry.vms) {
    while (!vm->impl_->guest->left() && HostMonotonicNs() < until_ns) CpuRelax();
  }
}

// ── Memory ────────────────────────────────────────────────────────────────────────────────────

Status Vm::AcquireLease(Lease* lease) {
  if (impl_->closed) return Status::kClosed;
  Status status = lease->Acquire(impl_->leases);
  if (status == Status::kNotPaused) {
    // A guest that halts of its own accord takes no mutex, and leaves the opening to its first
    // reader.
    const std::lock_guard lock(impl_->control);
    if (impl_->exclusive) return Status::kBusy;
    if (!impl_->closed && impl_->halted()) {
      impl_->OpenForReaders();
      status = lease->Acquire(impl_->leases);
    }
  }
  return impl_->closed ? Status::kClosed : status;
}

Status Vm::Digest(const DigestOptions& options, DigestResult* out) {
  Lease lease;
  if (const Status status = AcquireLease(&lease); status != Status::kOk) return status;
  Status status = DigestRam(*impl_->ram, lease, options, out);
  if (status == Status::kOk) status = impl_->MemoryStatus();
  impl_->ApplyFlipControl();
  return status == Status::kLeaseRevoked ? impl_->LeaseEnd() : status;
}

Status Vm::Check(CheckReport* out, Progress* progress) try {
  Lease lease;
  if (const Status status = AcquireLease(&lease); status != Status::kOk) return status;
  if (impl_->guest->mid_step()) return Status::kBusy;
  Progress unheard;
  LeasedReader reader(*impl_->ram, lease, progress != nullptr ? *progress : unheard);
  const CheckReport report = impl_->config.program->check(impl_->guest->registers(), reader);
  if (lease.revoked()) return impl_->LeaseEnd();
  *out = report;
  return impl_->MemoryStatus();
} catch (const ReadEnded&) {
  return progress != nullptr && progress->cancelled() ? Status::kCancelled : impl_->LeaseEnd();
}

Status Vm::ReadRegisters(std::vector<std::byte>* out) {
  Lease lease;
  if (const Status status = AcquireLease(&lease); status != Status::kOk) return status;
  if (impl_->guest->mid_step()) return Status::kBusy;
  const auto* registers = static_cast<const std::byte*>(impl_->guest->registers());
  out->assign(registers, registers + impl_->config.program->register_bytes);
  return Status::kOk;
}

Status Vm::ReadRam(uint64_t gpa, uint64_t length, std::vector<std::byte>* out) try {
  Lease lease;
  if (const Status status = AcquireLease(&lease); status != Status::kOk) return status;
  if (!impl_->ram->Contains(gpa, length)) return Status::kInvalidArgument;
  out->resize(length);
  Progress unheard;
  LeasedReader reader(*impl_->ram, lease, unheard);
  for (uint64_t done = 0; done < length; done += std::min(kLeasePollBytes, length - done)) {
    reader.Read(gpa + done, out->data() + done, std::min(kLeasePollBytes, length - done));
  }
  return impl_->MemoryStatus();
} catch (const ReadEnded&) {
  return impl_->LeaseEnd();
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status Vm::FlipBit(uint64_t gpa, unsigned bit) {
  const std::lock_guard lock(impl_->control);
  if (impl_->closed) return Status::kClosed;
  if (impl_->copying && !impl_->proof_armed) return Status::kBusy;
  if (!impl_->halted()) return Status::kNotPaused;
  if (!impl_->ram->Contains(gpa, 1) || bit > 7) return Status::kInvalidArgument;
  impl_->marks->Mark(gpa >> kPageShift);
  impl_->ram->base()[gpa] ^= std::byte{1} << bit;
  return Status::kOk;
}

Status Vm::EndEpoch(EpochResult* out) {
  const std::lock_guard lock(impl_->control);
  if (impl_->closed) return Status::kClosed;
  if (impl_->exclusive) return Status::kBusy;
  impl_->marks->ReserveClean();
  PauseResult pause;
  bool was_running;
  if (const Status status = impl_->Halt(kHandshakeTimeoutNs, &pause, &was_running);
      status != Status::kOk) {
    return status;
  }
  const bool whole = !impl_->guest->mid_step();
  if (whole) *out = impl_->EndEpochHalted();
  if (was_running) impl_->Release();
  if (!whole) return Status::kBusy;
  out->dirty_pages = impl_->marks->Fold();
  return Status::kOk;
}

Status Vm::Stats(VmStats* out) {
  const std::lock_guard lock(impl_->control);
  if (impl_->closed) return Status::kClosed;
  out->state = state();
  out->steps = impl_->guest->steps();
  out->epoch = impl_->marks->epoch();
  (void)impl_->marks->Fold();
  out->folded_epoch = impl_->marks->folded_epoch();
  out->dirty_pages = impl_->marks->dirty_pages_last();
  out->dirty_pages_total = impl_->marks->dirty_pages_total();
  if (impl_->faulted()) out->fault = {impl_->guest->fault(), impl_->guest->steps()};
  out->clock = impl_->clock.Read();
  out->clock_lag_ns = impl_->clock.LagNs();
  out->paused_total_ns = impl_->clock.PausedTotalNs();
  out->ticker = impl_->guest->ticker();
  return Status::kOk;
}

}  // namespace standstill
