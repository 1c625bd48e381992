#include "engine/vm_operation.h"

#include <utility>

namespace standstill {

Status Vm::Impl::Operation::Begin(Mode mode, Progress* progress) {
  if (impl_.closed) return Status::kClosed;
  if (impl_.copying) return Status::kBusy;
  impl_.copying = begun_ = true;
  impl_.copy_progress = progress;
  if (mode == Mode::kExclusive) {
    impl_.exclusive = true;
    if (std::exchange(impl_.readers_open, false)) impl_.leases.Revoke();
  }
  return Status::kOk;
}

Vm::Impl::Operation::~Operation() {
  if (!begun_) return;
  const std::lock_guard lock(impl_.control);
  impl_.copying = impl_.exclusive = false;
  impl_.copy_progress = nullptr;
  if (impl_.closed) impl_.FreeMemory();
  impl_.copy_done.notify_all();
}

Status Vm::Impl::Operation::EndEpoch(PageSink* sink, Cut* cut) {
  const std::lock_guard lock(impl_.control);
  if (impl_.closed) return Status::kClosed;
  if (sink != nullptr && impl_.handover == nullptr) {
    const Status status = Handover::Create(*impl_.ram, impl_.guest->waiter(), &impl_.handover);
    if (status != Status::kOk) return status;
  }
  impl_.marks->ReserveClean();
  const int64_t from_ns = HostMonotonicNs();
  PauseResult pause;
  if (const Status status = impl_.Halt(kHandshakeTimeoutNs, &pause, &cut->was_running);
      status != Status::kOk) {
    return status;
  }
  // A sleeping guest is halted on its behalf, and stamps nothing.
  cut->halted_at_ns = std::max(from_ns, impl_.guest->halted_at_ns());
  const bool whole = !impl_.guest->mid_step();  // else in the wait of an earlier copy, cancelled
  if (whole) {
    cut->state = impl_.Capture();
    cut->epoch = impl_.EndEpochHalted().epoch;
    if (sink != nullptr) {
      impl_.handover->Begin(sink);
      impl_.guest->UseHandover(impl_.handover.get());
    }
  }
  if (cut->was_running) {
    impl_.guest->ExpectResume();
    impl_.Release();
  }
  cut->released_at_ns = HostMonotonicNs();
  return whole ? Status::kOk : Status::kBusy;
}

Status Vm::Impl::Operation::CancelCopy(Status why) {
  impl_.handover->Cancel();
  for (;;) {
    const std::lock_guard lock(impl_.control);
    if (impl_.closed) return Status::kClosed;  // its guest thread has ended
    PauseResult pause;
    bool was_running;
    if (impl_.Halt(kHandshakeTimeoutNs, &pause, &was_running) != Status::kOk) continue;
    if (was_running) impl_.Release();
    return why;
  }
}

}  // namespace standstill
