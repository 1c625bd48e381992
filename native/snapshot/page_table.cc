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

Status FirstOf(Status status, Status next) {
  return status != Status::kOk ? status : next;
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

uint64_t PageTable::LeafCrc(uint64_t index) const {
  const uint64_t pages = LeafPages(index);
  if (leaves_[index] != nullptr && leaves_[index]->stored()) return leaves_[index]->Crc(pages);
  uint64_t crc = 0;
  for (uint64_t page = index * PageLeaf::kPages, end = page + pages; page < end; ++page)
    crc = PageShift().Apply(crc) ^ Crc(page);
  return crc;
}

bool PageTable::AllInFile() const {
  const auto began = [](const LeafPointer& leaf) { return leaf == nullptr; };
  return file_ != nullptr && std::all_of(leaves_.begin(), leaves_.end(), began);
}

Status PageTable::Health(FileProblem* problem) const {
  return file_ == nullptr ? Status::kOk : file_->Health(problem);
}

Status PageTable::Health() const {
  FileProblem unread;
  return Health(&unread);
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

Status PageTable::Digest(Progress& progress, uint64_t* value) const try {
  static constexpr PageLeaf::Slots kZeroes{};
  const uint64_t zero_leaf = CrcOf(*store_, kZeroes, PageLeaf::kPages);
  std::vector<uint64_t> crcs(leaves_.size());
  const Status status = ForLeafGroups(leaves_.size(), progress, [&](uint64_t first, uint64_t last) {
    for (uint64_t index = first; index < last; ++index) {
      const bool zeroes = leaves_[index] == nullptr && LeafPages(index) == PageLeaf::kPages &&
                          (file_ == nullptr || file_->present().word(index) == 0);
      crcs[index] = zeroes ? zero_leaf : LeafCrc(index);
    }
  });
  uint64_t crc = 0;
  for (uint64_t index = 0; index < leaves_.size(); ++index) {
    const uint64_t pages = LeafPages(index);
    crc = pages == PageLeaf::kPages ? LeafShift().Apply(crc) ^ crcs[index]
                                    : Crc64Combine(crc, crcs[index], pages * kPageBytes);
  }
  *value = crc;
  return FirstOf(status, Health());
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status PageTable::PageCrcs(Progress& progress, std::vector<uint64_t>* crcs) const try {
  crcs->resize(pages_);
  const Status status = ForLeafGroups(leaves_.size(), progress, [&](uint64_t first, uint64_t last) {
    const uint64_t end = std::min(pages_, last * PageLeaf::kPages);
    for (uint64_t page = first * PageLeaf::kPages; page < end; ++page) (*crcs)[page] = Crc(page);
  });
  return FirstOf(status, Health());
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
  if (const Status health = Health(); health != Status::kOk) return health;
  return written.load(std::memory_order_relaxed) ? status : Status::kOutOfMemory;
}

SnapshotUsage PageTable::Usage() const {
  SnapshotUsage usage;
  for (uint64_t page = 0; page < pages_; ++page) {
    const PageSlot at = slot(page);
    if (at == kZeroSlot) {
      ++usage.zero_pages;
    } else if (at == kFileSlot) {
      ++usage.file_pages;
    } else if (leaves_[page / PageLeaf::kPages].use_count() > 1 || store_->shared(at)) {
      ++usage.shared_pages;
    } else {
      ++usage.private_pages;
    }
  }
  return usage;
}

bool PageTable::SameLeaf(const PageTable& other, uint64_t index) const {
  return leaves_[index] == other.leaves_[index] &&
         (leaves_[index] != nullptr || file_ == other.file_);
}

void PageTable::AddMoved(const PageTable& other, PageSet* pages) const {
  SS_CHECK(pages_ == other.pages_);
  const bool same_store = store_ == other.store_;
  for (uint64_t index = 0; index < leaves_.size(); ++index) {
    if (SameLeaf(other, index)) continue;
    for (uint64_t page = index * PageLeaf::kPages, end = page + LeafPages(index); page < end;
         ++page) {
      const PageSlot ours = slot(page);
      const PageSlot theirs = other.slot(page);
      const bool same = ours == theirs && (ours == kZeroSlot   ? true
                                           : ours == kFileSlot ? file_ == other.file_
                                                               : same_store);
      if (!same) pages->Add(page);
    }
  }
}

Status PageTable::Diff(const PageTable& other, Progress& progress, PageSet* differing) const {
  SS_CHECK(pages_ == other.pages_);
  const Status status = ForLeafGroups(leaves_.size(), progress, [&](uint64_t first, uint64_t last) {
    for (uint64_t index = first; index < last; ++index) {
      if (SameLeaf(other, index)) continue;
      for (uint64_t page = 0; page < LeafPages(index); ++page) {
        const uint64_t at = index * PageLeaf::kPages + page;
        const std::byte* const ours = this->page(at);
        const std::byte* const theirs = other.page(at);
        if (ours != theirs && !SameBytes(ours, theirs))
          differing->word(index) |= uint64_t{1} << page;
      }
    }
  });
  return FirstOf(status, FirstOf(Health(), other.Health()));
}

void TableBuilder::SetLeaf(uint64_t index, uint64_t changed, const PageLeaf::Slots& slots) {
  PageTable::LeafPointer& leaf = table_->leaves_[index];
  PageLeaf::Slots merged = slots;
  bool all_zero = true;
  for (uint64_t page = 0; page < PageLeaf::kPages; ++page) {
    const bool inside = index * PageLeaf::kPages + page < table_->pages();
    if ((changed >> page & 1) == 0) {
      merged[page] = inside ? table_->slot(index * PageLeaf::kPages + page) : kZeroSlot;
      if (merged[page] != kZeroSlot && merged[page] != kFileSlot)
        table_->store_->Hold(merged[page]);
    }
    all_zero = all_zero && merged[page] == kZeroSlot;
  }
  // Null stands for zeroes only where the table began with them.
  const bool as_begun = all_zero && table_->file_ == nullptr;
  try {
    leaf = as_begun ? nullptr : std::make_shared<const PageLeaf>(*table_->store_, merged);
  } catch (const std::bad_alloc&) {
    table_->store_->Drop(merged);
    throw;
  }
}

}  // namespace standstill
