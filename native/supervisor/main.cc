// standstill-supervisor: started by the library for each process guest, never by hand.
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>

#include "port/small_file.h"
#include "port/thread.h"
#include "supervisor/configuration.h"
#include "supervisor/events.h"
#include "supervisor/freezer.h"
#include "supervisor/supervisor.h"

int main() {
  using namespace standstill;
  if (fcntl(kSupervisorSocket, F_SETFD, FD_CLOEXEC) != 0 ||
      fcntl(kSupervisorEvents, F_SETFD, FD_CLOEXEC) != 0 ||
      fcntl(kSupervisorEvents, F_SETFL, O_NONBLOCK) != 0) {
    fputs("standstill-supervisor is started by the library, not by hand\n", stderr);
    return 2;
  }
  // What the process that started us should have kept to itself.
  close_range(kSupervisorEvents + 1, ~0U, 0);
  // Whoever signals the terminal's group or asks us to end means those who ask us: their end is ours.
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  const Descriptor child_signals(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  UsePreciseTimers();

  auto configuration = ReadConfiguration(STDIN_FILENO);
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (!configuration || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0) return 2;
  close(nothing);

  const Events events(kSupervisorEvents);
  // Before the freezer, whose descriptors the network's relay is not to have.
  GuestNetwork::Made own;
  if (configuration->network != "host") {
    own = GuestNetwork::Make(configuration->network == "metadata", std::move(configuration->ports));
    if (own.network == nullptr) {
      events.NoNetwork(own.why_not);
      return 1;
    }
  }
  const FreezerChoice choice = ChooseFreezer(configuration->freezer);
  if (choice.freezer == nullptr) {
    events.Unavailable(choice.why);
    return 1;
  }
  events.Ready(choice, own.network.get());
  Supervisor(std::move(configuration->command), *choice.freezer, own.network.get(), events,
             kSupervisorSocket, child_signals.get())
      .Run();
  return 0;
}
