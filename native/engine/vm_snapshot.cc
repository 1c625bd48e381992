// Snapshots of a VM, halted or live.
#include <algorithm>
#include <bit>
#include <new>
#include <utility>

#include "engine/vm_operation.h"
#include "port/clock.h"
#include "port/memory.h"
#include "port/thread.h"
#include "snapshot/saved_pages.h"
#include "util/check.h"

namespace standstill {
namespace {

// How many pages more than are dirty now the guest may touch before a live copy has begun.
constexpr uint64_t kMarginPages = 1024;
constexpr uint64_t kMarginShare = 8;
// How long the copy waits for the guest to run again. Where both have one CPU, the guest goes first:
// else it would stand still until the copy is done.
constexpr int64_t kResumeStampNs = 200'000;

int64_t ResumeStampOrZero(const GuestThread& guest) {
  const int64_t until_ns = HostMonotonicNs() + kResumeStampNs;
  int64_t at_ns;
  while ((at_ns = guest.resumed_at_ns()) == 0 && HostMonotonicNs() < until_ns) YieldCpu();
  return at_ns;
}

}  // namespace

// ── What a snapshot holds besides RAM ─────────────────────────────────────────────────────────

MachineState Vm::Impl::Capture() const {
  const ClockSample now = clock.Read();
  const auto* registers = static_cast<const std::byte*>(guest->registers());
  return {.vm_name = config.name,
          .program = config.program,
          .params = params,
          .seed = seed,
          .ram_bytes = config.ram_bytes,
          .steps = guest->steps(),
          .registers = {registers, registers + config.program->register_bytes},
          .guest_monotonic_ns = now.guest_monotonic_ns,
          .guest_wall_ns = now.guest_wall_ns,
          .taken_wall_ns = HostWallNs()};
}

Status Vm::Impl::EnsureBase() {
  if (store == nullptr) {
    const uint64_t limit_bytes =
        std::clamp(PhysicalMemoryBytes() / 2, kSnapshotLimitBytesMin, kSnapshotLimitBytesMax);
    if (const Status status = PageStore::Create(limit_bytes, &store); status != Status::kOk)
      return status;
  }
  if (base.table == nullptr) base.table = Origin();
  return Status::kOk;
}

std::shared_ptr<const PageTable> Vm::Impl::Origin() const {
  return std::make_shared<const PageTable>(store, ram->pages(), origin);
}

// ── Taking one ────────────────────────────────────────────────────────────────────────────────

Status Vm::TakeSnapshot(bool live, Progress& progress, std::shared_ptr<const Snapshot>* out,
                        SnapshotCost* cost) try {
  return live ? impl_->SnapshotLive(progress, out, cost)
              : impl_->SnapshotHalted(progress, out, cost);
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status Vm::Impl::SnapshotHalted(Progress& progress, std::shared_ptr<const Snapshot>* out,
                                SnapshotCost* cost) {
  Operation operation(*this);
  Lease lease;
  MachineState state;
  uint64_t epoch;
  {
    const std::lock_guard lock(control);
    if (const Status status = operation.Begin(Operation::Mode::kShared, &progress);
        status != Status::kOk)
      return status;
    if (!halted()) return Status::kNotPaused;
    if (guest->mid_step()) return Status::kBusy;
    OpenForReaders();
    if (const Status status = lease.Acquire(leases); status != Status::kOk) return status;
    marks->ReserveClean();
    state = Capture();
    epoch = EndEpochHalted().epoch;
  }
  const int64_t from_ns = HostMonotonicNs();
  if (const Status status = EnsureBase(); status != Status::kOk) return status;
  const PageSet changed = operation.PagesNewerThan(base.epoch);
  SavedPages saved(*store);
  const uint64_t pages = changed.count();
  if (const Status status = saved.Create(ram->pages(), pages); status != Status::kOk) return status;
  progress.Begin(pages);
  ForWords(changed, false, [&](uint64_t index, uint64_t word) {
    if (lease.revoked() || progress.cancelled()) return;
    for (uint64_t left = word; left != 0; left &= left - 1) {
      const uint64_t page = index * PageSet::kWordPages + std::countr_zero(left);
      SS_CHECK(saved.Save(page, ram->base() + page * kPageBytes, false));
    }
    progress.Add(static_cast<uint64_t>(std::popcount(word)));
  });
  if (lease.revoked()) return LeaseEnd();
  if (progress.cancelled()) return Status::kCancelled;
  if (const Status status = MemoryStatus(); status != Status::kOk) return status;
  base = {saved.Build(*base.table, changed), epoch};
  *out = std::make_shared<const Snapshot>(std::move(state), base.table);
  *cost = {.copy_ns = HostMonotonicNs() - from_ns, .pages_copied = pages};
  return Status::kOk;
}

Status Vm::Impl::SnapshotLive(Progress& progress, std::shared_ptr<const Snapshot>* out,
                              SnapshotCost* cost) {
  Operation operation(*this);
  {
    const std::lock_guard lock(control);
    if (const Status status = operation.Begin(Operation::Mode::kShared, &progress);
        status != Status::kOk)
      return status;
  }
  if (const Status status = EnsureBase(); status != Status::kOk) return status;
  // What is dirty already is known before the epoch that counts ends, so that there is room for it.
  Cut before;
  if (const Status status = operation.EndEpoch(nullptr, &before); status != Status::kOk)
    return status;
  const uint64_t dirty = operation.PagesNewerThan(base.epoch).count();
  SavedPages saved(*store);
  const uint64_t room = std::min(ram->pages(), dirty + dirty / kMarginShare + kMarginPages);
  if (const Status status = saved.Create(ram->pages(), room); status != Status::kOk) return status;

  Cut cut;
  if (const Status status = operation.EndEpoch(&saved, &cut); status != Status::kOk) return status;
  const int64_t copied_from_ns = HostMonotonicNs();
  int64_t resumed_at_ns = cut.was_running ? ResumeStampOrZero(*guest) : cut.halted_at_ns;
  const PageSet changed = operation.PagesNewerThan(base.epoch);
  const uint64_t pages = changed.count();
  const uint64_t unneeded = operation.PassOver(changed);
  if (pages + unneeded > room) {
    if (const Status status = saved.ReserveMore(pages + unneeded - room); status != Status::kOk)
      return operation.CancelCopy(status);
  }
  if (const Status status = operation.SavePages(changed, cut.was_running, progress);
      status != Status::kOk) {
    return status;
  }
  if (const Status status = MemoryStatus(); status != Status::kOk) return status;
  const int64_t copied_ns = HostMonotonicNs();
  if (resumed_at_ns == 0) resumed_at_ns = guest->resumed_at_ns();
  if (resumed_at_ns == 0) resumed_at_ns = copied_ns;
  *cost = {.blackout_ns = resumed_at_ns - cut.halted_at_ns,
           .copy_ns = copied_ns - copied_from_ns,
           .pages_copied = pages + unneeded,
           .pages_by_guest = handover->pages_saved_by_guest(),
           .guest_waits = handover->guest_waits().total(),
           .guest_wait_ns_max = static_cast<int64_t>(handover->guest_waits().max_ns()),
           .guest_steps = guest->steps() - cut.state.steps};
  base = {saved.Build(*base.table, changed), cut.epoch};
  *out = std::make_shared<const Snapshot>(std::move(cut.state), base.table);
  return Status::kOk;
}

}  // namespace standstill
