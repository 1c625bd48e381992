#include "standstill/freeze.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "engine/deadline.h"
#include "engine/vm_impl.h"
#include "port/clock.h"

namespace standstill {

Status Freeze::Begin(const std::vector<std::shared_ptr<Vm>>& vms, const FreezeOptions& options,
                     std::shared_ptr<Freeze>* out, size_t* culprit) try {
  *culprit = 0;
  if (options.budget_ns < 1 || options.handshake_timeout_ns < 1) return Status::kInvalidArgument;
  std::shared_ptr<Freeze> freeze(new Freeze(options));
  freeze->members_.reserve(vms.size());
  for (const auto& vm : vms) {
    freeze->members_.push_back({vm, options.sync.value_or(vm->config().sync), 0, false, {}});
    freeze->members_.back().record.name = vm->config().name;
  }
  // From the first request on nothing allocates but Arm, whose failure is a status.
  std::function<void()> deadline = [freeze] { freeze->ReleaseBy(ResumedBy::kDeadline); };

  if (const Status status = freeze->HaltAll(culprit); status != Status::kOk) return status;

  freeze->fence_->Hold();
  if (!DeadlineTimer::Get().Arm(freeze->deadline_ns_, std::move(deadline), &freeze->timer_)) {
    for (Member& member : freeze->members_) {
      const std::lock_guard lock(member.vm->impl_->control);
      GiveBack(member, *freeze);
    }
    return Status::kThreadFailed;
  }
  *out = std::move(freeze);
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Freeze::~Freeze() = default;

Status Freeze::HaltAll(size_t* culprit) {
  // In address order, so that two freezes of overlapping sets cannot wait for each other.
  std::vector<Vm::Impl*> order;
  for (const Member& member : members_) order.push_back(member.vm->impl_.get());
  std::sort(order.begin(), order.end());
  const auto refuse = [&](const Vm::Impl* impl, Status status) {
    const auto is_it = [&](const Member& member) { return member.vm->impl_.get() == impl; };
    *culprit = static_cast<size_t>(std::find_if(members_.begin(), members_.end(), is_it) -
                                   members_.begin());
    return status;
  };
  if (const auto twice = std::adjacent_find(order.begin(), order.end()); twice != order.end()) {
    return refuse(*twice, Status::kBusy);
  }
  std::vector<std::unique_lock<std::mutex>> locks;
  locks.reserve(order.size());
  for (Vm::Impl* impl : order) {
    locks.emplace_back(impl->control);
    if (impl->closed) return refuse(impl, Status::kClosed);
    if (impl->holder != nullptr || impl->exclusive) return refuse(impl, Status::kBusy);
    impl->marks->ReserveClean();
  }

  const bool many = members_.size() > 1;
  const int64_t from_ns = HostMonotonicNs();
  deadline_ns_ = MomentAfter(from_ns, options_.budget_ns);
  for (Member& member : members_) {
    Vm::Impl& impl = *member.vm->impl_;
    member.record.requested_at_ns = many ? HostMonotonicNs() : from_ns;
    const PauseGate::Ticket ticket = impl.gate.Request(many);
    member.generation = ticket.generation;
    member.record.was_running = ticket.requested;
    member.sleeping = ticket.requested && ticket.halted;
    if (member.sleeping) {
      member.record.halted_at_ns = impl.clock.Halt();
    }
  }
  const int64_t until_ns =
      MomentAfter(from_ns, std::min(options_.handshake_timeout_ns, options_.budget_ns));
  for (size_t i = 0; i < members_.size(); ++i) {
    Member& member = members_[i];
    Vm::Impl& impl = *member.vm->impl_;
    const int64_t left_ns = std::max<int64_t>(1, until_ns - HostMonotonicNs());
    if (!impl.gate.WaitHalted(member.generation, left_ns)) {
      *culprit = i;
      for (Member& each : members_) GiveBack(each, *this);
      return Status::kPauseTimeout;
    }
    FreezeRecord& record = member.record;
    record.observed_at_ns = HostMonotonicNs();
    if (record.was_running && !member.sleeping) record.halted_at_ns = impl.guest->halted_at_ns();
    if (!record.was_running) record.halted_at_ns = record.observed_at_ns;
  }
  for (Member& member : members_) {
    Vm::Impl& impl = *member.vm->impl_;
    impl.holder = this;
    impl.OpenForReaders();
    impl.guest->ticker_for_window().OpenWindow();
    member.record.steps_at_halt = impl.guest->steps();
    if (!impl.guest->mid_step()) (void)impl.EndEpochHalted();
  }
  return Status::kOk;
}

// Nothing half changed: a request is withdrawn, and a guest that had halted for it runs on. With
// the VM's mutex held since the request, or the VM held by the freeze: nobody else has paused it
// meanwhile.
void Freeze::GiveBack(Member& member, const Freeze& freeze) {
  Vm::Impl& impl = *member.vm->impl_;
  if (impl.holder == &freeze) impl.holder = nullptr;
  if (!member.record.was_running || impl.closed) return;
  if (!impl.gate.Withdraw(member.generation)) impl.Release();
}

void Freeze::ReleaseBy(ResumedBy by) {
  if (by == ResumedBy::kCaller) DeadlineTimer::Get().Disarm(timer_);
  // Who is first here ends the freeze, whoever gets to which guest.
  const FenceState end =
      fence_->End(by == ResumedBy::kCaller ? FenceState::kReleased : FenceState::kExpired);
  const ResumedBy ended_by =
      end == FenceState::kReleased ? ResumedBy::kCaller : ResumedBy::kDeadline;
  {
    const std::lock_guard lock(mutex_);
    // First every reader is told, then every guest runs, so that no guest waits for another one's
    // readers.
    for (Member& member : members_) {
      Vm::Impl& impl = *member.vm->impl_;
      const std::lock_guard control(impl.control);
      if (impl.holder != this || !member.record.was_running) continue;
      if (std::exchange(impl.readers_open, false)) impl.leases.Revoke();
    }
    for (Member& member : members_) {
      Vm::Impl& impl = *member.vm->impl_;
      const std::lock_guard control(impl.control);
      if (impl.holder != this) continue;  // released already, or closed
      impl.holder = nullptr;
      FreezeRecord& record = member.record;
      // Somebody who paused or read the halted VM in the meantime has opened it to readers again.
      if (record.was_running && std::exchange(impl.readers_open, false)) impl.leases.Revoke();
      record.steps_at_release = impl.guest->steps();
      record.released_at_ns = HostMonotonicNs();
      record.resumed_by = ended_by;
      if (record.was_running && impl.gate.BeginRelease(member.generation)) {
        impl.clock.Run(record.released_at_ns);
        impl.guest->ExpectResume();
        impl.gate.FinishRelease(member.generation);
      }
    }
    if (std::exchange(released_, true)) return;
  }
  Synchronise();  // off the blackout
}

void Freeze::Synchronise() {
  std::vector<std::function<void()>> callbacks;
  {
    const std::lock_guard lock(mutex_);
    if (const std::optional<int64_t> next_ns = SynchroniseDue(HostMonotonicNs())) {
      auto later = [self = shared_from_this()] { self->Synchronise(); };
      DeadlineTimer::Handle handle;
      if (DeadlineTimer::Get().Arm(*next_ns, std::move(later), &handle)) return;
      (void)SynchroniseDue(std::numeric_limits<int64_t>::max());  // no timer: rather now than never
    }
    settled_ = true;
    callbacks.swap(on_settled_);
  }
  for (const auto& callback : callbacks) callback();
}

// Synchronises the clocks whose delay is over by then, and answers when the next one's is.
std::optional<int64_t> Freeze::SynchroniseDue(int64_t now_ns) {
  std::optional<int64_t> next_ns;
  for (Member& member : members_) {
    FreezeRecord& record = member.record;
    if (!record.was_running || record.sync.at_ns != 0) continue;
    const int64_t due_ns = MomentAfter(record.released_at_ns, member.sync.delay_ns);
    if (due_ns <= now_ns) {
      record.sync = member.vm->impl_->clock.Synchronise(member.sync);
    } else {
      next_ns = std::min(due_ns, next_ns.value_or(due_ns));
    }
  }
  return next_ns;
}

int64_t Freeze::RemainingNs() const {
  return deadline_ns_ - HostMonotonicNs();
}

bool Freeze::released() const {
  const std::lock_guard lock(mutex_);
  return released_;
}

void Freeze::OnSettled(std::function<void()> callback) {
  {
    const std::lock_guard lock(mutex_);
    if (!settled_) {
      on_settled_.push_back(std::move(callback));
      return;
    }
  }
  callback();
}

std::vector<FreezeRecord> Freeze::Records() {
  const std::lock_guard lock(mutex_);
  std::vector<FreezeRecord> records;
  for (Member& member : members_) {
    FreezeRecord& record = member.record;
    if (record.released_at_ns != 0 && record.resumed_at_ns == 0) {
      const bool woken = record.was_running && !member.sleeping;
      record.resumed_at_ns =
          woken ? member.vm->impl_->guest->resumed_at_ns() : record.released_at_ns;
    }
    records.push_back(record);
  }
  return records;
}

}  // namespace standstill
