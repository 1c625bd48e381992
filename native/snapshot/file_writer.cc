// Writing snapshots: the file format, and flat exports.
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "memory/page_bytes.h"
#include "port/file.h"
#include "port/task_pool.h"
#include "snapshot/file_format.h"
#include "snapshot/first_problem.h"
#include "snapshot/state_codec.h"
#include "standstill/snapshot_file.h"

namespace standstill {
namespace {

void CopyPage(const PageTable& table, uint64_t page, std::byte* to) {
  table.Read(page * kPageBytes, to, kPageBytes);
}

// The present pages of a chunk at their own places in the file, in as few writes as there are runs.
bool WriteFlatChunk(const PageTable& table, uint64_t chunk, uint64_t present, uint64_t ram_offset,
                    NewFile& file, FileError* error) {
  thread_local std::vector<std::byte> buffer(kChunkBytes);
  while (present != 0) {
    const auto first = static_cast<uint64_t>(std::countr_zero(present));
    const auto count = static_cast<uint64_t>(std::countr_one(present >> first));
    for (uint64_t page = 0; page < count; ++page)
      CopyPage(table, chunk * kChunkPages + first + page, buffer.data() + page * kPageBytes);
    const uint64_t offset = ram_offset + (chunk * kChunkPages + first) * kPageBytes;
    if (!file.Write(offset, std::span(buffer).first(count * kPageBytes), error)) return false;
    if (first + count == kChunkPages) break;
    present &= ~uint64_t{0} << (first + count);
  }
  return true;
}

// A page may have memory and be zero: one that the guest itself handed over was not looked at.
PageSet PagesNotZero(const PageTable& table) {
  PageSet pages(table.pages());
  for (uint64_t page = 0; page < table.pages(); ++page) {
    const std::byte* const bytes = table.page(page);
    if (bytes != nullptr && !IsZeroPage(bytes)) pages.Add(page);
  }
  return pages;
}

}  // namespace

std::vector<std::byte> StateBytes(const MachineState& state) {
  return EncodeState(state);
}

// ── The format ────────────────────────────────────────────────────────────────────────────────

class SnapshotWriter::Impl {
 public:
  Impl(std::shared_ptr<const Snapshot> snapshot, const SaveOptions& options, PageSet present)
      : snapshot(std::move(snapshot)),
        table(*this->snapshot->table()),
        state(EncodeState(this->snapshot->state())),
        present(std::move(present)),
        chunks(FileLayout(table.pages() << kPageShift, 0, 0).chunks) {
    if (options.compressed) header.flags |= kPackedFile | kCompressedFile;
    if (options.base != nullptr) header.flags |= kPackedFile | kDifferentialFile;
    header.ram_bytes = this->snapshot->state().ram_bytes;
    header.state_bytes = state.size();
    header.taken_wall_ns = this->snapshot->state().taken_wall_ns;
    header.id = options.id;
    header.base_id = options.base_id;
    const std::string& name = this->snapshot->state().vm_name;
    std::copy_n(name.begin(), std::min(name.size(), header.vm_name.size()), header.vm_name.begin());
  }

  bool flat() const { return (header.flags & kPackedFile) == 0; }
  FileLayout layout() const { return {header.ram_bytes, header.state_bytes, header.data_bytes}; }
  uint64_t PayloadBytes(uint64_t chunk) const {
    return static_cast<uint64_t>(std::popcount(present.word(chunk))) * kPageBytes;
  }
  // Where everything is, and each chunk's CRC, of an uncompressed file.
  void Place();
  bool AllWritten() const {
    for (uint64_t chunk = 0; chunk < chunks.size(); ++chunk) {
      const bool missing = chunk >= next_chunk || chunks[chunk].stored_bytes == 0;
      if (missing && present.word(chunk) != 0) return false;
    }
    return true;
  }

