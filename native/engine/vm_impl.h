// The inside of a Vm, shared by vm.cc and freeze.cc and by nobody else.
//
// Threads and ordering: see vm.h. Every field names its guard.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "engine/guest_thread.h"
#include "memory/audit.h"
#include "memory/handover.h"
#include "memory/lease.h"
#include "standstill/clock_page.h"
#include "standstill/freeze.h"
#include "standstill/guest_ram.h"
#include "standstill/pause_gate.h"
#include "standstill/vm.h"
#include "standstill/write_marks.h"

namespace standstill {

class Vm::Impl {
 public:
  explicit Impl(const VmConfig& config) : config(config) {}

  bool halted() const { return gate.state() == PauseGate::kHalted; }
  bool faulted() const { return halted() && guest->faulted(); }

  // All of these with `control` held.
  Status Runnable() const;  // kClosed, kFaulted, kBusy in a freeze; else kOk
  Status Halt(int64_t timeout_ns, PauseResult* out, bool* was_running);
  void Release();
  void OpenForReaders();  // after the guest has halted
  EpochResult EndEpochHalted();

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
  std::unique_ptr<Handover> handover;  // control; made at the first live copy
  std::unique_ptr<ShadowAudit> audit;  // control; null but in control builds
  std::atomic<bool> started{false};    // written under control
  std::atomic<bool> closed{false};     // written under control
  const Freeze* holder = nullptr;      // control
  bool readers_open = false;           // control: the lease book is open for this halt
  bool copying = false;                // control: a live copy is under way

  std::mutex pending_mutex;
  std::function<void(Status)> pending;  // pending_mutex
};

}  // namespace standstill
