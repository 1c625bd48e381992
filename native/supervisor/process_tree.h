// The descendants of this process. It is a child subreaper, so that a descendant whose parent ends
// becomes its child, and nothing leaves the tree.
//
// Threads: the supervisor's only one.
#pragma once

#include <sys/types.h>

#include <compare>
#include <cstdint>
#include <vector>

namespace standstill {

// A process, told from a later one of the same pid by the moment at which it began.
struct Process {
  pid_t pid = 0;
  uint64_t started_ticks = 0;
  bool ended = false;  // a zombie, in all its threads

  bool operator==(const Process& other) const {
    return pid == other.pid && started_ticks == other.started_ticks;
  }
  auto operator<=>(const Process& other) const {
    if (const auto order = pid <=> other.pid; order != 0) return order;
    return started_ticks <=> other.started_ticks;
  }
};

// Whether this kernel tells the children of a process (CONFIG_PROC_CHILDREN).
bool CanListDescendants();

// The processes below this one, in the order of pids; zombies too. Those of its own session are its
// helpers, and none of the guest, which begins in a session of its own. Where every process of the tree
// stands still for the whole call it is complete: the children of one that stands still are read in
// full, and of one that somebody kills meanwhile they were in the last list.
std::vector<Process> ListDescendants();

// Every thread of it has stopped, or has ended, or waits for a child that it has lent its memory
// to (vfork) and so cannot run either. True of a process that is gone.
bool IsStopped(const Process& process);

// To that very process; false where it is gone.
bool SendSignal(const Process& process, int signal);

}  // namespace standstill
