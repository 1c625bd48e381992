#include "snapshot/page_crcs.h"

#include <algorithm>
#include <new>

#include "port/task_pool.h"
#include "snapshot/page_store.h"
#include "util/crc64.h"

namespace standstill {
namespace {

constexpr uint64_t kLeafPages = PageSet::kWordPages;
constexpr uint64_t kGroupLeaves = 64;
constexpr uint64_t kParallelPages = 512;

}  // namespace

Status PageCrcs::Create(uint64_t pages, std::unique_ptr<PageCrcs>* out) try {
  std::unique_ptr<PageCrcs> crcs(new PageCrcs);
  if (!crcs->crcs_.Create(pages)) return Status::kOutOfMemory;
  PageSet all(pages);
  crcs->leaves_.resize(all.word_count());
  for (uint64_t page = 0; page < pages; ++page) {
    crcs->Set(page, ZeroPageCrc());
    all.Add(page);
  }
  crcs->Refresh(all);
  *out = std::move(crcs);
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

uint64_t PageCrcs::LeafPages(uint64_t leaf) const {
  return std::min(kLeafPages, pages() - leaf * kLeafPages);
}

void PageCrcs::Refresh(const PageSet& changed) {
  const Crc64Shift page_shift(kPageBytes);
  const uint64_t groups = (leaves_.size() + kGroupLeaves - 1) / kGroupLeaves;
  // Few are done before another thread has woken.
  const unsigned threads = changed.count() < kParallelPages ? 1 : TaskPool::kAllThreads;
  TaskPool::Get().ParallelFor(groups, threads, [&](uint64_t group) {
    const uint64_t last = std::min<uint64_t>(leaves_.size(), (group + 1) * kGroupLeaves);
    for (uint64_t leaf = group * kGroupLeaves; leaf < last; ++leaf) {
      if (changed.word(leaf) == 0) continue;
      uint64_t crc = 0;
      for (uint64_t page = 0; page < LeafPages(leaf); ++page)
        crc = page_shift.Apply(crc) ^ crcs_[leaf * kLeafPages + page];
      leaves_[leaf] = crc;
    }
  });
}

uint64_t PageCrcs::Whole() const {
  const Crc64Shift leaf_shift(kLeafPages * kPageBytes);
  uint64_t crc = 0;
  for (uint64_t leaf = 0; leaf < leaves_.size(); ++leaf) {
    const uint64_t pages = LeafPages(leaf);
    crc = pages == kLeafPages ? leaf_shift.Apply(crc) ^ leaves_[leaf]
                              : Crc64Combine(crc, leaves_[leaf], pages * kPageBytes);
  }
  return crc;
}

}  // namespace standstill
