// Vm: one emulated virtual machine, and the only place that orders its life: start, pause, read,
// resume, close. The table of states and operations is src/vm/state-table.ts.
//
// Threads: every operation may be called from any host thread; operations of one VM exclude each
// other by its control mutex, which is held for microseconds (for Pause: up to the handshake's
// timeout). Digest, Check and reads hold a lease instead, so that a deadline can release the guest
// under them. Ordering: the control mutex among hosts, the pause gate towards the guest.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "standstill/clock_page.h"
#include "standstill/digest.h"
#include "standstill/program.h"
#include "standstill/snapshot.h"
#include "standstill/status.h"
#include "standstill/ticker_stats.h"

namespace standstill {

class Lease;

enum class VmState : uint8_t { kCreated, kRunning, kIdle, kPausing, kPaused, kFaulted, kClosed };

struct VmConfig {
  std::string name;
  const Program* program = nullptr;
  uint64_t ram_bytes = 0;
  ParamValues params{};
  uint64_t seed = 0;
  double duty_cycle = 1;  // share of the time in which steps run, in (0, 1]
  bool prefault = false;
  SyncPolicy sync = {};  // after each pause, unless a freeze says otherwise
  std::shared_ptr<PageStore> page_store = nullptr;  // for its snapshots; null: one of its own
};

// How a VM begins at a snapshot. Program, parameters, RAM size and seed are the snapshot's, whatever
// the configuration says.
struct RestoreOptions {
  bool clone = false;                   // share the memory of the snapshot's image, copy-on-write
  std::optional<uint64_t> reseed = {};  // lets chance go another way from here on
};

struct PauseResult {
  int64_t halt_ns =
      0;  // request → the guest's own stamp as it halts; 0 where it was halted already
  int64_t latency_ns = 0;  // request → the host has seen it
};

struct FaultReport {
  GuestFault fault;
  uint64_t step = 0;
};

struct VmStats {
  VmState state = VmState::kCreated;
  uint64_t steps = 0;
  uint64_t epoch = 0;
  uint64_t folded_epoch = 0;
  uint64_t dirty_pages = 0;        // written in the newest folded epoch
  uint64_t dirty_pages_total = 0;  // summed over the folded epochs
  FaultReport fault;               // kind kNone: none
  ClockSample clock;
  int64_t clock_lag_ns = 0;
  int64_t paused_total_ns = 0;
  const TickerStats* ticker =
      nullptr;  // lives as long as the VM object; null for programs without one
};

struct EpochResult {
  uint64_t epoch = 0;
  uint64_t dirty_pages = 0;
};

struct SnapshotCost {
  int64_t blackout_ns = 0;      // the guest's own halt stamp to its own resume stamp; 0: was halted
  int64_t copy_ns = 0;          // from the epoch's end until all was saved
  uint64_t pages_copied = 0;    // the rest is shared with the snapshot before, or zero
  uint64_t pages_by_guest = 0;  // copied by the guest itself, before its first write to them
  uint64_t guest_waits = 0;     // for a page in the copier's hands
  int64_t guest_wait_ns_max = 0;
  uint64_t guest_steps = 0;  // made during the copy
};

struct RollbackResult {
  uint64_t pages = 0;  // that differ, or may
  bool done = false;
};

struct ExploreOptions {
  uint64_t runs = 0;
  uint64_t steps = 0;  // of each run
  uint64_t seed = 0;   // run k draws its chance from ExploreSeed(seed, k)
  bool check = true;   // walk the program's invariants after each run
};
uint64_t ExploreSeed(uint64_t seed, uint64_t run);

// A run that ended in a guest fault or with an invariant that does not hold.
struct ExploreFinding {
  uint64_t run = 0;
  uint64_t seed = 0;
  uint64_t step = 0;
  GuestFault fault;
  CheckReport check;
};

struct ExploreResult {
  static constexpr size_t kFindingsMax = 100;
  uint64_t runs = 0;
  uint64_t findings_total = 0;
  std::vector<ExploreFinding> findings;  // the first of them
  uint64_t pages_restored = 0;
  int64_t rollback_ns = 0;  // the rollbacks' share of elapsed_ns
  int64_t elapsed_ns = 0;
};

class Vm {
 public:
  static constexpr int64_t kHandshakeTimeoutNs = 1'000'000'000;