  const std::shared_ptr<const Snapshot> snapshot;
  const PageTable& table;
  const std::vector<std::byte> state;
  const PageSet present;
  FileHeader header;
  std::vector<uint64_t> page_crcs;
  std::vector<ChunkEntry> chunks;
  uint64_t next_chunk = 0;  // those before it are written
  std::unique_ptr<NewFile> file;
};

SnapshotWriter::SnapshotWriter(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SnapshotWriter::~SnapshotWriter() = default;

Status SnapshotWriter::Create(const std::string& path, std::shared_ptr<const Snapshot> snapshot,
                              const SaveOptions& options, Progress& progress,
                              std::unique_ptr<SnapshotWriter>* out, FileProblem* problem) try {
  const PageTable& table = *snapshot->table();
  PageSet present(0);
  if (options.base != nullptr) {
    if (options.base->state().ram_bytes != snapshot->state().ram_bytes)
      return Status::kSnapshotMismatch;
    present = PageSet(table.pages());
    const PageTable& base = *options.base->table();
    const Status status = table.Diff(base, progress, &present);
    if (status != Status::kOk) {
      if (table.Health(problem) == Status::kOk) (void)base.Health(problem);
      return status;
    }
  } else {
    present = PagesNotZero(table);
  }
  std::unique_ptr<SnapshotWriter> writer(
      new SnapshotWriter(std::make_unique<Impl>(std::move(snapshot), options, std::move(present))));
  Impl& impl = *writer->impl_;
  if (const Status status = table.PageCrcs(progress, &impl.page_crcs); status != Status::kOk) {
    (void)table.Health(problem);
    return status;
  }
  if (!options.compressed) impl.Place();
  FileError error;
  impl.file = NewFile::Create(path, &error);
  if (impl.file == nullptr) return Refused(error, 0, problem);
  *out = std::move(writer);
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

void SnapshotWriter::Impl::Place() {
  const FileLayout all = layout();
  for (uint64_t chunk = 0; chunk < chunks.size(); ++chunk) {
    const uint64_t word = present.word(chunk);
    if (word == 0) continue;
    const uint64_t pages = flat() ? PageSet::WordMask(all.pages, chunk) : word;
    const uint64_t bytes = static_cast<uint64_t>(std::popcount(pages)) * kPageBytes;
    chunks[chunk] = {bytes, CrcOfPages(page_crcs, chunk, pages)};
    header.data_bytes += bytes;
  }
  if (flat()) header.data_bytes = header.ram_bytes;
}

uint64_t SnapshotWriter::chunk_count() const {
  return impl_->chunks.size();
}

Status SnapshotWriter::ChunkPages(uint64_t chunk, std::vector<std::byte>* out) const try {
  out->resize(impl_->PayloadBytes(chunk));
  std::byte* to = out->data();
  impl_->present.ForEachIn(chunk, chunk + 1, [&](uint64_t page) {
    CopyPage(impl_->table, page, to);
    to += kPageBytes;
  });
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status SnapshotWriter::WriteChunks(Progress& progress, FileProblem* problem) try {
  const FileLayout layout = impl_->layout();
  std::vector<uint64_t> offsets(layout.chunks);  // of a packed file
  uint64_t offset = layout.data;
  for (uint64_t chunk = 0; chunk < layout.chunks; ++chunk) {
    offsets[chunk] = offset;
    offset += impl_->chunks[chunk].stored_bytes;
  }
  FirstProblem first;
  progress.Begin(layout.chunks);
  TaskPool::Get().ParallelFor(layout.chunks, TaskPool::kAllThreads, [&](uint64_t chunk) {
    if (progress.cancelled() || first.found()) return;
    first.Run([&](FileProblem* found) {
      FileError error;
      bool written = true;
      if (impl_->flat()) {
        written = WriteFlatChunk(impl_->table, chunk, impl_->present.word(chunk), layout.data,
                                 *impl_->file, &error);
      } else if (impl_->present.word(chunk) != 0) {
        thread_local std::vector<std::byte> pages;
        const Status status = ChunkPages(chunk, &pages);
        if (status != Status::kOk) return status;
        written = impl_->file->Write(offsets[chunk], pages, &error);
      }
      return written ? Status::kOk : Refused(error, 0, found);
    });
    progress.Add(1);
  });
  if (first.found()) return first.Take(problem);
  if (progress.cancelled()) return Status::kCancelled;
  impl_->next_chunk = layout.chunks;
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status SnapshotWriter::PutChunk(uint64_t chunk, std::span<const std::byte> stored,
                                FileProblem* problem) {
  const bool present = impl_->present.word(chunk) != 0;
  const bool fits = chunk >= impl_->next_chunk && present == !stored.empty() &&
                    stored.size() <= kStoredChunkBytesMax;
  if (!fits) return Status::kInvalidArgument;
  impl_->next_chunk = chunk + 1;
  FileError error;
  if (!impl_->file->Write(impl_->layout().trailer, stored, &error))
    return Refused(error, 0, problem);
  impl_->chunks[chunk] = {stored.size(), Crc64(0, stored)};
  impl_->header.data_bytes += stored.size();
  return Status::kOk;
}

Status SnapshotWriter::Commit(FileProblem* problem) try {
  if (!impl_->AllWritten()) return Status::kInvalidArgument;
  if (const Status status = impl_->table.Health(problem); status != Status::kOk) return status;
  const FileLayout layout = impl_->layout();
  std::vector<std::byte> tables(layout.tables_end - layout.state);
  const auto put = [&](uint64_t offset, std::span<const std::byte> bytes) {
    std::copy(bytes.begin(), bytes.end(),
              tables.begin() + static_cast<std::ptrdiff_t>(offset - layout.state));
  };
  put(layout.state, impl_->state);
  put(layout.page_crcs, std::as_bytes(std::span(impl_->page_crcs)));
  for (uint64_t chunk = 0; chunk < layout.chunks; ++chunk)
    put(layout.presence + chunk * sizeof(uint64_t), BytesOf(impl_->present.word(chunk)));
  put(layout.chunk_table, std::as_bytes(std::span(impl_->chunks)));
  impl_->header.tables_crc = Crc64(0, tables);
  impl_->header.header_crc = CrcBeforeLast(impl_->header);
  FileTrailer trailer;
  trailer.file_bytes = layout.file_bytes;
  trailer.content_crc = ContentCrc(impl_->header, layout, impl_->chunks);
  trailer.trailer_crc = CrcBeforeLast(trailer);
  FileError error;
  NewFile& file = *impl_->file;
  const bool committed =
      file.Write(0, BytesOf(impl_->header), &error) && file.Write(layout.state, tables, &error) &&
      file.Write(layout.trailer, BytesOf(trailer), &error) && file.Commit(&error);
  return committed ? Status::kOk : Refused(error, 0, problem);
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

// ── Exports ───────────────────────────────────────────────────────────────────────────────────

Status ExportFlat(const Snapshot& snapshot, const std::string& path,
                  std::span<const std::byte> prefix, Progress& progress, FileProblem* problem) try {
  const PageTable& table = *snapshot.table();
  const PageSet present = PagesNotZero(table);
  FileError error;
  const std::unique_ptr<NewFile> file = NewFile::Create(path, &error);
  if (file == nullptr || !file->SetSize(prefix.size() + snapshot.state().ram_bytes, &error) ||
      !file->Write(0, prefix, &error)) {
    return Refused(error, 0, problem);
  }
  FirstProblem first;
  progress.Begin(present.word_count());
  TaskPool::Get().ParallelFor(present.word_count(), TaskPool::kAllThreads, [&](uint64_t chunk) {
    if (progress.cancelled() || first.found()) return;
    first.Run([&](FileProblem* found) {
      FileError refused;
      return WriteFlatChunk(table, chunk, present.word(chunk), prefix.size(), *file, &refused)
                 ? Status::kOk
                 : Refused(refused, 0, found);
    });
    progress.Add(1);
  });
  if (first.found()) return first.Take(problem);
  if (progress.cancelled()) return Status::kCancelled;
  if (const Status status = table.Health(problem); status != Status::kOk) return status;
  return file->Commit(&error) ? Status::kOk : Refused(error, 0, problem);
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

}  // namespace standstill
