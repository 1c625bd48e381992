// Reading snapshot files. Nothing that a file says is believed before it has been checked, and no
// number in it decides where to read or how much to allocate before it is known to be in range.
#include <bit>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>

#include "port/file.h"
#include "port/task_pool.h"
#include "snapshot/file_format.h"
#include "snapshot/saved_pages.h"
#include "snapshot/state_codec.h"
#include "standstill/snapshot_file.h"

namespace standstill {
namespace {

Status Damaged(const std::string& what, uint64_t offset, FileProblem* problem) {
  *problem = {what, offset};
  return Status::kSnapshotDamaged;
}

// The first thing that was found by parallel readers.
class FirstProblem {
 public:
  void Set(Status status, FileProblem problem) {
    const std::lock_guard lock(mutex_);
    if (status_ != Status::kOk && problem.offset >= problem_.offset) return;
    status_ = status;
    problem_ = std::move(problem);
    found_.store(true, std::memory_order_relaxed);
  }
  bool found() const { return found_.load(std::memory_order_relaxed); }
  Status Take(FileProblem* problem) {
    *problem = std::move(problem_);
    return status_;
  }

 private:
  std::mutex mutex_;
  Status status_ = Status::kOk;  // mutex_; read when the readers are done
  FileProblem problem_;          // the same
  std::atomic<bool> found_{false};
};

constexpr uint32_t kKnownFlags = kPackedFile | kCompressedFile | kDifferentialFile;

}  // namespace

class SnapshotFile::Impl {
 public:
  Status Read(uint64_t offset, std::span<std::byte> to, FileProblem* problem) const {
    FileError error;
    const int64_t got = file->Read(offset, to, &error);
    if (got < 0) {
      *problem = {DescribeError(error), offset};
      return Status::kFileFailed;
    }
    if (static_cast<uint64_t>(got) == to.size()) return Status::kOk;
    return Damaged("one that ends early", offset + static_cast<uint64_t>(got), problem);
  }
  Status ReadHeader(uint64_t file_bytes, FileProblem* problem);
  Status ReadTables(FileProblem* problem);
  Status CheckPlaces(FileProblem* problem);

  bool flat() const { return (header.flags & kPackedFile) == 0; }
  FileLayout layout() const { return {header.ram_bytes, header.state_bytes, header.data_bytes}; }
  // How many bytes of pages a chunk stands for.
  uint64_t PayloadBytes(uint64_t chunk) const {
    if (flat()) return layout().chunk_pages(chunk) * kPageBytes;
    return static_cast<uint64_t>(std::popcount(present.word(chunk))) * kPageBytes;
  }
  Status ReadChunk(uint64_t chunk, std::vector<std::byte>* stored, FileProblem* problem) const;

