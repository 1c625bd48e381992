#include "snapshot/file_pages.h"

#include <new>
#include <string>

#include "snapshot/file_format.h"
#include "snapshot/first_problem.h"
#include "snapshot/page_table.h"
#include "util/crc64.h"

namespace standstill {
namespace {

// A read past the end must not find somebody else's memory.
constexpr uint64_t kGuardBytes = 64 * 1024;

}  // namespace

Status FilePages::Create(std::shared_ptr<const SnapshotFile> file,
                         std::shared_ptr<const FilePages>* out, FileProblem* problem) try {
  if (file->image() == nullptr) return Status::kInvalidArgument;
  const std::shared_ptr<FilePages> pages(new FilePages(std::move(file)));
  const uint64_t ram_bytes = pages->image_->bytes();
  FileError error;
  pages->reservation_ = pages->image_->MapForReading(kGuardBytes, &error);
  if (pages->reservation_ == nullptr) return Refused(error, 0, problem);
  pages->base_ = pages->reservation_ + kGuardBytes;
  pages->watch_ = LossWatch::Begin(pages->base_, ram_bytes, false);
  if (pages->watch_ == nullptr || !pages->checked_.Create(ram_bytes >> kPageShift))
    return Status::kOutOfMemory;
  *out = pages;
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

FilePages::~FilePages() {
  watch_.reset();
  if (reservation_ != nullptr) Unmap(reservation_, image_->bytes() + 2 * kGuardBytes);
}

uint64_t FilePages::Crc(uint64_t page) const {
  const uint64_t crc = Crc64(0, {base_ + page * kPageBytes, kPageBytes});
  if (crc == file_->page_crcs()[page]) {
    checked_[page].store(1, std::memory_order_relaxed);
  } else {
    damaged_page_.store(page, std::memory_order_relaxed);
  }
  return crc;
}

Status FilePages::Health(FileProblem* problem) const {
  MemoryLoss& loss = *watch_->loss();
  if (image_->Changed()) loss.Note(0);
  const uint64_t damaged_page = damaged_page_.load(std::memory_order_relaxed);
  if (!loss.any() && damaged_page == kNoPage) return Status::kOk;
  const uint64_t gpa = loss.any() ? loss.offset() : damaged_page * kPageBytes;
  problem->offset = file_->chunk_offset(0) + gpa;
  problem->what = loss.any() ? "one that was changed, cut or cannot be read any more"
                             : "a damaged page " + std::to_string(damaged_page) +
                                   " of the file that it is mapped from";
  return loss.any() ? Status::kMemoryLost : Status::kSnapshotDamaged;
}

// A snapshot of which every page is still in the file.
Status MapSnapshot(std::shared_ptr<const SnapshotFile> file, std::shared_ptr<PageStore> store,
                   std::shared_ptr<const Snapshot>* out, FileProblem* problem) try {
  const MachineState& state = file->state();
  std::shared_ptr<const FilePages> pages;
  if (const Status status = FilePages::Create(file, &pages, problem); status != Status::kOk)
    return status;
  *out = std::make_shared<const Snapshot>(
      state,
      std::make_shared<const PageTable>(std::move(store), state.ram_bytes >> kPageShift, pages));
  return pages->Health(problem);
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

}  // namespace standstill
