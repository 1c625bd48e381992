// PageTable: the RAM of a snapshot, page by page. Immutable, and made of leaves of 64 pages that
// tables share, so that deriving one from another costs the leaves that changed. Where it began with
// a mapped file, its pages are there until they change.
//
// Threads: any, once made; TableBuilder::SetLeaf by any number for different leaves. Ordering: a
// table is published by whoever hands it on; CRCs are relaxed atomics, since whoever computes one
// gets the same value.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "port/memory.h"
#include "snapshot/file_pages.h"
#include "snapshot/page_store.h"
#include "standstill/page_set.h"
#include "standstill/progress.h"
#include "standstill/snapshot.h"

namespace standstill {

// Slots of 64 pages in a row. Of each page it holds the one hold that was given to it.
class PageLeaf {
 public:
  static constexpr uint64_t kPages = PageSet::kWordPages;
  using Slots = std::array<PageSlot, kPages>;

  PageLeaf(PageStore& store, const Slots& slots)
      : slots_(slots),
        stored_(std::find(slots.begin(), slots.end(), kFileSlot) == slots.end()),
        store_(store) {}
  ~PageLeaf() { store_.Drop(slots_); }
  PageLeaf(const PageLeaf&) = delete;
  PageLeaf& operator=(const PageLeaf&) = delete;

  const Slots& slots() const { return slots_; }
  // Whether none of its pages is in a file.
  bool stored() const { return stored_; }
  // Of its first `pages` pages: all 64, but for the last leaf of a RAM. Of a stored one.
  uint64_t Crc(uint64_t pages) const;

 private:
  const Slots slots_;
  const bool stored_;
  PageStore& store_;                      // outlived by: a table keeps its store
  mutable std::atomic<uint64_t> crc_{0};  // 0: not known yet
};

class PageTable {
 public:
  // Null: 64 pages as the table began, of zeroes or of the file.
  using LeafPointer = std::shared_ptr<const PageLeaf>;

  // A RAM of zeroes; with `file`, that in the file.
  PageTable(std::shared_ptr<PageStore> store, uint64_t pages,
            std::shared_ptr<const FilePages> file = nullptr)
      : store_(std::move(store)),
        file_(std::move(file)),
        pages_(pages),
        leaves_(PageSet(pages).word_count()) {}
  PageTable(const PageTable&) = default;

  uint64_t pages() const { return pages_; }
  const std::shared_ptr<PageStore>& store() const { return store_; }
  const std::shared_ptr<const FilePages>& file() const { return file_; }  // null: none
  bool AllInFile() const;
  uint64_t leaf_count() const { return leaves_.size(); }
  const LeafPointer& leaf(uint64_t index) const { return leaves_[index]; }

  PageSlot slot(uint64_t page) const {
    const LeafPointer& leaf = leaves_[page / PageLeaf::kPages];
    if (leaf != nullptr) return leaf->slots()[page % PageLeaf::kPages];
    return file_ != nullptr && file_->present().Holds(page) ? kFileSlot : kZeroSlot;
  }
  // The page's bytes; null: zeroes. Of a table that began with a file they count once Health is good.
  const std::byte* page(uint64_t page) const {
    const PageSlot at = slot(page);
    if (at == kFileSlot) return file_->page(page);
    return at == kZeroSlot ? nullptr : store_->page(at);
  }
  uint64_t Crc(uint64_t page) const {
    const PageSlot at = slot(page);
    return at == kFileSlot ? file_->Crc(page) : store_->Crc(at);
  }
  // As Snapshot's.
  Status Health(FileProblem* problem) const;
  Status Health() const;
  // Copies [gpa, gpa + length), which is inside.
  void Read(uint64_t gpa, std::byte* to, uint64_t length) const;

  // CRC-64/NVME of the whole RAM. In parallel; a page in the store is read at most once in its life.
  // kCancelled, Health.
  Status Digest(Progress& progress, uint64_t* value) const;
  // One for each page. kCancelled, Health.
  Status PageCrcs(Progress& progress, std::vector<uint64_t>* crcs) const;
  SnapshotUsage Usage() const;
  // Writes the RAM to a file of its size, which reads as zero. In parallel. kOutOfMemory, kCancelled,
  // Health.
  Status WriteTo(Memfd& file, Progress& progress) const;

  // Adds the pages that may differ from the other's, of this size: a superset, found without
  // reading any.
  void AddMoved(const PageTable& other, PageSet* pages) const;
  // Pages whose bytes differ. Of one size. kCancelled, Health of both.
  Status Diff(const PageTable& other, Progress& progress, PageSet* differing) const;

 private:
  friend class TableBuilder;
  uint64_t LeafPages(uint64_t index) const;
  uint64_t LeafCrc(uint64_t index) const;
  bool SameLeaf(const PageTable& other, uint64_t index) const;

  const std::shared_ptr<PageStore> store_;  // before the leaves, so that it goes after them
  const std::shared_ptr<const FilePages> file_;
  const uint64_t pages_;
  std::vector<LeafPointer> leaves_;
};

// Derives a table from another one, leaf by leaf.
class TableBuilder {
 public:
  explicit TableBuilder(const PageTable& base) : table_(std::make_shared<PageTable>(base)) {}

  // In leaf `index` the pages of `changed` get `slots`, with their holds; the others stay.
  void SetLeaf(uint64_t index, uint64_t changed, const PageLeaf::Slots& slots);
  std::shared_ptr<const PageTable> Take() { return std::move(table_); }

 private:
  std::shared_ptr<PageTable> table_;
};

}  // namespace standstill
