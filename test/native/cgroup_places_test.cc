// Where a freezer is looked for: the texts of systems as they are found, among them hybrid ones,
// containers, and mount points with a space.
#include "supervisor/cgroup_places.h"

#include <doctest/doctest.h>

namespace standstill {
namespace {

using Folders = std::vector<std::string>;

constexpr const char* kHybrid =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "37 31 0:34 / /sys/fs/cgroup/freezer rw,relatime - cgroup cgroup rw,freezer\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n";
constexpr const char* kHybridGroups = "6:freezer:/\n4:memory:/a/b\n0::/user.slice/me\n";

TEST_CASE("a hybrid system has version 2 beside a version 1 freezer") {
  CHECK(CgroupPlacesIn(CgroupVersion::kV2, kHybrid, kHybridGroups).folders ==
        Folders{"/sys/fs/cgroup/unified/user.slice/me", "/sys/fs/cgroup/unified/user.slice",
                "/sys/fs/cgroup/unified"});
  CHECK(CgroupPlacesIn(CgroupVersion::kV1, kHybrid, kHybridGroups).folders ==
        Folders{"/sys/fs/cgroup/freezer"});
}

TEST_CASE("a unified system has no version 1 freezer, and says so") {
  const std::string mounts = "25 20 0:22 / /sys/fs/cgroup rw shared:9 - cgroup2 cgroup2 rw\n";
  CHECK(CgroupPlacesIn(CgroupVersion::kV2, mounts, "0::/init.scope\n").folders ==
        Folders{"/sys/fs/cgroup/init.scope", "/sys/fs/cgroup"});
  const CgroupPlaces v1 = CgroupPlacesIn(CgroupVersion::kV1, mounts, "0::/init.scope\n");
  CHECK(v1.folders.empty());
  CHECK(v1.why_none == "this process is in no cgroup version 1 freezer");
}

TEST_CASE("a hierarchy that is mounted nowhere is no place") {
  const CgroupPlaces places = CgroupPlacesIn(CgroupVersion::kV2, "", "0::/\n");
  CHECK(places.folders.empty());
  CHECK(places.why_none == "no cgroup2 is mounted");
}

TEST_CASE("a container may see a part of the hierarchy, or its own group as the root") {
  const std::string part =
      "50 40 0:30 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw,nsdelegate\n";
  CHECK(CgroupPlacesIn(CgroupVersion::kV2, part, "0::/docker/abc/job\n").folders ==
        Folders{"/sys/fs/cgroup/job", "/sys/fs/cgroup"});
  CHECK(CgroupPlacesIn(CgroupVersion::kV2, part, "0::/docker/abc\n").folders ==
        Folders{"/sys/fs/cgroup"});
  CHECK(CgroupPlacesIn(CgroupVersion::kV2, part, "0::/../elsewhere\n").folders ==
        Folders{"/sys/fs/cgroup"});
}

TEST_CASE("a freezer that shares its mount with other controllers, at a place with a space") {
  const std::string mounts =
      "37 31 0:34 / /mnt/my\\040groups rw,relatime - cgroup cgroup rw,cpu,freezer,xattr\n"
      "38 31 0:35 / /mnt/other rw,relatime - cgroup cgroup rw,cpuset,name=freezer2\n";
  CHECK(CgroupPlacesIn(CgroupVersion::kV1, mounts, "3:cpu,freezer:/x\n").folders ==
        Folders{"/mnt/my groups/x", "/mnt/my groups"});
}

TEST_CASE("damaged texts lead nowhere") {
  for (const std::string mounts :
       {"", "-", " - ", "1 2 3 4", "x - cgroup2", "\\04 - cgroup2 a b"}) {
    for (const std::string groups : {"", ":", "0:", "0::", "0::/\n0::/\n"}) {
      (void)CgroupPlacesIn(CgroupVersion::kV2, mounts, groups);
      (void)CgroupPlacesIn(CgroupVersion::kV1, mounts, groups);
    }
  }
}

}  // namespace
}  // namespace standstill
