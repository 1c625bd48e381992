#include "supervisor/configuration.h"

#include <errno.h>
#include <unistd.h>

#include <array>
#include <charconv>

namespace standstill {
namespace {

class Fields {
 public:
  explicit Fields(std::string text) : text_(std::move(text)) {}

  bool Next(std::string* out) {
    const size_t end = text_.find('\0', at_);
    if (end == std::string::npos) return false;
    *out = text_.substr(at_, end - at_);
    at_ = end + 1;
    return true;
  }

  bool NextList(std::vector<std::string>* out) {
    std::string number;
    size_t count = 0;
    if (!Next(&number)) return false;
    const auto read = std::from_chars(number.data(), number.data() + number.size(), count);
    if (read.ec != std::errc{} || count > text_.size()) return false;
    out->resize(count);
    for (std::string& each : *out) {
      if (!Next(&each)) return false;
    }
    return true;
  }

 private:
  const std::string text_;
  size_t at_ = 0;
};

bool ReadPorts(const std::vector<std::string>& texts, std::vector<PublishedPort>* out) {
  for (const std::string& text : texts) {
    PublishedPort port;
    const char* const end = text.data() + text.size();
    const auto host = std::from_chars(text.data(), end, port.host);
    if (host.ec != std::errc{} || host.ptr == end || *host.ptr != ':') return false;
    const auto guest = std::from_chars(host.ptr + 1, end, port.guest);
    if (guest.ec != std::errc{} || guest.ptr != end) return false;
    out->push_back(port);
  }
  return true;
}

}  // namespace

std::optional<Configuration> ReadConfiguration(int fd) {
  std::string text;
  std::array<char, 4096> part;
  for (;;) {
    const ssize_t bytes = read(fd, part.data(), part.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes < 0) return std::nullopt;
    if (bytes == 0) break;
    text.append(part.data(), static_cast<size_t>(bytes));
  }
  Fields fields(std::move(text));
  Configuration read;
  GuestCommand& command = read.command;
  std::vector<std::string> ports;
  if (!fields.Next(&read.freezer) || !fields.Next(&read.network) || !fields.NextList(&ports) ||
      !ReadPorts(ports, &read.ports) || !fields.Next(&command.folder) ||
      !fields.NextList(&command.arguments) || !fields.NextList(&command.environment)) {
    return std::nullopt;
  }
  if (command.arguments.empty()) return std::nullopt;
  return read;
}

}  // namespace standstill
