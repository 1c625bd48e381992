// Freeze: a bounded scope in which a set of VMs stands still, its memory left in place. Whatever
// leaves it, the caller or the deadline, resumes exactly the VMs that ran before. Its fence says
// so to others before the first guest runs.
//
//   Begin: clean maps reserved → all requests → all halts seen → epochs ended, deadline armed
//   Release: leases revoked → clocks run → guests run → each clock synchronised, at once or later
//
// Threads: any. The deadline releases from the engine's timer thread, and clocks whose delay is over
// are synchronised there; the others by the thread that releases. Which of two releases acts on
// a VM is decided by the gate's compare-and-swap on the freeze's generation. Ordering: the VMs'
// control mutexes, taken in address order in Begin and one at a time in Release; one mutex guards
// the records. Within it the timer's own may be taken, never the other way round.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "standstill/clock_page.h"
#include "standstill/freeze_fence.h"
#include "standstill/status.h"
#include "standstill/vm.h"

namespace standstill {

enum class ResumedBy : uint8_t { kNobody, kCaller, kDeadline };

struct FreezeOptions {
  int64_t budget_ns = 30'000'000'000;  // from the request on
  int64_t handshake_timeout_ns = Vm::kHandshakeTimeoutNs;
  std::optional<SyncPolicy> sync = {};  // of every VM; absent: each its own
};

// Stamps on the host's monotonic clock; 0 until it has happened.
struct FreezeRecord {
  std::string name;
  bool was_running = false;  // a VM that was halted before is left so
  int64_t requested_at_ns = 0;
  int64_t halted_at_ns = 0;    // the guest's own
  int64_t observed_at_ns = 0;  // the host saw it
  int64_t released_at_ns = 0;
  int64_t resumed_at_ns =
      0;  // the guest's own, before its first step; a sleeping guest's: its release
  uint64_t steps_at_halt = 0;
  uint64_t steps_at_release = 0;
  SyncResult sync;
  ResumedBy resumed_by = ResumedBy::kNobody;
};

class Freeze : public std::enable_shared_from_this<Freeze> {
 public:
  // Whole or not at all. On failure `culprit` is the index of the VM that failed, and every VM is
  // as before: kClosed, kBusy (in a freeze already, or twice in the list), kPauseTimeout,
  // kThreadFailed (the timer's), kInvalidArgument (a budget or timeout below 1).
  static Status Begin(const std::vector<std::shared_ptr<Vm>>& vms, const FreezeOptions& options,
                      std::shared_ptr<Freeze>* out, size_t* culprit);
  ~Freeze();

  void Release() { ReleaseBy(ResumedBy::kCaller); }
  uint64_t token() const { return fence_->token(); }
  bool released() const;
  int64_t RemainingNs() const;  // until the deadline; negative once it has passed
  // Calls back once, when every VM is released and synchronised, each after its own delay: at once,
  // or from the timer thread.
  void OnSettled(std::function<void()> callback);
  std::vector<FreezeRecord> Records();

 private:
  struct Member {
    std::shared_ptr<Vm> vm;
    SyncPolicy sync;
    uint32_t generation = 0;
    bool sleeping = false;  // halted out of its sleep: it is not woken for the release
    FreezeRecord record;
  };

  explicit Freeze(const FreezeOptions& options)
      : options_(options), fence_(FreezeFence::Create()) {}
  Status HaltAll(size_t* culprit);
  static void GiveBack(Member& member, const Freeze& freeze);
  void ReleaseBy(ResumedBy by);
  void Synchronise();
  std::optional<int64_t> SynchroniseDue(int64_t now_ns);  // with mutex_ held

  const FreezeOptions options_;
  const std::unique_ptr<FreezeFence> fence_;  // its own ordering
  int64_t deadline_ns_ = 0;
  std::pair<int64_t, uint64_t> timer_{};
  mutable std::mutex mutex_;
  std::vector<Member> members_;                    // mutex_ (after Begin)
  bool released_ = false;                          // mutex_
  bool settled_ = false;                           // mutex_
  std::vector<std::function<void()>> on_settled_;  // mutex_
};

}  // namespace standstill
