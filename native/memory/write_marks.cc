#include "standstill/write_marks.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "port/memory.h"
#include "util/check.h"

namespace standstill {
namespace {

constexpr uint64_t kBlockBytes = PageSet::kWordPages;
constexpr uint64_t kWordBytes = sizeof(uint64_t);

uint64_t RoundUp(uint64_t value, uint64_t to) {
  return (value + to - 1) / to * to;
}

uint64_t LoadWord(const uint8_t* at) {
  uint64_t word;
  std::memcpy(&word, at, kWordBytes);
  return word;
}

bool BlockIsClean(const uint8_t* at) {
  uint64_t any = 0;
  for (uint64_t i = 0; i < kBlockBytes; i += kWordBytes) any |= LoadWord(at + i);
  return any == 0;
}

}  // namespace

WriteMarks::WriteMarks(uint64_t pages) : pages_(pages), map_bytes_(RoundUp(pages, kBlockBytes)) {}

WriteMarks::~WriteMarks() {
  if (maps_ != nullptr) Unmap(reinterpret_cast<std::byte*>(maps_), kMaps * map_bytes_);
  if (last_written_ != nullptr) {
    Unmap(reinterpret_cast<std::byte*>(last_written_), pages_ * sizeof(uint64_t));
  }
}

Status WriteMarks::Create(uint64_t pages, std::unique_ptr<WriteMarks>* out) try {
  std::unique_ptr<WriteMarks> marks(new (std::nothrow) WriteMarks(pages));
  if (marks == nullptr) return Status::kOutOfMemory;
  marks->maps_ = reinterpret_cast<uint8_t*>(MapAnonymous(kMaps * marks->map_bytes_));
  marks->last_written_ = reinterpret_cast<uint64_t*>(MapAnonymous(pages * sizeof(uint64_t)));
  if (marks->maps_ == nullptr || marks->last_written_ == nullptr) return Status::kOutOfMemory;
  marks->active_ = marks->maps_;
  marks->newest_.resize(marks->map_bytes_ / kBlockBytes);
  for (int i = 1; i < kMaps; ++i) marks->clean_.push_back(marks->maps_ + i * marks->map_bytes_);
  *out = std::move(marks);
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

void WriteMarks::ReserveClean() {
  const std::lock_guard lock(mutex_);
  while (clean_.empty()) FoldOldest();
}

uint64_t WriteMarks::EndEpoch() {
  const std::lock_guard lock(mutex_);
  SS_CHECK(!clean_.empty());
  retired_.push_back({active_, epoch_});
  active_ = clean_.back();
  clean_.pop_back();
  return epoch_++;
}

uint64_t WriteMarks::Fold() {
  const std::lock_guard lock(mutex_);
  while (!retired_.empty()) FoldOldest();
  return dirty_pages_last_;
}

void WriteMarks::FoldOldest() {
  SS_CHECK(!retired_.empty());
  const Retired oldest = retired_.front();
  retired_.pop_front();
  uint64_t dirty_pages = 0;
  for (uint64_t block = 0; block < map_bytes_; block += kBlockBytes) {
    uint8_t* const marks = oldest.map + block;
    if (BlockIsClean(marks)) continue;
    for (uint64_t i = 0; i < kBlockBytes; ++i) {
      if (marks[i] == 0) continue;
      last_written_[block + i] = oldest.epoch;
      ++dirty_pages;
    }
    newest_[block / kBlockBytes] = oldest.epoch;
    std::memset(marks, 0, kBlockBytes);
  }
  clean_.push_back(oldest.map);
  folded_epoch_ = oldest.epoch;
  dirty_pages_last_ = dirty_pages;
  dirty_pages_total_ += dirty_pages;
}

PageSet WriteMarks::PagesNewerThan(uint64_t epoch) {
  const std::lock_guard lock(mutex_);
  PageSet pages(pages_);
  for (uint64_t index = 0; index < newest_.size(); ++index) {
    if (newest_[index] <= epoch) continue;
    const uint64_t first = index * kBlockBytes;
    const uint64_t last = std::min(pages_, first + kBlockBytes);
    uint64_t word = 0;
    for (uint64_t page = first; page < last; ++page) {
      word |= uint64_t{last_written_[page] > epoch} << (page - first);
    }
    pages.word(index) = word;
  }
  return pages;
}

void WriteMarks::RecordWritten(const PageSet& pages) {
  const std::lock_guard lock(mutex_);
  pages.ForEach([&](uint64_t page) {
    last_written_[page] = folded_epoch_;
    newest_[page / kBlockBytes] = folded_epoch_;
  });
}

uint64_t WriteMarks::folded_epoch() {
  const std::lock_guard lock(mutex_);
  return folded_epoch_;
}

uint64_t WriteMarks::dirty_pages_last() {
  const std::lock_guard lock(mutex_);
  return dirty_pages_last_;
}

uint64_t WriteMarks::dirty_pages_total() {
  const std::lock_guard lock(mutex_);
  return dirty_pages_total_;
}

}  // namespace standstill
