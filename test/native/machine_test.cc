// What the system lets a process have, tried.
#include "port/machine.h"

#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>

namespace standstill {

TEST_CASE("machine: a file in memory can be had, and is told where it cannot") {
  CHECK(TryMachine().memfd_errno == 0);
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit none = before;
  none.rlim_cur = 0;
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &none) == 0);
  const MachineTrials trials = TryMachine();
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  CHECK(trials.memfd_errno == EFBIG);
}

}  // namespace standstill
