// Where this system has a freezer: read from mountinfo and from the own group, never from a fixed
// path. On a hybrid system version 2 stands beside a version 1 freezer.
//
// Threads: the supervisor's only one.
#pragma once

#include <string>
#include <vector>

namespace standstill {

enum class CgroupVersion { kV1, kV2 };

struct CgroupPlaces {
  // Folders in which a group might be made: the own group, then those above it, up to the mount.
  std::vector<std::string> folders;
  std::string why_none;  // where there are none
};

CgroupPlaces FindCgroupPlaces(CgroupVersion version);

// The same of given texts of /proc/self/mountinfo and /proc/self/cgroup.
CgroupPlaces CgroupPlacesIn(CgroupVersion version, const std::string& mountinfo,
                            const std::string& cgroups);

}  // namespace standstill
