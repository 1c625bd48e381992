// A hand-over into a flat copy of the RAM, for tests and benchmarks of the protocol alone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "memory/handover.h"

namespace standstill {

// Saves every page at its own place.
class FlatSink final : public PageSink {
 public:
  explicit FlatSink(std::byte* target) : target_(target) {}
  bool Save(uint64_t page, const std::byte* bytes, bool by_guest) override {
    if (page == refused_page && (by_guest || refuses_copier)) return false;
    std::memcpy(target_ + page * kPageBytes, bytes, kPageBytes);
    return true;
  }

  uint64_t refused_page = ~uint64_t{0};
  bool refuses_copier = false;

 private:
  std::byte* const target_;
};

inline void CopyPages(Handover& handover, uint64_t first, uint64_t last) {
  for (uint64_t page = first; page < last; ++page)
    handover.SavePages(page / PageSet::kWordPages, uint64_t{1} << page % PageSet::kWordPages);
}

}  // namespace standstill