  std::unique_ptr<ReadableFile> file;
  FileHeader header;
  MachineState state;
  std::vector<uint64_t> page_crcs;
  PageSet present{0};
  std::vector<ChunkEntry> chunks;
  std::vector<uint64_t> chunk_offsets;
};

SnapshotFile::SnapshotFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SnapshotFile::~SnapshotFile() = default;

Status SnapshotFile::Open(const std::string& path, std::shared_ptr<SnapshotFile>* out,
                          FileProblem* problem) try {
  auto impl = std::make_unique<Impl>();
  FileError error;
  uint64_t file_bytes = 0;
  impl->file = ReadableFile::Open(path, &error);
  if (impl->file == nullptr || !impl->file->Size(&file_bytes, &error)) {
    *problem = {DescribeError(error), 0};
    return Status::kFileFailed;
  }
  if (const Status status = impl->ReadHeader(file_bytes, problem); status != Status::kOk)
    return status;
  if (const Status status = impl->ReadTables(problem); status != Status::kOk) return status;
  if (const Status status = impl->CheckPlaces(problem); status != Status::kOk) return status;
  out->reset(new SnapshotFile(std::move(impl)));
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status SnapshotFile::Impl::ReadHeader(uint64_t file_bytes, FileProblem* problem) {
  if (const Status status = Read(0, std::as_writable_bytes(std::span(&header, 1)), problem);
      status != Status::kOk) {
    return status;
  }
  if (header.magic != kFileMagic) return Damaged("no snapshot file", 0, problem);
  if (header.version != kFileVersion) {
    return Damaged("one of format version " + std::to_string(header.version),
                   offsetof(FileHeader, version), problem);
  }
  if (header.header_crc != CrcBeforeLast(header)) return Damaged("a damaged header", 0, problem);
  const bool sizes_fit = header.ram_bytes >= kRamBytesMin && header.ram_bytes <= kRamBytesMax &&
                         header.ram_bytes % kPageBytes == 0 &&
                         header.state_bytes <= kStateBytesMax &&
                         header.data_bytes <= kRamBytesMax + kRamBytesMax / 64;
  const bool flags_fit = (header.flags & ~kKnownFlags) == 0 &&
                         ((header.flags & (kCompressedFile | kDifferentialFile)) == 0 || !flat());
  if (!sizes_fit || !flags_fit) return Damaged("an impossible header", 0, problem);
  const FileLayout layout = this->layout();
  if (file_bytes != layout.file_bytes) {
    return Damaged(
        std::to_string(file_bytes) + " bytes in place of " + std::to_string(layout.file_bytes),
        std::min(file_bytes, layout.file_bytes), problem);
  }
  FileTrailer trailer;
  if (const Status status =
          Read(layout.trailer, std::as_writable_bytes(std::span(&trailer, 1)), problem);
      status != Status::kOk) {
    return status;
  }
  const bool whole = trailer.magic == kTrailerMagic && trailer.file_bytes == layout.file_bytes &&
                     trailer.trailer_crc == CrcBeforeLast(trailer);
  return whole ? Status::kOk : Damaged("a damaged trailer", layout.trailer, problem);
}

Status SnapshotFile::Impl::ReadTables(FileProblem* problem) {
  const FileLayout layout = this->layout();
  std::vector<std::byte> tables(layout.tables_end - layout.state);
  if (const Status status = Read(layout.state, tables, problem); status != Status::kOk)
    return status;
  if (header.tables_crc != Crc64(0, tables))
    return Damaged("damaged tables", layout.state, problem);
  const auto at = [&](uint64_t offset) { return tables.data() + (offset - layout.state); };
  if (const char* expected = DecodeState({at(layout.state), header.state_bytes}, &state)) {
    return Damaged(std::string("a state without ") + expected, layout.state, problem);
  }
  if (state.ram_bytes != header.ram_bytes)
    return Damaged("a state of another RAM size", layout.state, problem);
  state.taken_wall_ns = header.taken_wall_ns;
  const auto name_end = std::find(header.vm_name.begin(), header.vm_name.end(), '\0');
  state.vm_name.assign(header.vm_name.begin(), name_end);
  page_crcs.resize(layout.pages);
  std::memcpy(page_crcs.data(), at(layout.page_crcs), layout.pages * sizeof(uint64_t));
  present = PageSet(layout.pages);
  for (uint64_t chunk = 0; chunk < layout.chunks; ++chunk)
    std::memcpy(&present.word(chunk), at(layout.presence + chunk * sizeof(uint64_t)),
                sizeof(uint64_t));
  chunks.resize(layout.chunks);
  std::memcpy(chunks.data(), at(layout.chunk_table), layout.chunks * sizeof(ChunkEntry));
  return Status::kOk;
}

// What the tables say must agree with each other and with the length of the data.
Status SnapshotFile::Impl::CheckPlaces(FileProblem* problem) {
  const FileLayout layout = this->layout();
  const bool compressed = (header.flags & kCompressedFile) != 0;
  uint64_t offset = layout.data;
  for (uint64_t chunk = 0; chunk < layout.chunks; ++chunk) {
    const uint64_t pages = layout.chunk_pages(chunk);
    const uint64_t word = present.word(chunk);
    const uint64_t payload = word == 0 ? 0 : PayloadBytes(chunk);
    const uint64_t stored = chunks[chunk].stored_bytes;
    const bool pages_fit = pages == kChunkPages || word >> pages == 0;
    const bool bytes_fit =
        compressed && word != 0 ? stored > 0 && stored <= kStoredChunkBytesMax : stored == payload;
    if (!pages_fit || !bytes_fit) {
      return Damaged("an impossible chunk", layout.chunk_table + chunk * sizeof(ChunkEntry),
                     problem);
    }
    chunk_offsets.push_back(flat() ? layout.data + chunk * kChunkBytes : offset);
    offset += stored;
  }
  const uint64_t data_bytes = flat() ? header.ram_bytes : offset - layout.data;
  if (data_bytes != header.data_bytes)
    return Damaged("chunks that do not fill the file", layout.chunk_table, problem);
  if ((header.flags & kDifferentialFile) != 0) return Status::kOk;
  const uint64_t zero_crc = ZeroPageCrc();
  for (uint64_t page = 0; page < layout.pages; ++page) {
    if (!present.Holds(page) && page_crcs[page] != zero_crc) {
      return Damaged("a page without its bytes", layout.page_crcs + page * sizeof(uint64_t),
                     problem);
    }
  }
  return Status::kOk;
}

const MachineState& SnapshotFile::state() const {
  return impl_->state;
}
const SnapshotId& SnapshotFile::id() const {
  return impl_->header.id;
}
const SnapshotId& SnapshotFile::base_id() const {
  return impl_->header.base_id;
}
bool SnapshotFile::compressed() const {
  return (impl_->header.flags & kCompressedFile) != 0;
}
bool SnapshotFile::differential() const {
  return (impl_->header.flags & kDifferentialFile) != 0;
}
uint64_t SnapshotFile::file_bytes() const {
  return impl_->layout().file_bytes;
}
uint64_t SnapshotFile::present_pages() const {
  return impl_->present.count();
}
uint64_t SnapshotFile::chunk_count() const {
  return impl_->chunks.size();
}
const std::vector<uint64_t>& SnapshotFile::page_crcs() const {
  return impl_->page_crcs;
}
const PageSet& SnapshotFile::present() const {
  return impl_->present;
}

Status SnapshotFile::ReadChunk(uint64_t chunk, std::vector<std::byte>* stored,
                               FileProblem* problem) const try {
  return impl_->ReadChunk(chunk, stored, problem);
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status SnapshotFile::Impl::ReadChunk(uint64_t chunk, std::vector<std::byte>* stored,
                                     FileProblem* problem) const {
  stored->resize(chunks[chunk].stored_bytes);
  const uint64_t offset = chunk_offsets[chunk];
  if (const Status status = Read(offset, *stored, problem); status != Status::kOk) return status;
  if (Crc64(0, *stored) == chunks[chunk].stored_crc) return Status::kOk;
  // Where the pages lie uncompressed, the first damaged one is known.
  if ((header.flags & kCompressedFile) != 0)
    return Damaged("a damaged chunk " + std::to_string(chunk), offset, problem);
  uint64_t at = 0;
  for (uint64_t page = chunk * kChunkPages; at < stored->size(); ++page) {
    if (!flat() && !present.Holds(page)) continue;
    if (Crc64(0, std::span(*stored).subspan(at, kPageBytes)) != page_crcs[page])
      return Damaged("a damaged page " + std::to_string(page), offset + at, problem);
    at += kPageBytes;
  }
  return Damaged("a damaged chunk table", layout().chunk_table + chunk * sizeof(ChunkEntry),
                 problem);
}

Status SnapshotFile::Verify(Progress& progress, FileProblem* problem) const try {
  const FileLayout layout = impl_->layout();
  FirstProblem first;
  progress.Begin(layout.chunks);
  TaskPool::Get().ParallelFor(layout.chunks, TaskPool::kAllThreads, [&](uint64_t chunk) {
    if (progress.cancelled()) return;
    thread_local std::vector<std::byte> stored;
    FileProblem found;
    const Status status = ReadChunk(chunk, &stored, &found);
    if (status != Status::kOk) first.Set(status, std::move(found));
    progress.Add(1);
  });
  if (first.found()) return first.Take(problem);
  // The trailer's CRC covers what no other one does: the padding, and the holes of a flat file.
  uint64_t crc = 0;
  std::vector<std::byte> bytes(kChunkBytes);
  for (uint64_t offset = 0; offset < layout.trailer && !progress.cancelled();) {
    const auto part = std::span(bytes).first(std::min(kChunkBytes, layout.trailer - offset));
    if (const Status status = impl_->Read(offset, part, problem); status != Status::kOk)
      return status;
    crc = Crc64(crc, part);
    offset += part.size();
  }
  if (progress.cancelled()) return Status::kCancelled;
  FileTrailer trailer;
  if (const Status status =
          impl_->Read(layout.trailer, std::as_writable_bytes(std::span(&trailer, 1)), problem);
      status != Status::kOk) {
    return status;
  }
  if (trailer.trailer_crc != CrcBeforeLast(trailer) || trailer.file_bytes != layout.file_bytes)
    return Damaged("a damaged trailer", layout.trailer, problem);
  if (trailer.content_crc == crc) return Status::kOk;
  return Damaged("bytes that are not zero between its parts", layout.tables_end, problem);
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

// ── Loading ───────────────────────────────────────────────────────────────────────────────────

class SnapshotLoader::Impl {
 public:
  Impl(std::shared_ptr<const SnapshotFile> file, std::shared_ptr<PageStore> store,
       std::shared_ptr<const PageTable> base)
      : file(std::move(file)),
        store(std::move(store)),
        base(std::move(base)),
        saved(*this->store) {}

  Status PutChunk(uint64_t chunk, std::span<const std::byte> pages, bool flat,
                  FileProblem* problem);

  const std::shared_ptr<const SnapshotFile> file;
  const std::shared_ptr<PageStore> store;
  const std::shared_ptr<const PageTable> base;
  SavedPages saved;
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
      if (!file->present().Holds(page) && store->Crc(table->slot(page)) != file->page_crcs()[page])
        return Status::kSnapshotMismatch;
    }
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
  uint64_t at = 0;
  Status status = Status::kOk;
  file->present().ForEachIn(chunk, chunk + 1, [&](uint64_t page) {
    if (status != Status::kOk) return;
    const uint64_t from = flat ? (page % kChunkPages) * kPageBytes : at;
    at += kPageBytes;
    const auto bytes = from + kPageBytes <= pages.size() ? pages.subspan(from, kPageBytes)
                                                         : std::span<const std::byte>();
    if (bytes.empty() || Crc64(0, bytes) != file->page_crcs()[page]) {
      status = Damaged("a damaged page " + std::to_string(page), 0, problem);
    } else if (!saved.Save(page, bytes.data(), false)) {
      status = Damaged("page " + std::to_string(page) + " twice", 0, problem);
    }
  });
  if (status == Status::kOk && !flat && at != pages.size())
    status = Damaged("more than the pages of chunk " + std::to_string(chunk), 0, problem);
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
    thread_local std::vector<std::byte> stored;
    FileProblem found;
    Status status = Status::kOk;
    if (file.present().word(chunk) != 0) status = file.ReadChunk(chunk, &stored, &found);
    if (status == Status::kOk && file.present().word(chunk) != 0)
      status = impl_->PutChunk(chunk, stored, file.flat(), &found);
    if (status != Status::kOk) first.Set(status, std::move(found));
    progress.Add(1);
  });
  if (first.found()) return first.Take(problem);
  return progress.cancelled() ? Status::kCancelled : Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status SnapshotLoader::Finish(std::shared_ptr<const Snapshot>* out) try {
  *out = std::make_shared<const Snapshot>(impl_->file->state(),
                                          impl_->saved.Build(*impl_->base, impl_->file->present()));
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

}  // namespace standstill
