// FilePages: the RAM of a flat snapshot file, mapped where it lies, so that a snapshot of it costs
// no memory and no time. The file's tables were checked when it was opened; a page's bytes are
// against its CRC when the host first reads it. What is wrong is told by Health: whoever has read
// asks it before the result counts.
//
// Threads: any. Ordering: the bytes do not change, or that is what Health finds; all else is relaxed
// atomics, seen by whoever is told that the reading is over.
#pragma once

#include <atomic>
#include <memory>

#include "memory/mapped_array.h"
#include "memory/ram_image.h"
#include "port/memory_loss.h"
#include "standstill/page_set.h"
#include "standstill/snapshot_file.h"

namespace standstill {

class FilePages {
 public:
  // Of a file that can be mapped. kFileFailed, kOutOfMemory.
  static Status Create(std::shared_ptr<const SnapshotFile> file,
                       std::shared_ptr<const FilePages>* out, FileProblem* problem);
  ~FilePages();
  FilePages(const FilePages&) = delete;
  FilePages& operator=(const FilePages&) = delete;

  // The pages that are not zeroes.
  const PageSet& present() const { return file_->present(); }
  const std::shared_ptr<const FileImage>& image() const { return image_; }

  // Of a present page.
  const std::byte* page(uint64_t page) const {
    if (checked_[page].load(std::memory_order_relaxed) == 0) (void)Crc(page);
    return base_ + page * kPageBytes;
  }
  // Of its bytes as they are now.
  uint64_t Crc(uint64_t page) const;
  // kMemoryLost where the file was changed, cut or could not be read since it was opened;
  // kSnapshotDamaged where a page that was read is not the one that was saved. A system call.
  Status Health(FileProblem* problem) const;

 private:
  static constexpr uint64_t kNoPage = ~uint64_t{0};
  explicit FilePages(std::shared_ptr<const SnapshotFile> file)
      : file_(std::move(file)), image_(file_->image()) {}

  const std::shared_ptr<const SnapshotFile> file_;
  const std::shared_ptr<const FileImage> image_;
  std::byte* reservation_ = nullptr;
  std::byte* base_ = nullptr;
  std::unique_ptr<LossWatch> watch_;
  mutable MappedArray<std::atomic<uint8_t>> checked_;  // a page each
  mutable std::atomic<uint64_t> damaged_page_{kNoPage};
};

}  // namespace standstill
