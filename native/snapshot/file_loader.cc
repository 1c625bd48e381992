// Loading: a snapshot made of a file, each page's bytes checked before they are taken in.
#include <new>
#include <utility>

#include "port/task_pool.h"
#include "snapshot/file_format.h"
#include "snapshot/first_problem.h"
#include "snapshot/saved_pages.h"
#include "standstill/snapshot_file.h"
#include "util/check.h"

namespace standstill {

class SnapshotLoader::Impl {
 public:
  enum class ChunkState : uint8_t { kMissing, kBegun, kWhole };

  Impl(std::shared_ptr<const SnapshotFile> file, std::shared_ptr<PageStore> store,
       std::shared_ptr<const PageTable> base)
      : file(std::move(file)),
        store(std::move(store)),
        base(std::move(base)),
        saved(*this->store),
        chunk_states(this->file->chunk_count()) {}

  Status PutChunk(uint64_t chunk, std::span<const std::byte> pages, bool flat,
                  FileProblem* problem);

  const std::shared_ptr<const SnapshotFile> file;
  const std::shared_ptr<PageStore> store;
  const std::shared_ptr<const PageTable> base;
  SavedPages saved;
  std::vector<ChunkState> chunk_states;  // an element each, for parallel calls
};

SnapshotLoader::SnapshotLoader(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SnapshotLoader::~SnapshotLoader() = default;

Status SnapshotLoader::Create(std::shared_ptr<const SnapshotFile> file,
                              std::shared_ptr<PageStore> store,
                              std::shared_ptr<const Snapshot> base,
                              std::unique_ptr<SnapshotLoader>* out) try {
  const uint64_t pages = file->state().ram_bytes >> kPageShift;
  std::shared_ptr<const PageTable> table;
  if (file->differential()) {
    if (base == nullptr || base->state().ram_bytes != file->state().ram_bytes)
      return Status::kSnapshotMismatch;
    if (base->table()->store() != store) return Status::kSnapshotMismatch;
    table = base->table();
    for (uint64_t page = 0; page < pages; ++page) {
      if (!file->present().Holds(page) && table->Crc(page) != file->page_crcs()[page])
        return Status::kSnapshotMismatch;
    }
    if (const Status status = table->Health(); status != Status::kOk) return status;
  } else {
    table = std::make_shared<const PageTable>(store, pages);
  }
  const uint64_t present = file->present_pages();
  std::unique_ptr<SnapshotLoader> loader(new SnapshotLoader(
      std::make_unique<Impl>(std::move(file), std::move(store), std::move(table))));
  const Status status = loader->impl_->saved.Create(pages, present);
  if (status == Status::kOk) *out = std::move(loader);
  return status;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status SnapshotLoader::Impl::PutChunk(uint64_t chunk, std::span<const std::byte> pages, bool flat,
                                      FileProblem* problem) {
  if (chunk_states[chunk] != ChunkState::kMissing) return Status::kInvalidArgument;
  chunk_states[chunk] = ChunkState::kBegun;
  uint64_t at = 0;
  Status status = Status::kOk;
  file->present().ForEachIn(chunk, chunk + 1, [&](uint64_t page) {
    if (status != Status::kOk) return;
    const uint64_t from = flat ? (page % kChunkPages) * kPageBytes : at;
    at += kPageBytes;
    const auto bytes = from + kPageBytes <= pages.size() ? pages.subspan(from, kPageBytes)
                                                         : std::span<const std::byte>();
    if (bytes.empty() || Crc64(0, bytes) != file->page_crcs()[page]) {
      status =
          Damaged("a damaged page " + std::to_string(page), file->chunk_offset(chunk), problem);
    } else {
      SS_CHECK(saved.Save(page, bytes.data(), false));  // there is room for each page once
    }
  });
  if (status == Status::kOk && !flat && at != pages.size())
    status = Damaged("more than the pages of chunk " + std::to_string(chunk),
                     file->chunk_offset(chunk), problem);
  if (status == Status::kOk) chunk_states[chunk] = ChunkState::kWhole;
  return status;
}

Status SnapshotLoader::PutChunk(uint64_t chunk, std::span<const std::byte> pages,
                                FileProblem* problem) {
  return impl_->PutChunk(chunk, pages, false, problem);
}

Status SnapshotLoader::ReadChunks(Progress& progress, FileProblem* problem) try {
  const SnapshotFile& file = *impl_->file;
  FirstProblem first;
  progress.Begin(file.chunk_count());
  TaskPool::Get().ParallelFor(file.chunk_count(), TaskPool::kAllThreads, [&](uint64_t chunk) {
    if (progress.cancelled() || first.found()) return;
    first.Run([&](FileProblem* found) {
      if (file.present().word(chunk) == 0) return Status::kOk;
      thread_local std::vector<std::byte> stored;
      const Status status = file.ReadChunk(chunk, &stored, found);
      return status == Status::kOk ? impl_->PutChunk(chunk, stored, file.flat(), found) : status;
    });
    progress.Add(1);
  });
  if (first.found()) return first.Take(problem);
  return progress.cancelled() ? Status::kCancelled : Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status SnapshotLoader::Finish(std::shared_ptr<const Snapshot>* out) try {
  const PageSet& present = impl_->file->present();
  for (uint64_t chunk = 0; chunk < present.word_count(); ++chunk) {
    if (present.word(chunk) != 0 && impl_->chunk_states[chunk] != Impl::ChunkState::kWhole)
      return Status::kInvalidArgument;
  }
  *out = std::make_shared<const Snapshot>(impl_->file->state(),
                                          impl_->saved.Build(*impl_->base, present));
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

}  // namespace standstill
