#include "supervisor/supervisor.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "port/clock.h"
#include "port/small_file.h"
#include "supervisor/process_tree.h"
#include "supervisor/spawn.h"

namespace standstill {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
// Between two looks at a freezer that cannot be waited for: soon at first, then less often.
constexpr int64_t kLookPauseNs = 50'000;
constexpr int64_t kLookPauseNsMax = 2'000'000;
constexpr int64_t kThawNs = kNsPerSecond;
constexpr int64_t kKillFreezeNs = kNsPerSecond;
constexpr int kKillRounds = 200;
constexpr int64_t kKillPauseNs = 5'000'000;

timespec Until(int64_t moment_ns) {
  const int64_t ns = std::max<int64_t>(0, moment_ns - HostMonotonicNs());
  return {ns / kNsPerSecond, ns % kNsPerSecond};
}

// `moment_ns` kNever: without an end.
int PollUntil(pollfd* files, nfds_t count, int64_t moment_ns) {
  const timespec rest = Until(moment_ns);
  return ppoll(files, count, moment_ns == kNever ? nullptr : &rest, nullptr);
}

}  // namespace

Supervisor::Supervisor(GuestCommand command, Freezer& freezer, const GuestNetwork* network,
                       Events events, int socket, int child_signals)
    : command_(std::move(command)),
      freezer_(freezer),
      network_(network),
      events_(events),
      socket_(socket),
      child_signals_(child_signals) {}

void Supervisor::Run() {
  while (!leaving_) {
    pollfd files[] = {{socket_, POLLIN, 0}, {child_signals_, POLLIN, 0}};
    const int ready = PollUntil(files, 2, NextMoment());
    if (ready < 0 && errno != EINTR) break;
    KeepMoments(HostMonotonicNs());
    if (ready <= 0) continue;
    if (files[1].revents != 0) Reap();
    if (files[0].revents == 0) continue;
    SupervisorRequest request;
    const ssize_t bytes = recv(socket_, &request, sizeof(request), MSG_DONTWAIT);
    if (bytes == sizeof(request)) {
      Answer(request);
    } else if (bytes >= 0 || (errno != EINTR && errno != EAGAIN)) {
      break;
    }
  }
  leaving_ = true;
  Finish();
}

void Supervisor::Answer(const SupervisorRequest& request) {
  reply_.sequence = request.sequence;
  reply_.answer = SupervisorAnswer::kOk;
  reply_.error_number = 0;
  reply_.spawn_step = SpawnStep::kNone;
  std::vector<int32_t> members;
  switch (request.kind) {
    case SupervisorRequestKind::kStatus:
      break;
    case SupervisorRequestKind::kStart:
      Start();
      break;
    case SupervisorRequestKind::kFreeze:
      Freeze(request);
      break;
    case SupervisorRequestKind::kThaw:
      if (request.generation == reply_.generation) Thaw(ThawedBy::kCaller);
      break;
    case SupervisorRequestKind::kMembers:
      for (const pid_t pid : Everything()) members.push_back(pid);
      break;
    case SupervisorRequestKind::kTerminate:
      Terminate(request.until_ns);
      break;
    case SupervisorRequestKind::kClose:
      Finish();
      leaving_ = true;
      break;
  }
  std::vector<std::byte> packet(sizeof(reply_) + members.size() * sizeof(int32_t));
  std::memcpy(packet.data(), &reply_, sizeof(reply_));
  if (!members.empty()) {
    std::memcpy(packet.data() + sizeof(reply_), members.data(), members.size() * sizeof(int32_t));
  }
  if (send(socket_, packet.data(), packet.size(), MSG_NOSIGNAL) < 0) leaving_ = true;
}

void Supervisor::Start() {
  if (reply_.life == GuestLife::kAlive) {
    reply_.answer = SupervisorAnswer::kNotRunning;
    return;
  }
  const Spawned spawned = Spawn(command_, freezer_.join_fd(), network_);
  if (spawned.pid == 0) {
    reply_.answer = SupervisorAnswer::kSpawnFailed;
    reply_.spawn_step = spawned.step;
    reply_.error_number = spawned.error_number;
    return;
  }
  reply_.life = GuestLife::kAlive;
  reply_.pid = spawned.pid;
  reply_.daemonised = 0;
  reply_.exit_code = reply_.exit_signal = 0;
}

void Supervisor::Freeze(const SupervisorRequest& request) {
  if (reply_.life != GuestLife::kAlive || reply_.frozen != 0) {
    reply_.answer = SupervisorAnswer::kNotRunning;
    return;
  }
  reply_.generation += 1;
  reply_.thawed_by = ThawedBy::kNobody;
  reply_.requested_at_ns = request.sent_at_ns;
  reply_.received_at_ns = HostMonotonicNs();
  reply_.frozen_at_ns = reply_.thaw_at_ns = reply_.running_at_ns = 0;
  reply_.frozen = 1;
  const int64_t deadline_ns = request.deadline_ns == 0 ? kNever : request.deadline_ns;
  reply_.error_number = freezer_.Request();
  const Waited waited = reply_.error_number != 0
                            ? Waited::kFailed
                            : AwaitFrozen(std::min(request.until_ns, deadline_ns));
  if (waited == Waited::kDone) {
    reply_.frozen_at_ns = HostMonotonicNs();
    deadline_ns_ = request.deadline_ns;
    return;
  }
  Thaw(ThawedBy::kNobody);
  reply_.answer = waited == Waited::kFailed ? SupervisorAnswer::kFreezerFailed
                                            : SupervisorAnswer::kFreezeTimeout;
}

