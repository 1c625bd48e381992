// The inside of a Vm, shared by the vm*.cc files and freeze.cc, and by nobody else.
//
// Threads and ordering: see vm.h. Every field names its guard.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "engine/guest_thread.h"
#include "memory/audit.h"
#include "memory/handover.h"
#include "memory/lease.h"
#include "snapshot/page_crcs.h"
#include "snapshot/page_table.h"
#include "standstill/clock_page.h"
#include "standstill/freeze.h"
#include "standstill/guest_ram.h"
#include "standstill/pause_gate.h"
#include "standstill/vm.h"
#include "standstill/write_marks.h"

namespace standstill {

class Vm::Impl {
 public:
  explicit Impl(const VmConfig& config)
      : config(config), store(config.page_store), params(config.params), seed(config.seed) {}

  // A VM about to be, its guest thread not started; and its beginning, halted.
  static Status Build(const VmConfig& config, std::unique_ptr<GuestRam> ram,
                      std::unique_ptr<Impl>* out);
  static Status Open(std::unique_ptr<Impl> impl, std::shared_ptr<Vm>* out);

  bool halted() const { return gate.state() == PauseGate::kHalted; }
  bool faulted() const { return halted() && guest->faulted(); }
  // Why a lease was revoked.
  Status LeaseEnd() const { return closed ? Status::kClosed : Status::kLeaseRevoked; }

  // All of these with `control` held.
  Status Runnable() const;  // kClosed, kFaulted, kBusy in a freeze; else kOk
  Status Halt(int64_t timeout_ns, PauseResult* out, bool* was_running);
  void Release();
  void OpenForReaders();  // after the guest has halted
  EpochResult EndEpochHalted();
  MachineState Capture() const;  // of a halted guest that is not inside a step
  void FreeMemory();
  void ApplyFlipControl();  // flips a bit behind everyone's back, where the control is armed

  // In vm_snapshot.cc and vm_rollback.cc; those with an operation need it begun.
  class Operation;
  Status EnsureBase();
  Status SnapshotHalted(Progress& progress, std::shared_ptr<const Snapshot>* out,
                        SnapshotCost* cost);
  Status SnapshotLive(Progress& progress, std::shared_ptr<const Snapshot>* out, SnapshotCost* cost);
  Status BeginRollback(const MachineState& to, Progress* progress, Operation* operation);
  Status FindPagesToRestore(const PageTable& to, uint64_t* epoch, PageSet* pages);
  // Copies back what differs; where `progress` is cancelled, RAM is a mixture.
  void CopyPages(const PageTable& from, const PageSet& pages, Progress& progress);
  // Takes the snapshot on, whose RAM is there already; not `whole`: but for some of the pages.
  void Adopt(const Snapshot& snapshot, const PageSet& pages, uint64_t epoch, bool whole = true);
  // Both. kMemoryLost, kSnapshotDamaged: RAM is as before, or, where that came in the middle, the guest
  // is faulted, since some of it is not the snapshot's.
  Status Restore(const Snapshot& snapshot, const PageSet& pages, uint64_t epoch);
  std::shared_ptr<const PageTable> Origin() const;  // what RAM began as

  // Of whoever has read RAM, before the result counts.
  Status MemoryStatus() const { return ram->Whole() ? Status::kOk : Status::kMemoryLost; }

  void OnSelfHalt();                   // guest thread
  void FinishRunUntil(Status status);  // calls a pending RunUntil back

  const VmConfig config;
  PauseGate gate;    // its own ordering
  ClockPage clock;   // its own ordering
  LeaseBook leases;  // its own ordering

  mutable std::mutex control;
  std::unique_ptr<GuestRam> ram;       // control, and a lease
  std::unique_ptr<WriteMarks> marks;   // control
  std::unique_ptr<GuestThread> guest;  // set at creation
  std::unique_ptr<Handover> handover;  // by `copying`; made at the first live copy
  std::unique_ptr<ShadowAudit> audit;  // control; null but in control builds
  std::atomic<bool> started{false};    // written under control
  std::atomic<bool> closed{false};     // written under control
  const Freeze* holder = nullptr;      // control
  bool readers_open = false;           // control: the lease book is open for this halt

  // What happens to the whole of RAM: a snapshot, a rollback, an exploration, a live digest. One at
  // a time; who has it may read and write `base`, `handover` and `crcs` without `control`.
  bool copying = false;               // control
  bool proof_armed = false;           // control: and its copier has not begun: RAM may be changed
  bool exclusive = false;             // control: and the guest must stay halted, and RAM unread
  Progress* copy_progress = nullptr;  // control: of the operation under way, to cancel it
  std::condition_variable copy_done;  // control
  // The RAM equals the base's table but for the pages written after the base's epoch.
  struct Base {
    std::shared_ptr<const PageTable> table;  // null: as RAM began
    uint64_t epoch = 0;
  };
  Base base;                                // by `copying`
  std::shared_ptr<const FilePages> origin;  // what RAM is mapped from; null: it began as zeroes
  // Each page's CRC as of an epoch's end; made by the first deferred proof.
  struct KnownCrcs {
    std::unique_ptr<PageCrcs> table;
    uint64_t epoch = 0;
  };
  KnownCrcs page_crcs;               // by `copying`
  std::shared_ptr<PageStore> store;  // by `copying`; made at the first snapshot, if none is given
  ParamValues params;                // control: of the guest that is in RAM now
  uint64_t seed;                     // control: the same

  std::mutex pending_mutex;
  std::function<void(Status)> pending;  // pending_mutex
};

}  // namespace standstill
