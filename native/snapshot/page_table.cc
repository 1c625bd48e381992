#include "snapshot/page_table.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "memory/page_bytes.h"
#include "port/task_pool.h"
#include "util/check.h"
#include "util/crc64.h"

namespace standstill {
namespace {

constexpr uint64_t kGroupLeaves = 16;  // 4 MiB: what one task takes at a time

const Crc64Shift& PageShift() {
  static const Crc64Shift shift(kPageBytes);
  return shift;
}
const Crc64Shift& LeafShift() {
  static const Crc64Shift shift(PageLeaf::kPages * kPageBytes);
  return shift;
}

uint64_t CrcOf(PageStore& store, const PageLeaf::Slots& slots, uint64_t pages) {
  uint64_t crc = 0;
  for (uint64_t page = 0; page < pages; ++page)
    crc = PageShift().Apply(crc) ^ store.Crc(slots[page]);
  return crc;
}

// body(first, last) over groups of leaves, in parallel, until it is cancelled.
template <class Body>
Status ForLeafGroups(uint64_t leaves, Progress& progress, const Body& body) try {
  progress.Begin(leaves);
  const uint64_t groups = (leaves + kGroupLeaves - 1) / kGroupLeaves;
  TaskPool::Get().ParallelFor(groups, TaskPool::kAllThreads, [&](uint64_t group) {
    if (progress.cancelled()) return;
    const uint64_t first = group * kGroupLeaves;
    const uint64_t last = std::min(leaves, first + kGroupLeaves);
    body(first, last);
    progress.Add(last - first);
  });
  return progress.cancelled() ? Status::kCancelled : Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

bool SameBytes(const std::byte* a, const std::byte* b) {
  if (a != nullptr && b != nullptr) return std::memcmp(a, b, kPageBytes) == 0;
  return IsZeroPage(a != nullptr ? a : b);
}

}  // namespace

uint64_t PageLeaf::Crc(uint64_t pages) const {
  uint64_t crc = crc_.load(std::memory_order_relaxed);
  if (crc == 0) {
    crc = CrcOf(store_, slots_, pages);
    crc_.store(crc, std::memory_order_relaxed);
  }
  return crc;
}

uint64_t PageTable::LeafPages(uint64_t index) const {
  return std::min(PageLeaf::kPages, pages_ - index * PageLeaf::kPages);
}

void PageTable::Read(uint64_t gpa, std::byte* to, uint64_t length) const {
  while (length != 0) {
    const uint64_t within = gpa % kPageBytes;
    const uint64_t bytes = std::min(length, kPageBytes - within);
    if (const std::byte* from = page(gpa >> kPageShift)) {
      std::memcpy(to, from + within, bytes);
    } else {
      std::memset(to, 0, bytes);
    }
    gpa += bytes;
    to += bytes;
    length -= bytes;
  }
}

Status PageTable::Digest(Progress& progress, uint64_t* value) const {
  static constexpr PageLeaf::Slots kZeroes{};
  const auto crc_of = [&](uint64_t index) {
    const uint64_t pages = LeafPages(index);
    return leaves_[index] == nullptr ? CrcOf(*store_, kZeroes, pages) : leaves_[index]->Crc(pages);
  };
  const Status status = ForLeafGroups(leaves_.size(), progress, [&](uint64_t first, uint64_t last) {
    for (uint64_t index = first; index < last; ++index) {
      if (leaves_[index] != nullptr) (void)crc_of(index);
    }
  });
  if (status != Status::kOk) return status;
  const uint64_t zero_leaf = CrcOf(*store_, kZeroes, PageLeaf::kPages);
  uint64_t crc = 0;
  for (uint64_t index = 0; index < leaves_.size(); ++index) {
    if (const uint64_t pages = LeafPages(index); pages != PageLeaf::kPages) {
      crc = Crc64Combine(crc, crc_of(index), pages * kPageBytes);
    } else {
      crc = LeafShift().Apply(crc) ^ (leaves_[index] == nullptr ? zero_leaf : crc_of(index));
    }
  }
  *value = crc;
  return Status::kOk;
}

Status PageTable::PageCrcs(Progress& progress, std::vector<uint64_t>* crcs) const try {
  crcs->resize(pages_);
  return ForLeafGroups(leaves_.size(), progress, [&](uint64_t first, uint64_t last) {
    const uint64_t end = std::min(pages_, last * PageLeaf::kPages);
    for (uint64_t page = first * PageLeaf::kPages; page < end; ++page)
      (*crcs)[page] = store_->Crc(slot(page));
  });
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status PageTable::WriteTo(Memfd& file, Progress& progress) const {
  std::atomic<bool> written{true};
  const Status status = ForLeafGroups(leaf_count(), progress, [&](uint64_t first, uint64_t last) {
    for (uint64_t at = first * PageLeaf::kPages; at < std::min(pages_, last * PageLeaf::kPages);
         ++at) {
      const std::byte* const from = page(at);
      if (from != nullptr && !file.Write(at * kPageBytes, {from, kPageBytes}))
        written.store(false, std::memory_order_relaxed);
    }
  });
  return written.load(std::memory_order_relaxed) ? status : Status::kOutOfMemory;
}

SnapshotUsage PageTable::Usage() const {
  SnapshotUsage usage;
  for (uint64_t page = 0; page < pages_; ++page) {
    const PageSlot at = slot(page);
    const bool shared = leaves_[page / PageLeaf::kPages].use_count() > 1 || store_->shared(at);
    uint64_t& count = at == kZeroSlot ? usage.zero_pages
                      : shared        ? usage.shared_pages
                                      : usage.private_pages;
    ++count;
  }
  return usage;
}

void PageTable::AddMoved(const PageTable& other, PageSet* pages) const {
  SS_CHECK(pages_ == other.pages_);
  const bool same_store = store_ == other.store_;
  for (uint64_t index = 0; index < leaves_.size(); ++index) {
    if (leaves_[index] == other.leaves_[index]) continue;
    for (uint64_t page = index * PageLeaf::kPages, end = page + LeafPages(index); page < end;
         ++page) {
      const PageSlot ours = slot(page);
      const PageSlot theirs = other.slot(page);
      const bool same = ours == theirs && (same_store || ours == kZeroSlot);
      if (!same) pages->Add(page);
    }
  }
}

Status PageTable::Diff(const PageTable& other, Progress& progress, PageSet* differing) const {
  SS_CHECK(pages_ == other.pages_);
  return ForLeafGroups(leaves_.size(), progress, [&](uint64_t first, uint64_t last) {
    for (uint64_t index = first; index < last; ++index) {
      if (leaves_[index] == other.leaves_[index]) continue;
      for (uint64_t page = 0; page < LeafPages(index); ++page) {
        const uint64_t at = index * PageLeaf::kPages + page;
        const std::byte* const ours = this->page(at);
        const std::byte* const theirs = other.page(at);
        if (ours != theirs && !SameBytes(ours, theirs))
          differing->word(index) |= uint64_t{1} << page;
      }
    }
  });
}

void TableBuilder::SetLeaf(uint64_t index, uint64_t changed, const PageLeaf::Slots& slots) {
  PageTable::LeafPointer& leaf = table_->leaves_[index];
  PageLeaf::Slots merged = slots;
  bool all_zero = true;
  for (uint64_t page = 0; page < PageLeaf::kPages; ++page) {
    if ((changed >> page & 1) == 0) {
      merged[page] = leaf == nullptr ? kZeroSlot : leaf->slots()[page];
      if (merged[page] != kZeroSlot) table_->store_->Hold(merged[page]);
    }
    all_zero = all_zero && merged[page] == kZeroSlot;
  }
  try {
    leaf = all_zero ? nullptr : std::make_shared<const PageLeaf>(*table_->store_, merged);
  } catch (const std::bad_alloc&) {
    table_->store_->Drop(merged);
    throw;
  }
}

}  // namespace standstill