  // kInvalidArgument (a size, a share or a parameter out of its range), kOutOfMemory,
  // kThreadFailed.
  static Status Create(const VmConfig& config, std::shared_ptr<Vm>* out);
  // A VM in state paused, at the snapshot's step. Where pages of the snapshot are still in a file, the
  // VM's RAM is mapped from it copy-on-write, and nothing is read now. Should that file be cut, written
  // to or unreadable later, the VM is faulted for good: every operation that reads its RAM answers
  // kMemoryLost. kInvalidArgument (a share), kOutOfMemory, kThreadFailed, kSnapshotLimit (a clone's
  // image), kCancelled, and what Snapshot::Health says.
  static Status Restore(const VmConfig& config, const Snapshot& snapshot,
                        const RestoreOptions& options, Progress& progress,
                        std::shared_ptr<Vm>* out);
  ~Vm();
  Vm(const Vm&) = delete;
  Vm& operator=(const Vm&) = delete;

  const VmConfig& config() const;
  // Whether its RAM is mapped from a file or an image, so that its own memory is what it writes.
  bool shares_memory() const;
  VmState state() const;

  Status Start();
  // Idempotent. kPauseTimeout where no safepoint is reached in time; the guest then runs on.
  Status Pause(int64_t timeout_ns, PauseResult* out);
  // Idempotent; steps the clock forward. kBusy while a freeze holds the VM.
  Status Resume();
  // Lets the guest run until exactly `step`. `done` is called once, on the guest's or the closing
  // thread: kOk halted at the step, kFaulted, kClosed. Not called where RunUntil itself answers an
  // error.
  Status RunUntil(uint64_t step, std::function<void(Status)> done);
  // For callers with a thread to spare: RunUntil, and wait.
  Status RunUntilAndWait(uint64_t step);

  Status Digest(const DigestOptions& options, DigestResult* out);
  // `progress` is told the bytes read, and not how many there are to read. kCancelled.
  Status Check(CheckReport* out, Progress* progress = nullptr);
  Status ReadRegisters(std::vector<std::byte>* out);
  Status ReadRam(uint64_t gpa, uint64_t length, std::vector<std::byte>* out);
  // A fault: flips a bit of a halted guest's RAM, with its mark, as every writer of RAM marks.
  Status FlipBit(uint64_t gpa, unsigned bit);
  // Ends the epoch under way, halting a running guest for the exchange of two pointers, and folds
  // it.
  Status EndEpoch(EpochResult* out);

  // The VM as it stands, in time proportional to the pages written since its last snapshot. Live:
  // the guest runs on while it is copied, and stands still for microseconds, whatever the size of
  // its RAM. Else the guest must be halted and stay so (kNotPaused, kLeaseRevoked). Blocks until all
  // is copied; one at a time (kBusy). kSnapshotLimit, kCancelled; the VM is then as before.
  Status TakeSnapshot(bool live, Progress& progress, std::shared_ptr<const Snapshot>* out,
                      SnapshotCost* cost);
  // Takes a halted guest back: RAM, registers, clock; a fault is forgotten. Proportional to the
  // pages that differ; where those are more than `pages_max`, nothing is done, and `done` is false.
  // Cancels a snapshot under way. kNotPaused, kSnapshotMismatch, kBusy (in a freeze, with a runUntil
  // pending, or another rollback or exploration under way), kMemoryLost and kSnapshotDamaged (the
  // snapshot's Health: the VM is as before, or faulted where that came in the middle).
  Status Rollback(const Snapshot& snapshot, uint64_t pages_max, RollbackResult* out);
  // Runs many continuations from one snapshot on the calling thread, each with its own chance, and
  // leaves the VM rolled back to it. As Rollback, and kCancelled: `out` then holds the runs done.
  Status Explore(const Snapshot& snapshot, const ExploreOptions& options, Progress& progress,
                 ExploreResult* out);
  Status Stats(VmStats* out);
  // Idempotent. Stops and joins the guest thread and frees the RAM.
  void Close();

 private:
  friend class Freeze;
  friend class DeferredProof;
  friend void StopAllGuests(int64_t timeout_ns);
  class Impl;
  explicit Vm(std::unique_ptr<Impl> impl);
  Status AcquireLease(Lease* lease);

  std::unique_ptr<Impl> impl_;
};

// At exit: stops every guest of the process, waiting so long at most. No VM may be used afterwards.
void StopAllGuests(int64_t timeout_ns);

}  // namespace standstill
