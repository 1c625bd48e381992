// RamImage: a RAM's bytes that nobody can change any more, for any number of clones to map
// copy-on-write. Sparse: pages of zeroes take no memory.
//
// Threads: any, once its writes are sealed.
#pragma once

#include <memory>

#include "port/memory.h"

namespace standstill {

struct RamImage {
  const std::shared_ptr<const void> charge;  // what its memory is charged to, as long as it lives
  Memfd file;
};

}  // namespace standstill
