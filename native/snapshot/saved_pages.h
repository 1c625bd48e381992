// The pages of a snapshot under way: where each was put, until a table is made of them.
//
// Threads: creation, Reserve, Release, Build and destruction by the snapshot's own thread; Save by
// any number of copiers and the guest, for different pages. Ordering: what was saved is built on after the hand-over has been seen finished, or after the copiers'
// ParallelFor.
#pragma once

#include <array>
#include <memory>

#include "memory/handover.h"
#include "memory/mapped_array.h"
#include "snapshot/page_table.h"

namespace standstill {

class SavedPages final : public PageSink {
 public:
  explicit SavedPages(PageStore& store) : store_(store) {}
  ~SavedPages() override;

  // Room for `count` pages of the `pages` that there are. kSnapshotLimit, kOutOfMemory.
  Status Create(uint64_t pages, uint64_t count);
  // More room, for copiers only. Once.
  Status ReserveMore(uint64_t count) { return store_.Reserve(count, &more_room_); }

  bool Save(uint64_t page, const std::byte* bytes, bool by_guest) override;

  // Gives up what was saved of pages of a set's word.
  void Release(uint64_t index, uint64_t word);
  // `base` with what was saved of `changed`. Throws std::bad_alloc.
  std::shared_ptr<const PageTable> Build(const PageTable& base, const PageSet& changed);

 private:
  PageLeaf::Slots Taken(uint64_t index, uint64_t word);

  PageStore& store_;
  PageReservation room_;
  PageReservation more_room_;
  MappedArray<PageSlot> slots_;  // a page each
};

}  // namespace standstill
