#include "standstill/snapshot.h"

#include <new>

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
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

SnapshotUsage Snapshot::Usage() const {
  return table_->Usage();
}

}  // namespace standstill
