#include "standstill/snapshot.h"

#include <new>

#include "memory/ram_image.h"
#include "snapshot/page_table.h"

namespace standstill {

Status CreatePageStore(uint64_t limit_bytes, std::shared_ptr<PageStore>* out) {
  return PageStore::Create(limit_bytes, out);
}

PageStoreUsage UsageOf(PageStore& store) {
  return store.usage();
}

const std::shared_ptr<PageStore>& Snapshot::store() const {
  return table_->store();
}

Status Snapshot::Health(FileProblem* problem) const {
  return table_->Health(problem);
}

Status Snapshot::Digest(Progress& progress, uint64_t* value) const {
  return table_->Digest(progress, value);
}

Status Snapshot::PageCrcs(Progress& progress, std::vector<uint64_t>* crcs) const {
  return table_->PageCrcs(progress, crcs);
}

Status Snapshot::Diff(const Snapshot& other, Progress& progress,
                      std::vector<PageRange>* ranges) const try {
  if (state_.ram_bytes != other.state_.ram_bytes) return Status::kSnapshotMismatch;
  PageSet differing(table_->pages());
  const Status status = table_->Diff(*other.table_, progress, &differing);
  if (status == Status::kOk) *ranges = differing.Ranges();
  return status;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status Snapshot::Read(uint64_t gpa, uint64_t length, std::vector<std::byte>* out) const try {
  if (gpa > state_.ram_bytes || length > state_.ram_bytes - gpa) return Status::kInvalidArgument;
  out->resize(length);
  table_->Read(gpa, out->data(), length);
  return table_->Health();
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

SnapshotUsage Snapshot::Usage() const {
  SnapshotUsage usage = table_->Usage();
  const std::lock_guard lock(image_mutex_);
  if (image_ != nullptr && !image_->exposed())
    usage.image_pages = table_->pages() - usage.zero_pages;
  return usage;
}

Status Snapshot::Image(Progress& progress, std::shared_ptr<const RamImage>* out) const try {
  const std::lock_guard lock(image_mutex_);
  if (image_ == nullptr && table_->AllInFile()) image_ = table_->file()->image();
  if (image_ == nullptr) {
    std::shared_ptr<const void> charge;
    const SnapshotUsage usage = table_->Usage();
    const uint64_t pages = table_->pages() - usage.zero_pages;
    if (const Status status = table_->store()->Charge(pages, &charge); status != Status::kOk)
      return status;
    const auto image = std::make_shared<MemoryImage>(std::move(charge), state_.ram_bytes);
    if (!image->file.ok()) return Status::kOutOfMemory;
    if (const Status status = table_->WriteTo(image->file, progress); status != Status::kOk)
      return status;
    if (!image->file.Seal(Memfd::Writes::kSealed)) return Status::kOutOfMemory;
    image_ = image;
  }
  *out = image_;
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

}  // namespace standstill
