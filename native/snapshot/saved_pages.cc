#include "snapshot/saved_pages.h"

#include <bit>
#include <cstring>
#include <utility>

#include "memory/page_bytes.h"

namespace standstill {

SavedPages::~SavedPages() {
  if (slots_.count() != 0) store_.Drop({slots_.data(), slots_.count()});
}

Status SavedPages::Create(uint64_t pages, uint64_t count) {
  if (!slots_.Create(pages)) return Status::kOutOfMemory;
  return store_.Reserve(count, &room_);
}

bool SavedPages::Save(uint64_t page, const std::byte* bytes, bool by_guest) {
  if (!by_guest && IsZeroPage(bytes)) return true;
  PageSlot slot = room_.Take();
  if (slot == kZeroSlot && !by_guest) slot = more_room_.Take();
  if (slot == kZeroSlot) return false;
  std::memcpy(store_.page(slot), bytes, kPageBytes);
  slots_[page] = slot;
  return true;
}

PageLeaf::Slots SavedPages::Taken(uint64_t index, uint64_t word) {
  PageLeaf::Slots taken{};
  for (; word != 0; word &= word - 1) {
    const auto page = static_cast<uint64_t>(std::countr_zero(word));
    taken[page] = std::exchange(slots_[index * PageLeaf::kPages + page], kZeroSlot);
  }
  return taken;
}

void SavedPages::Release(uint64_t index, uint64_t word) {
  store_.Drop(Taken(index, word));
}

std::shared_ptr<const PageTable> SavedPages::Build(const PageTable& base, const PageSet& changed) {
  TableBuilder builder(base);
  for (uint64_t index = 0; index < changed.word_count(); ++index) {
    if (const uint64_t word = changed.word(index); word != 0)
      builder.SetLeaf(index, word, Taken(index, word));
  }
  return builder.Take();
}

}  // namespace standstill
