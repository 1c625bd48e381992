// An operation on the whole of a VM's RAM: a snapshot, a rollback, an exploration, a live digest.
// One at a time holds a VM, and what such operations share (the base, the hand-over, the page CRCs)
// is its own meanwhile.
//
// Threads: one, the operation's. `control` is held for Begin and nowhere else.
#pragma once

#include <functional>

#include "engine/vm_impl.h"
#include "port/clock.h"

namespace standstill {

// Where an epoch was ended, and what the VM was there besides RAM.
struct Cut {
  uint64_t epoch = 0;
  MachineState state;
  bool was_running = false;
  int64_t halted_at_ns = 0;
  int64_t released_at_ns = 0;
};

// visit(index, word) for each word of a set that has pages: in parallel, where there are enough of
// them to be worth a thread's waking. A running guest keeps its CPU.
void ForWords(const PageSet& pages, bool guest_runs,
              const std::function<void(uint64_t, uint64_t)>& visit);

class Vm::Impl::Operation {
 public:
  explicit Operation(Impl& impl) : impl_(impl) {}
  ~Operation();
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // kClosed, kBusy. Closing the VM cancels `progress`. An exclusive one keeps a halted guest halted
  // and everybody else out of its RAM.
  enum class Mode : uint8_t { kShared, kExclusive };
  Status Begin(Mode mode, Progress* progress);

  // Whose cancelling ends what is under way, and is done by who closes the VM or rolls it back; null:
  // nothing is that can be ended.
  void Watch(Progress* progress);

  // Halts a running guest for as long as it takes to end the epoch and, with a sink, to begin the
  // hand-over to it.
  Status EndEpoch(PageSink* sink, Cut* cut);
  // Folds what has been retired.
  PageSet PagesNewerThan(uint64_t epoch);

  // The rest of a hand-over. First the pages that are not in the set are passed over; answers how
  // many of them the guest had saved before. Then those in the set are saved, in parallel, and the
  // end is awaited: kCancelled; kSnapshotLimit where the sink has no room. The hand-over is ended in
  // either case.
  uint64_t PassOver(const PageSet& needed);
  Status SavePages(const PageSet& pages, bool guest_runs, Progress& progress);

  // Ends the hand-over under way before all is saved, and answers `why` (kClosed where the VM was
  // closed). The guest has left the sink then.
  Status CancelCopy(Status why);

 private:
  Impl& impl_;
  bool begun_ = false;
};

}  // namespace standstill
