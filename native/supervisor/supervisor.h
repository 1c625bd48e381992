// One guest's keeper: it owns the group, the freezer and the deadline of the freeze, and lives no
// longer than whoever asks it, on whose death it thaws and kills everything and removes the group.
// It answers requests in their order, and keeps to its deadline while nobody asks.
//
// Threads: one. It waits in ppoll only, and for a freeze only as long as the request allows.
#pragma once

#include <cstdint>
#include <set>

#include "process/supervisor_protocol.h"
#include "supervisor/configuration.h"
#include "supervisor/events.h"
#include "supervisor/freezer.h"

namespace standstill {

class Supervisor {
 public:
  // `network`: null where the guest has the host's.
  Supervisor(GuestCommand command, Freezer& freezer, const GuestNetwork* network, Events events,
             int socket, int child_signals);

  // Until the other side is gone or closes. Nothing of the guest is left then.
  void Run();

 private:
  enum class Waited { kDone, kTimeout, kFailed, kLeft };

  void Answer(const SupervisorRequest& request);
  void Start();
  void Freeze(const SupervisorRequest& request);
  void Thaw(ThawedBy by);
  void Terminate(int64_t until_ns);
  void KillAll();
  void Finish();  // kills everything and removes the group
  void Reap();
  void KeepMoments(int64_t now_ns);

  Waited AwaitFrozen(int64_t until_ns);
  // One pause in a wait for the freezer. False where the other side is gone.
  bool PauseForFreezer(int64_t until_ns, int64_t pause_ns);
  void PauseForChild();  // for a moment, or until one ends
  std::set<pid_t> Everything();
  int64_t NextMoment() const;

  const GuestCommand command_;
  Freezer& freezer_;
  const GuestNetwork* const network_;
  const Events events_;
  const int socket_;
  const int child_signals_;
  SupervisorReply reply_;
  int64_t deadline_ns_ = 0;  // of the freeze under way; 0: none
  int64_t grace_ns_ = 0;     // when what was asked to end is killed; 0: nothing was
  bool leaving_ = false;
};

}  // namespace standstill
