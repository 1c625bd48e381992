// A group of its own in a cgroup hierarchy, frozen and thawed by the kernel: version 2 by
// cgroup.freeze, which needs no controller, version 1 by freezer.state. The folder of the group is
// locked by whoever owns it for as long as that lives, whatever kills it; a group without such an
// owner was left behind, and is removed by the next one who makes a group beside it.
//
// Threads: the supervisor's only one.
#pragma once

#include "supervisor/cgroup_places.h"
#include "supervisor/freezer.h"

namespace standstill {

// In the first place that lets a process in.
FreezerChoice MakeCgroupFreezer(CgroupVersion version);

}  // namespace standstill
