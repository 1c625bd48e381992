// What can stop a tree of processes and let it run on.
//
// Threads: the supervisor's only one. Nothing here waits: Request, then Look until it says so.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

namespace standstill {

class Freezer {
 public:
  enum class Look { kFrozen, kNotYet, kFailed };

  virtual ~Freezer() = default;

  virtual const char* name() const = 0;
  // The cgroup; empty where there is none.
  virtual const std::string& group() const = 0;
  // To which a child writes "0" before exec, so that it is in the group from its first instruction;
  // -1 where there is none.
  virtual int join_fd() const = 0;
  // Of which poll tells by POLLPRI that it is worth looking again; -1: look again after a while.
  virtual int event_fd() const = 0;

  // The errno of what was refused, or 0.
  virtual int Request() = 0;
  virtual Look LookFrozen() = 0;
  virtual int Thaw() = 0;
  virtual bool IsThawed() = 0;
  // What is in the group.
  virtual std::vector<pid_t> Members() = 0;
  // Once it is empty; false where it is not, yet. True where it is gone already.
  virtual bool Remove() = 0;
};

// Why a freezer was taken or passed over, in a clause.
struct FreezerChoice {
  std::unique_ptr<Freezer> freezer;  // null: the one asked for cannot be had
  std::string why;
};

// `wanted`: auto, cgroup2, cgroup1 or signal. Removes what dead supervisors have left on its way.
FreezerChoice ChooseFreezer(const std::string& wanted);

FreezerChoice MakeSignalFreezer();

}  // namespace standstill
