// PageStore: where snapshots keep their pages. One a host, with a cap. A page is held by every leaf
// of a page table that names it and freed with the last of them, so a chain of snapshots costs the
// pages that changed.
//
// The store is one range of address space of the cap's size. A slot is a page of it; slot 0 stands
// for the page of zeroes and takes no memory. Blocks of 2 MiB get memory, in huge pages where the
// kernel has them, when their first slot is reserved; a block that is wholly free keeps it for the
// next snapshot as long as no more than kSpareBytes lie idle.
//
// Threads: any. Ordering: a mutex guards what is free. Holds are atomics as a shared pointer's are
// (relaxed up, acquire and release down). A slot's bytes are written by whoever reserved it, and
// published with the table that names it.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <vector>

#include "memory/mapped_array.h"
#include "standstill/program.h"
#include "standstill/snapshot.h"
#include "standstill/status.h"

namespace standstill {

using PageSlot = uint32_t;
inline constexpr PageSlot kZeroSlot = 0;
// A page that is in no store: in the file that a table was mapped from. Never a slot: a store has 2^28
// at most.
inline constexpr PageSlot kFileSlot = ~PageSlot{0};

// CRC-64/NVME of 4 KiB of zeroes.
uint64_t ZeroPageCrc();

class PageStore;

// Slots set aside for a snapshot under way, with memory behind them. What is not taken goes back.
//
// Threads: Take by any number at a time; the rest by its owner.
class PageReservation {
 public:
  PageReservation() = default;
  ~PageReservation();
  PageReservation(const PageReservation&) = delete;
  PageReservation& operator=(const PageReservation&) = delete;

  // A slot whose one hold is the caller's; kZeroSlot where none is left.
  PageSlot Take() {
    const size_t at = taken_.fetch_add(1, std::memory_order_relaxed);
    return at < slots_.size() ? slots_[at] : kZeroSlot;
  }

 private:
  friend class PageStore;
  std::shared_ptr<PageStore> store_;
  std::vector<PageSlot> slots_;
  std::atomic<size_t> taken_{0};
};

class PageStore : public std::enable_shared_from_this<PageStore> {
 public:
  static constexpr uint64_t kBlockBytes = uint64_t{2} << 20;
  static constexpr uint64_t kSpareBytes = uint64_t{256} << 20;

  // See CreatePageStore; the cap is rounded up to whole blocks.
  static Status Create(uint64_t limit_bytes, std::shared_ptr<PageStore>* out);
  ~PageStore();
  PageStore(const PageStore&) = delete;
  PageStore& operator=(const PageStore&) = delete;

  // kSnapshotLimit where the cap leaves no room for `count` pages, kOutOfMemory where the machine
  // refuses them.
  Status Reserve(uint64_t count, PageReservation* out);
  // Counts so many pages of memory elsewhere against the cap. kSnapshotLimit.
  Status Charge(uint64_t pages, std::shared_ptr<const void>* out);
  PageStoreUsage usage();

  std::byte* page(PageSlot slot) { return base_ + uint64_t{slot} * kPageBytes; }
  void Hold(PageSlot slot) { holds_[slot].fetch_add(1, std::memory_order_relaxed); }
  bool shared(PageSlot slot) const { return holds_[slot].load(std::memory_order_relaxed) > 1; }
  // Gives up one hold of each; zero and file slots are skipped.
  void Drop(std::span<const PageSlot> slots);
  // CRC-64/NVME of the page, taken at the first call and then remembered. Any slot, zero too.
  uint64_t Crc(PageSlot slot);

 private:
  static constexpr uint64_t kBlockSlots = kBlockBytes / kPageBytes;
  struct Block {
    std::array<uint64_t, kBlockSlots / 64> used{};  // a bit each
    uint32_t used_count = 0;
    bool resident = false;
  };

  explicit PageStore(uint64_t block_limit) : block_limit_(block_limit) {}
  uint64_t slot_limit() const { return block_limit_ * kBlockSlots; }
  uint64_t free_pages() const { return slot_limit() - used_slots_ - charged_pages_; }  // mutex_
  std::byte* block_base(uint64_t block) { return base_ + block * kBlockBytes; }
  // With mutex_ held: up to `count` slots of one block, which gets memory where it has none.
  void TakeFrom(uint64_t block, uint64_t count, std::vector<PageSlot>* slots);
  void Free(std::span<const PageSlot> slots);

  const uint64_t block_limit_;
  std::byte* base_ = nullptr;
  MappedArray<std::atomic<uint32_t>> holds_;  // a slot each
  MappedArray<std::atomic<uint64_t>> crcs_;   // a slot each; 0: not known yet

  std::mutex mutex_;
  std::vector<Block> blocks_;     // mutex_; those that were ever used
  std::set<uint64_t> has_room_;   // mutex_; of those the ones with a free slot, the lowest first
  uint64_t used_slots_ = 1;       // mutex_; slot 0 is the page of zeroes
  uint64_t charged_pages_ = 0;    // mutex_
  uint64_t resident_blocks_ = 0;  // mutex_
  uint64_t idle_blocks_ = 0;      // mutex_; resident and wholly free
};

}  // namespace standstill