Supervisor::Waited Supervisor::AwaitFrozen(int64_t until_ns) {
  for (int64_t pause_ns = kLookPauseNs;; pause_ns = std::min(2 * pause_ns, kLookPauseNsMax)) {
    const Freezer::Look look = freezer_.LookFrozen();
    if (look == Freezer::Look::kFrozen) return Waited::kDone;
    if (look == Freezer::Look::kFailed) {
      reply_.error_number = errno;
      return Waited::kFailed;
    }
    if (HostMonotonicNs() >= until_ns) return Waited::kTimeout;
    if (!PauseForFreezer(until_ns, pause_ns)) return Waited::kLeft;
  }
}

bool Supervisor::PauseForFreezer(int64_t until_ns, int64_t pause_ns) {
  const int64_t moment_ns =
      freezer_.event_fd() >= 0 ? until_ns : std::min(until_ns, HostMonotonicNs() + pause_ns);
  // POLLRDHUP alone: a request that is waiting must not wake it.
  pollfd files[] = {{leaving_ ? -1 : socket_, POLLRDHUP, 0}, {freezer_.event_fd(), POLLPRI, 0}};
  if (PollUntil(files, 2, moment_ns) <= 0 || files[0].revents == 0) return true;
  leaving_ = true;
  return false;
}

void Supervisor::PauseForChild() {
  pollfd file = {child_signals_, POLLIN, 0};
  PollUntil(&file, 1, HostMonotonicNs() + kKillPauseNs);
}

void Supervisor::Thaw(ThawedBy by) {
  if (reply_.frozen == 0) return;
  reply_.thaw_at_ns = HostMonotonicNs();
  freezer_.Thaw();
  const int64_t until_ns = reply_.thaw_at_ns + kThawNs;
  for (int64_t pause_ns = kLookPauseNs; !freezer_.IsThawed() && HostMonotonicNs() < until_ns;) {
    if (!PauseForFreezer(until_ns, pause_ns)) break;
    pause_ns = std::min(2 * pause_ns, kLookPauseNsMax);
  }
  reply_.running_at_ns = HostMonotonicNs();
  reply_.frozen = 0;
  reply_.thawed_by = by;
  deadline_ns_ = 0;
  if (by == ThawedBy::kDeadline) events_.ThawedByDeadline(reply_.generation);
}

void Supervisor::Terminate(int64_t until_ns) {
  Thaw(ThawedBy::kCaller);
  grace_ns_ = until_ns;
  for (const pid_t pid : Everything()) {
    kill(pid, SIGTERM);
    kill(pid, SIGCONT);  // what its user has stopped could not take the signal
  }
}

// The group, and what has left it by leave of somebody else but is below us still.
std::set<pid_t> Supervisor::Everything() {
  std::set<pid_t> pids;
  for (const pid_t pid : freezer_.Members()) pids.insert(pid);
  const bool has_group = freezer_.join_fd() >= 0;
  reply_.outside_group = 0;
  for (const Process& process : ListDescendants()) {
    if (process.ended) continue;
    if (pids.insert(process.pid).second && has_group) reply_.outside_group += 1;
  }
  return pids;
}

void Supervisor::Finish() {
  KillAll();
  for (int round = 0; round < kKillRounds && !freezer_.Remove(); ++round) PauseForChild();
}

void Supervisor::KillAll() {
  for (int round = 0; round < kKillRounds; ++round) {
    Reap();
    if (Everything().empty()) break;
    // Frozen, so that nothing is born while they are killed.
    if (freezer_.Request() == 0) AwaitFrozen(HostMonotonicNs() + kKillFreezeNs);
    for (const pid_t pid : Everything()) kill(pid, SIGKILL);
    if (reply_.frozen != 0) {
      Thaw(ThawedBy::kCaller);
    } else {
      freezer_.Thaw();
    }
    PauseForChild();
  }
  Reap();
}

void Supervisor::Reap() {
  signalfd_siginfo signals[16];
  while (read(child_signals_, signals, sizeof(signals)) > 0) {
  }
  bool main_ended = false;
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
    if (pid != reply_.pid || reply_.life != GuestLife::kAlive) continue;
    main_ended = true;
    reply_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    reply_.exit_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  if (reply_.life != GuestLife::kAlive || (!main_ended && reply_.daemonised == 0)) return;
  const bool is_left = !Everything().empty();
  reply_.daemonised = is_left ? 1 : 0;
  if (main_ended) events_.Ended(reply_.pid, reply_.exit_code, reply_.exit_signal, is_left);
  if (is_left) return;
  reply_.life = GuestLife::kEnded;
  grace_ns_ = 0;
  Thaw(ThawedBy::kNobody);
  events_.Gone();
}

int64_t Supervisor::NextMoment() const {
  int64_t next_ns = kNever;
  if (deadline_ns_ != 0) next_ns = std::min(next_ns, deadline_ns_);
  if (grace_ns_ != 0) next_ns = std::min(next_ns, grace_ns_);
  return next_ns;
}

void Supervisor::KeepMoments(int64_t now_ns) {
  if (deadline_ns_ != 0 && now_ns >= deadline_ns_) Thaw(ThawedBy::kDeadline);
  if (grace_ns_ != 0 && now_ns >= grace_ns_) {
    grace_ns_ = 0;
    KillAll();
  }
}

}  // namespace standstill
