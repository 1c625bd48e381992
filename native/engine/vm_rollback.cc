// The way back to a snapshot, once or many times over.
#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "engine/vm_operation.h"
#include "port/clock.h"
#include "util/prng.h"

namespace standstill {
namespace {

void RestorePage(GuestRam& ram, const PageTable& from, uint64_t page) {
  std::byte* const to = ram.base() + page * kPageBytes;
  if (const std::byte* bytes = from.page(page)) {
    std::memcpy(to, bytes, kPageBytes);
  } else {
    std::memset(to, 0, kPageBytes);
  }
}

// Looks at those of the pages that are in a file, before anything is changed by them.
Status Examine(const PageTable& table, const PageSet& pages) {
  if (table.file() == nullptr) return Status::kOk;
  ForWords(pages, false, [&](uint64_t index, uint64_t) {
    pages.ForEachIn(index, index + 1, [&](uint64_t page) { (void)table.page(page); });
  });
  return table.Health();
}

}  // namespace

// An operation that can be cancelled is; then the VM is held, and its guest outside of any step.
Status Vm::Impl::BeginRollback(const MachineState& to, Progress* progress, Operation* operation) {
  std::unique_lock lock(control);
  if (!closed && copying && !exclusive) {
    if (copy_progress == nullptr) return Status::kBusy;
    copy_progress->Cancel();
    copy_done.wait(lock, [this] { return !copying || exclusive; });
  }
  if (closed) return Status::kClosed;
  if (holder != nullptr) return Status::kBusy;
  if (!halted()) return Status::kNotPaused;
  if (const Status status = MemoryStatus(); status != Status::kOk) return status;
  {
    const std::lock_guard pending_lock(pending_mutex);
    if (pending) return Status::kBusy;
  }
  if (to.program != config.program || to.ram_bytes != config.ram_bytes)
    return Status::kSnapshotMismatch;
  if (guest->mid_step()) {  // halted in its wait for a copier, which has gone
    Release();
    PauseResult pause;
    bool was_running;
    const Status status = Halt(kHandshakeTimeoutNs, &pause, &was_running);
    if (status != Status::kOk) return status;
  }
  return operation->Begin(Operation::Mode::kExclusive, progress);
}

Status Vm::Impl::FindPagesToRestore(const PageTable& to, uint64_t* epoch, PageSet* pages) {
  if (const Status status = EnsureBase(); status != Status::kOk) return status;
  {
    const std::lock_guard lock(control);
    if (closed) return Status::kClosed;
    marks->ReserveClean();
    *epoch = EndEpochHalted().epoch;
  }
  (void)marks->Fold();
  *pages = marks->PagesNewerThan(base.epoch);
  base.table->AddMoved(to, pages);
  return Status::kOk;
}

void Vm::Impl::CopyPages(const PageTable& from, const PageSet& pages, Progress& progress) {
  progress.Begin(pages.count());
  ForWords(pages, false, [&](uint64_t index, uint64_t word) {
    if (progress.cancelled()) return;
    pages.ForEachIn(index, index + 1, [&](uint64_t page) { RestorePage(*ram, from, page); });
    progress.Add(static_cast<uint64_t>(std::popcount(word)));
  });
}

Status Vm::Impl::Restore(const Snapshot& snapshot, const PageSet& pages, uint64_t epoch) {
  const PageTable& table = *snapshot.table();
  if (const Status status = Examine(table, pages); status != Status::kOk) return status;
  Progress unheard;  // a VM cannot be left half-way
  CopyPages(table, pages, unheard);
  const Status status = table.Health();
  Adopt(snapshot, pages, epoch, status == Status::kOk);
  if (status != Status::kOk) guest->Fault({FaultKind::kMemoryLost, 0, 0});
  return status;
}

void Vm::Impl::Adopt(const Snapshot& snapshot, const PageSet& pages, uint64_t epoch, bool whole) {
  std::shared_ptr<const PageTable> table = snapshot.table();
  marks->RecordWritten(pages);
  // Another host's pages are not for this one's snapshots to share; a file's are anybody's.
  if (table->store() != store && table->AllInFile())
    table = std::make_shared<const PageTable>(store, table->pages(), table->file());
  const bool sharable = whole && table->store() == store;
  base = {sharable ? table : Origin(), sharable ? epoch : 0};
  const MachineState& state = snapshot.state();
  const std::lock_guard lock(control);
  if (closed) return;
  if (audit != nullptr) audit->Accept(pages);
  guest->Restore(state.registers, state.steps);
  guest->ticker_for_window().Rebase(clock.Restore(state.guest_monotonic_ns, state.guest_wall_ns));
  params = state.params;
  seed = state.seed;
  started = true;
}

Status Vm::Rollback(const Snapshot& snapshot, uint64_t pages_max, RollbackResult* out) try {
  Impl& vm = *impl_;
  Impl::Operation operation(vm);
  Status status = vm.BeginRollback(snapshot.state(), nullptr, &operation);
  if (status != Status::kOk) return status;
  uint64_t epoch;
  PageSet pages(0);
  status = vm.FindPagesToRestore(*snapshot.table(), &epoch, &pages);
  if (status != Status::kOk) return status;
  out->pages = pages.count();
  out->done = out->pages <= pages_max;
  if (out->done) status = vm.Restore(snapshot, pages, epoch);
  if (status != Status::kOk) return status;
  return vm.closed ? Status::kClosed : Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

// ── Exploring ─────────────────────────────────────────────────────────────────────────────────

namespace {

// Runs steps on this thread. Guest time stands still, and a guest that would sleep goes on at once.
uint64_t RunInline(const Program& program, GuestThread& guest, uint64_t steps, TickerStats* ticker,
                   GuestFault* fault) {
  Inputs inputs;
  inputs.ticker = ticker;
  uint64_t done = 0;
  while (done < steps && fault->kind == FaultKind::kNone && !guest.memory_lost()) {
    const auto budget = static_cast<uint32_t>(std::min<uint64_t>(kQuantumStepsMax, steps - done));
    done += program.run(guest.registers(), guest.window(), inputs, budget, fault).steps;
  }
  return done;
}

}  // namespace

uint64_t ExploreSeed(uint64_t seed, uint64_t run) {
  return Mix64(seed ^ Mix64(run));
}

Status Vm::Explore(const Snapshot& snapshot, const ExploreOptions& options, Progress& progress,
                   ExploreResult* out) try {
  Impl& vm = *impl_;
  const Program& program = *vm.config.program;
  Impl::Operation operation(vm);
  Status status = vm.BeginRollback(snapshot.state(), &progress, &operation);
  if (status != Status::kOk) return status;
  const auto rollback = [&] {
    uint64_t epoch;
    PageSet pages(0);
    status = vm.FindPagesToRestore(*snapshot.table(), &epoch, &pages);
    if (status == Status::kOk) status = vm.Restore(snapshot, pages, epoch);
    if (status == Status::kOk) status = vm.MemoryStatus();
    return pages.count();
  };
  LeaseBook book;  // nobody else reads meanwhile, and nobody revokes
  book.Open();
  Lease lease;
  if (status = lease.Acquire(book); status != Status::kOk) return status;
  Progress of_a_check;
  LeasedReader reader(*vm.ram, lease, of_a_check);
  TickerStats unheard;
  const int64_t from_ns = HostMonotonicNs();
  progress.Begin(options.runs);
  (void)rollback();
  for (uint64_t run = 0; run < options.runs && status == Status::kOk && !progress.cancelled();
       ++run) {
    void* const registers = vm.guest->registers();
    const uint64_t seed = ExploreSeed(options.seed, run);
    if (program.reseed != nullptr) program.reseed(registers, seed);
    ExploreFinding finding;
    finding.run = run;
    finding.seed = seed;
    const uint64_t steps = RunInline(program, *vm.guest, options.steps, &unheard, &finding.fault);
    finding.step = snapshot.state().steps + steps;
    const bool faulted = finding.fault.kind != FaultKind::kNone;
    if (!faulted && options.check) finding.check = program.check(registers, reader);
    if (faulted || !finding.check.ok) {
      ++out->findings_total;
      if (out->findings.size() < ExploreResult::kFindingsMax) out->findings.push_back(finding);
    }
    const int64_t ran_until_ns = HostMonotonicNs();
    out->pages_restored += rollback();
    out->rollback_ns += HostMonotonicNs() - ran_until_ns;
    ++out->runs;
    progress.Add(1);
  }
  out->elapsed_ns = HostMonotonicNs() - from_ns;
  if (status != Status::kOk) return status;
  if (vm.closed) return Status::kClosed;
  return progress.cancelled() ? Status::kCancelled : Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

}  // namespace standstill
