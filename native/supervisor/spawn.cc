#include "supervisor/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "port/small_file.h"

namespace standstill {
namespace {

constexpr unsigned long kTimerSlackNsDefault = 50'000;

struct Failure {
  SpawnStep step;
  int error_number;
};

std::vector<char*> Pointers(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

void ForgetSignals() {
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

[[noreturn]] void BecomeGuest(const GuestCommand& command, int join_fd, const GuestNetwork* network,
                              int failure_fd, char* const* arguments, char** environment) {
  const auto fail = [failure_fd](SpawnStep step) {
    const Failure failure = {step, errno};
    const ssize_t told = write(failure_fd, &failure, sizeof(failure));
    _exit(told == sizeof(failure) ? 127 : 126);
  };
  setsid();
  prctl(PR_SET_TIMERSLACK, kTimerSlackNsDefault);  // not that of the supervisor
  if (join_fd >= 0) {
    errno = WriteText(join_fd, "0");
    if (errno != 0) fail(SpawnStep::kGroup);
  }
  errno = network == nullptr ? 0 : network->Enter();
  if (errno != 0) fail(SpawnStep::kNetwork);
  // Should the supervisor itself be killed, the command is not left behind frozen. A change of user
  // takes it back, so that it comes behind the network.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (chdir(command.folder.c_str()) != 0) fail(SpawnStep::kFolder);
  ForgetSignals();
  environ = environment;  // whose PATH is the one to look in
  execvp(arguments[0], arguments);
  fail(SpawnStep::kExec);
  _exit(127);
}

}  // namespace

Spawned Spawn(const GuestCommand& command, int join_fd, const GuestNetwork* network) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {0, SpawnStep::kFork, errno};
  const Descriptor failures(ends[0]);
  Descriptor tell(ends[1]);
  const std::vector<char*> arguments = Pointers(command.arguments);
  std::vector<char*> environment = Pointers(command.environment);
  const pid_t pid = fork();
  if (pid < 0) return {0, SpawnStep::kFork, errno};
  if (pid == 0) {
    BecomeGuest(command, join_fd, network, tell.get(), arguments.data(), environment.data());
  }
  tell.Close();
  Failure failure;
  ssize_t bytes;
  while ((bytes = read(failures.get(), &failure, sizeof(failure))) < 0 && errno == EINTR) {
  }
  if (bytes != sizeof(failure)) return {pid, SpawnStep::kNone, 0};
  while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {0, failure.step, failure.error_number};
}

}  // namespace standstill
