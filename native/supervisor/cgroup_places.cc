#include "supervisor/cgroup_places.h"

#include <optional>
#include <sstream>

#include "port/small_file.h"

namespace standstill {
namespace {

// "\040" for a space, as mountinfo has it.
std::string Unescaped(const std::string& text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

bool HasWord(const std::string& list, const std::string& word) {
  std::istringstream words(list);
  for (std::string each; std::getline(words, each, ',');) {
    if (each == word) return true;
  }
  return false;
}

// "0::/path" for version 2, "6:freezer:/path" for version 1.
std::optional<std::string> OwnGroup(CgroupVersion version, const std::string& cgroups) {
  std::istringstream lines(cgroups);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool matches = version == CgroupVersion::kV2 ? line.substr(0, first) == "0"
                                                       : HasWord(controllers, "freezer");
    if (matches) return line.substr(second + 1);
  }
  return std::nullopt;
}

struct Mount {
  std::string root;
  std::string point;
};

// "36 25 0:31 root point options [tag…] - type source super-options"
std::optional<Mount> FreezerMount(CgroupVersion version, const std::string& line) {
  const size_t separator = line.find(" - ");
  if (separator == std::string::npos) return std::nullopt;
  std::istringstream left(line);
  std::istringstream right(line.substr(separator + 3));
  std::string id, parent, device, root, point, type, source, options;
  left >> id >> parent >> device >> root >> point;
  right >> type >> source >> options;
  const bool matches = version == CgroupVersion::kV2
                           ? type == "cgroup2"
                           : type == "cgroup" && HasWord(options, "freezer");
  if (!matches) return std::nullopt;
  return Mount{Unescaped(root), Unescaped(point)};
}

// The own group below the mount. A mount of another part of the hierarchy, as some containers have
// it, stands for the own group itself.
std::string GroupBelow(const Mount& mount, const std::string& own) {
  if (mount.root == "/") return own == "/" ? "" : own;
  if (own.starts_with(mount.root)) return own.substr(mount.root.size());
  return "";
}

}  // namespace

CgroupPlaces CgroupPlacesIn(CgroupVersion version, const std::string& mountinfo,
                            const std::string& cgroups) {
  const std::string what = version == CgroupVersion::kV2 ? "cgroup2" : "cgroup version 1 freezer";
  const auto own = OwnGroup(version, cgroups);
  if (!own) return {{}, "this process is in no " + what};
  CgroupPlaces places;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    const auto mount = FreezerMount(version, line);
    if (!mount) continue;
    for (std::string below = GroupBelow(*mount, *own);; below.resize(below.rfind('/'))) {
      places.folders.push_back(mount->point + below);
      if (below.empty() || below.rfind('/') == std::string::npos) break;
    }
  }
  if (places.folders.empty()) places.why_none = "no " + what + " is mounted";
  return places;
}

CgroupPlaces FindCgroupPlaces(CgroupVersion version) {
  return CgroupPlacesIn(version, ReadText("/proc/self/mountinfo").value_or(""),
                        ReadText("/proc/self/cgroup").value_or(""));
}

}  // namespace standstill
