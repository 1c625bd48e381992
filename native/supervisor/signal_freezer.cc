// SIGSTOP to the whole tree until it is stable: while something is found that had not stopped before
// the walk began, whatever it may have born meanwhile is looked for again. What its owner had
// stopped before stays so at the thaw.
#include <signal.h>

#include <algorithm>
#include <set>

#include "supervisor/freezer.h"
#include "supervisor/process_tree.h"

namespace standstill {
namespace {

class SignalFreezer final : public Freezer {
 public:
  const char* name() const override { return "signal"; }
  const std::string& group() const override { return group_; }
  int join_fd() const override { return -1; }
  int event_fd() const override { return -1; }

  int Request() override {
    seen_.clear();
    seen_stopped_ = false;
    LookFrozen();
    return 0;
  }

  Look LookFrozen() override {
    std::vector<Process> found = ListDescendants();
    // Everything that the last walk saw had stopped when this one began, so that nothing was born
    // behind it.
    const bool complete =
        seen_stopped_ && std::includes(seen_.begin(), seen_.end(), found.begin(), found.end());
    seen_stopped_ = true;
    for (const Process& process : found) {
      if (IsStopped(process)) continue;
      seen_stopped_ = false;
      if (SendSignal(process, SIGSTOP)) stopped_.insert(process);
    }
    seen_ = std::move(found);
    return complete && seen_stopped_ ? Look::kFrozen : Look::kNotYet;
  }

  int Thaw() override {
    for (const Process& process : stopped_) SendSignal(process, SIGCONT);
    stopped_.clear();
    return 0;
  }

  // SIGCONT takes the processes out of their stop before the call returns.
  bool IsThawed() override { return true; }

  std::vector<pid_t> Members() override {
    std::vector<pid_t> pids;
    for (const Process& process : ListDescendants()) {
      if (!process.ended) pids.push_back(process.pid);
    }
    return pids;
  }

  bool Remove() override { return true; }

 private:
  const std::string group_;
  std::vector<Process> seen_;
  bool seen_stopped_ = false;
  std::set<Process> stopped_;
};

}  // namespace

FreezerChoice MakeSignalFreezer() {
  if (!CanListDescendants())
    return {nullptr, "this kernel does not tell the children of a process"};
  return {std::make_unique<SignalFreezer>(), "it needs no cgroup"};
}

}  // namespace standstill
