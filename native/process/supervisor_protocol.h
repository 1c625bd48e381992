// What a supervisor and the process that asks it say to each other: one packet each way over a
// socket pair that keeps packets apart. The end of the stream is the death of the other side.
//
// Threads: values only. All stamps are CLOCK_MONOTONIC, which both sides share.
#pragma once

#include <cstdint>

namespace standstill {

// Descriptors that a supervisor begins with, besides 0 (its configuration), 1 and 2 (the guest's).
inline constexpr int kSupervisorSocket = 3;
inline constexpr int kSupervisorEvents = 4;

enum class SupervisorRequestKind : uint32_t {
  kStatus,
  kStart,      // starts the command; again, once it has ended
  kFreeze,     // answers when every task is frozen, or thaws them and says so
  kThaw,       // of one generation of freeze; any other is let be
  kMembers,    // the pids follow the reply
  kTerminate,  // thaws, asks everything to end, and kills it when the grace is over
  kClose,      // thaws, kills, removes the group, answers and ends
};

struct SupervisorRequest {
  uint32_t sequence = 0;
  SupervisorRequestKind kind = SupervisorRequestKind::kStatus;
  int64_t sent_at_ns = 0;
  int64_t until_ns = 0;     // kFreeze: the last moment to be frozen; kTerminate: the grace's end
  int64_t deadline_ns = 0;  // kFreeze: the moment of the thaw, whatever happens; 0: none
  uint64_t generation = 0;  // kThaw
};

enum class SupervisorAnswer : uint32_t {
  kOk,
  kSpawnFailed,    // `error_number`, at `spawn_step`
  kFreezeTimeout,  // not every task froze in time; they run on
  kFreezerFailed,  // `error_number`: the group is gone or refuses
  kNotRunning,     // there is no guest to freeze, or it runs already where it was to be started
};

enum class SpawnStep : uint32_t { kNone, kFork, kGroup, kNetwork, kFolder, kExec };
enum class GuestLife : uint32_t { kNotStarted, kAlive, kEnded };
enum class ThawedBy : uint32_t { kNobody, kCaller, kDeadline };

// What the supervisor knows, whatever it was asked.
struct SupervisorReply {
  uint32_t sequence = 0;
  SupervisorAnswer answer = SupervisorAnswer::kOk;
  int32_t error_number = 0;
  SpawnStep spawn_step = SpawnStep::kNone;
  GuestLife life = GuestLife::kNotStarted;
  uint32_t frozen = 0;
  // The command ended and left descendants behind, which are the guest from then on.
  uint32_t daemonised = 0;
  // As of the last walk over the tree: descendants that somebody has moved out of the group, and
  // that no freeze reaches.
  uint32_t outside_group = 0;
  int32_t pid = 0;
  int32_t exit_code = 0;
  int32_t exit_signal = 0;  // 0: it exited by itself
  // Of the last freeze; 0 for what has not happened.
  ThawedBy thawed_by = ThawedBy::kNobody;
  uint64_t generation = 0;
  int64_t requested_at_ns = 0;
  int64_t received_at_ns = 0;
  int64_t frozen_at_ns = 0;
  int64_t thaw_at_ns = 0;
  int64_t running_at_ns = 0;
};

}  // namespace standstill
