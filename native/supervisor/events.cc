#include "supervisor/events.h"

#include <cstdio>

#include "port/small_file.h"

namespace standstill {
namespace {

std::string Quoted(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      snprintf(escape, sizeof(escape), "\\u%04x", c);
      quoted += escape;
    } else {
      quoted += c;
    }
  }
  return quoted + "\"";
}

}  // namespace

void Events::Say(const std::string& line) const {
  (void)WriteText(fd_, line + "\n");
}

void Events::Ready(const FreezerChoice& choice, const GuestNetwork* network) const {
  std::string ports;
  if (network != nullptr) {
    for (const PublishedPort& port : network->ports()) {
      if (!ports.empty()) ports.append(",");
      ports.append("{\"host\":").append(std::to_string(port.host));
      ports.append(",\"guest\":").append(std::to_string(port.guest)).append("}");
    }
  }
  const int metadata_fd = network == nullptr ? -1 : network->metadata_fd();
  Say("{\"event\":\"ready\",\"freezer\":" + Quoted(choice.freezer->name()) +
      ",\"group\":" + Quoted(choice.freezer->group()) + ",\"why\":" + Quoted(choice.why) +
      ",\"metadataFd\":" + std::to_string(metadata_fd) + ",\"ports\":[" + ports + "]}");
}

void Events::NoNetwork(const std::string& why) const {
  Say("{\"event\":\"no-network\",\"why\":" + Quoted(why) + "}");
}

void Events::Unavailable(const std::string& why) const {
  Say("{\"event\":\"unavailable\",\"why\":" + Quoted(why) + "}");
}

void Events::Ended(int pid, int exit_code, int exit_signal, bool leaves_descendants) const {
  Say("{\"event\":\"ended\",\"pid\":" + std::to_string(pid) + ",\"exitCode\":" +
      std::to_string(exit_code) + ",\"exitSignal\":" + std::to_string(exit_signal) +
      ",\"daemonised\":" + (leaves_descendants ? "true" : "false") + "}");
}

void Events::Gone() const {
  Say("{\"event\":\"gone\"}");
}

void Events::ThawedByDeadline(uint64_t generation) const {
  Say("{\"event\":\"thawed\",\"generation\":" + std::to_string(generation) + "}");
}

}  // namespace standstill
