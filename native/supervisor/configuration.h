// What a supervisor is started with, read from standard input to its end, each field ended by a zero
// byte: the freezer, the network, how many published ports and the ports ("host:guest"), the working
// folder, how many arguments and the arguments (the command first),
// how many variables and the variables ("NAME=value"). So the guest's environment is not the
// supervisor's, which its LD_PRELOAD must not reach, and stands in no list of processes.
//
// Threads: the supervisor's only one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "supervisor/guest_network.h"

namespace standstill {

struct GuestCommand {
  std::string folder;
  std::vector<std::string> arguments;
  std::vector<std::string> environment;
};

struct Configuration {
  std::string freezer;
  std::string network;  // 'host', 'own', or 'metadata': its own, with a metadata service
  std::vector<PublishedPort> ports;
  GuestCommand command;
};

std::optional<Configuration> ReadConfiguration(int fd);

}  // namespace standstill
