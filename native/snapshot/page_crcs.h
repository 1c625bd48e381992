// The CRC of each page of a RAM, kept so that the whole RAM's follows from them without reading it:
// bringing it up to date costs the pages that changed.
//
// Threads: Set by any number for different pages; all else by one, after those.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "memory/mapped_array.h"
#include "standstill/page_set.h"
#include "standstill/status.h"

namespace standstill {

class PageCrcs {
 public:
  // Of a RAM of zeroes.
  static Status Create(uint64_t pages, std::unique_ptr<PageCrcs>* out);

  uint64_t pages() const { return crcs_.count(); }
  uint64_t operator[](uint64_t page) const { return crcs_[page]; }
  void Set(uint64_t page, uint64_t crc) { crcs_[page] = crc; }
  // After pages of the set were set; in parallel.
  void Refresh(const PageSet& changed);
  // CRC-64/NVME of the whole RAM.
  uint64_t Whole() const;

 private:
  PageCrcs() = default;
  uint64_t LeafPages(uint64_t leaf) const;

  MappedArray<uint64_t> crcs_;
  std::vector<uint64_t> leaves_;  // of 64 pages each
};

}  // namespace standstill
