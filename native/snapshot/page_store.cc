#include "snapshot/page_store.h"

#include <algorithm>
#include <bit>
#include <new>

#include "port/task_pool.h"
#include "util/check.h"
#include "util/crc64.h"

namespace standstill {

uint64_t ZeroPageCrc() {
  static constexpr std::array<std::byte, kPageBytes> kZeroes{};
  static const uint64_t crc = Crc64(0, kZeroes);
  return crc;
}

PageReservation::~PageReservation() {
  const size_t taken = std::min(taken_.load(std::memory_order_relaxed), slots_.size());
  if (taken < slots_.size()) store_->Drop(std::span(slots_).subspan(taken));
}

Status PageStore::Create(uint64_t limit_bytes, std::shared_ptr<PageStore>* out) try {
  if (limit_bytes < kSnapshotLimitBytesMin || limit_bytes > kSnapshotLimitBytesMax)
    return Status::kInvalidArgument;
  const std::shared_ptr<PageStore> store(
      new PageStore((limit_bytes + kBlockBytes - 1) / kBlockBytes));
  store->base_ = MapHuge(store->block_limit_ * kBlockBytes, kBlockBytes);
  if (store->base_ == nullptr || !store->holds_.Create(store->slot_limit()) ||
      !store->crcs_.Create(store->slot_limit())) {
    return Status::kOutOfMemory;
  }
  *out = store;
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

PageStore::~PageStore() {
  if (base_ != nullptr) Unmap(base_, block_limit_ * kBlockBytes);
}

Status PageStore::Reserve(uint64_t count, PageReservation* out) try {
  SS_CHECK(out->slots_.empty());
  std::vector<PageSlot> slots;
  slots.reserve(count);
  std::vector<uint64_t> fresh;
  {
    const std::lock_guard lock(mutex_);
    if (count > free_pages()) return Status::kSnapshotLimit;
    while (slots.size() < count) {
      if (has_room_.empty()) {
        has_room_.insert(blocks_.size());
        blocks_.emplace_back();
        if (blocks_.size() == 1) blocks_[0] = {.used = {1}, .used_count = 1};
      }
      const uint64_t block = *has_room_.begin();
      if (!blocks_[block].resident) fresh.push_back(block);
      TakeFrom(block, count - slots.size(), &slots);
    }
    used_slots_ += count;
  }
  out->store_ = shared_from_this();
  out->slots_ = std::move(slots);
  std::atomic<bool> populated{true};
  TaskPool::Get().ParallelFor(fresh.size(), TaskPool::kAllThreads, [&](uint64_t index) {
    if (!Populate(block_base(fresh[index]), kBlockBytes))
      populated.store(false, std::memory_order_relaxed);
  });
  return populated.load(std::memory_order_relaxed) ? Status::kOk : Status::kOutOfMemory;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

void PageStore::TakeFrom(uint64_t index, uint64_t count, std::vector<PageSlot>* slots) {
  Block& block = blocks_[index];
  if (!block.resident) {
    block.resident = true;
    ++resident_blocks_;
  } else if (block.used_count == 0) {
    --idle_blocks_;
  }
  for (uint64_t word = 0; word < block.used.size() && count > 0; ++word) {
    for (; block.used[word] != ~uint64_t{0} && count > 0; --count) {
      const int bit = std::countr_one(block.used[word]);
      block.used[word] |= uint64_t{1} << bit;
      ++block.used_count;
      const auto slot =
          static_cast<PageSlot>(index * kBlockSlots + word * 64 + static_cast<uint64_t>(bit));
      holds_[slot].store(1, std::memory_order_relaxed);
      slots->push_back(slot);
    }
  }
  if (block.used_count == kBlockSlots) has_room_.erase(index);
}

void PageStore::Drop(std::span<const PageSlot> slots) {
  std::array<PageSlot, PageSet::kWordPages> freed;
  size_t count = 0;
  for (const PageSlot slot : slots) {
    if (slot == kZeroSlot || slot == kFileSlot ||
        holds_[slot].fetch_sub(1, std::memory_order_acq_rel) != 1)
      continue;
    freed[count++] = slot;
    if (count < freed.size()) continue;
    Free(freed);
    count = 0;
  }
  if (count != 0) Free(std::span(freed).first(count));
}

void PageStore::Free(std::span<const PageSlot> slots) {
  const std::lock_guard lock(mutex_);
  for (const PageSlot slot : slots) {
    crcs_[slot].store(0, std::memory_order_relaxed);
    const uint64_t index = slot / kBlockSlots;
    Block& block = blocks_[index];
    if (block.used_count == kBlockSlots) has_room_.insert(index);
    block.used[slot % kBlockSlots / 64] &= ~(uint64_t{1} << slot % 64);
    if (--block.used_count != 0) continue;
    if ((idle_blocks_ + 1) * kBlockBytes <= kSpareBytes) {
      ++idle_blocks_;
    } else {
      Discard(block_base(index), kBlockBytes);
      block.resident = false;
      --resident_blocks_;
    }
  }
  used_slots_ -= slots.size();
}

uint64_t PageStore::Crc(PageSlot slot) {
  if (slot == kZeroSlot) return ZeroPageCrc();
  uint64_t crc = crcs_[slot].load(std::memory_order_relaxed);
  if (crc == 0) {
    crc = Crc64(0, {page(slot), kPageBytes});
    crcs_[slot].store(crc, std::memory_order_relaxed);
  }
  return crc;
}

Status PageStore::Charge(uint64_t pages, std::shared_ptr<const void>* out) {
  const std::lock_guard lock(mutex_);
  if (pages > free_pages()) return Status::kSnapshotLimit;
  charged_pages_ += pages;
  *out = std::shared_ptr<const void>(this, [store = shared_from_this(), pages](const void*) {
    const std::lock_guard held(store->mutex_);
    store->charged_pages_ -= pages;
  });
  return Status::kOk;
}

PageStoreUsage PageStore::usage() {
  const std::lock_guard lock(mutex_);
  return {block_limit_ * kBlockBytes, (used_slots_ - 1 + charged_pages_) * kPageBytes,
          resident_blocks_ * kBlockBytes + charged_pages_ * kPageBytes};
}

}  // namespace standstill
