// Reading snapshot files. Nothing that a file says is believed before it has been checked, and no
// number in it decides where to read or how much to allocate before it is known to be in range.
#include <bit>
#include <cstring>
#include <new>
#include <utility>

#include "memory/ram_image.h"
#include "port/file.h"
#include "port/task_pool.h"
#include "snapshot/file_format.h"
#include "snapshot/first_problem.h"
#include "snapshot/state_codec.h"
#include "standstill/snapshot_file.h"

namespace standstill {
namespace {

constexpr uint32_t kKnownFlags = kPackedFile | kCompressedFile | kDifferentialFile;

}  // namespace

class SnapshotFile::Impl {
 public:
  // Not zeroed first, which would take as long as reading it. Aligned for what is in it.
  using TableBytes = std::unique_ptr<std::byte[]>;

  Status Read(uint64_t offset, std::span<std::byte> to, FileProblem* problem) const {
    FileError error;
    const int64_t got = file->Read(offset, to, &error);
    if (got < 0) return Refused(error, offset, problem);
    if (static_cast<uint64_t>(got) == to.size()) return Status::kOk;
    return Damaged("one that ends early", offset + static_cast<uint64_t>(got), problem);
  }
  template <class T>
  Status ReadValue(uint64_t offset, T* value, FileProblem* problem) const {
    return Read(offset, std::as_writable_bytes(std::span(value, 1)), problem);
  }
  // In the order in which they believe each other.
  Status ReadHeader(uint64_t file_bytes, FileProblem* problem);
  Status ReadTables(FileProblem* problem);
  Status CheckPlaces(FileProblem* problem);
  Status CheckPages(FileProblem* problem) const;
  Status ReadTrailer(FileProblem* problem) const;

  Status ReadTableBytes(TableBytes* bytes, FileProblem* problem) const;
  Status ReadZeroes(uint64_t offset, uint64_t bytes, FileProblem* problem) const;
  Status CheckAround(FileProblem* problem) const;

  bool flat() const { return (header.flags & kPackedFile) == 0; }
  FileLayout layout() const { return {header.ram_bytes, header.state_bytes, header.data_bytes}; }
  // How many bytes of pages a chunk stands for.
  uint64_t PayloadBytes(uint64_t chunk) const {
    if (flat()) return layout().chunk_pages(chunk) * kPageBytes;
    return static_cast<uint64_t>(std::popcount(present.word(chunk))) * kPageBytes;
  }
  Status ReadChunk(uint64_t chunk, std::vector<std::byte>* stored, FileProblem* problem) const;

  std::shared_ptr<const ReadableFile> file;
  std::shared_ptr<const FileImage> image;
  FileHeader header;
  MachineState state;
  TableBytes tables;
  std::span<const uint64_t> page_crcs;  // in `tables`
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
  FileStamp stamp;  // before anything is read
  impl->file = ReadableFile::Open(path, &error);
  if (impl->file == nullptr || !impl->file->Stamp(&stamp, &error)) {
    return Refused(error, 0, problem);
  }
  if (const Status status = impl->ReadHeader(stamp.bytes, problem); status != Status::kOk)
    return status;
  if (const Status status = impl->ReadTables(problem); status != Status::kOk) return status;
  if (const Status status = impl->CheckPlaces(problem); status != Status::kOk) return status;
  if (const Status status = impl->CheckPages(problem); status != Status::kOk) return status;
  if (const Status status = impl->ReadTrailer(problem); status != Status::kOk) return status;
  const FileLayout layout = impl->layout();
  if (impl->flat() && layout.data % SystemPageBytes() == 0)
    impl->image =
        std::make_shared<FileImage>(impl->file, stamp, layout.data, impl->header.ram_bytes);
  out->reset(new SnapshotFile(std::move(impl)));
  return Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

Status SnapshotFile::Impl::ReadHeader(uint64_t file_bytes, FileProblem* problem) {
  if (const Status status = ReadValue(0, &header, problem); status != Status::kOk) return status;
  if (header.magic != kFileMagic) return Damaged("no snapshot file", 0, problem);
  if (header.version != kSnapshotFileVersion) {
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
  return Status::kOk;
}

Status SnapshotFile::Impl::ReadTrailer(FileProblem* problem) const {
  const FileLayout layout = this->layout();
  FileTrailer trailer;
  if (const Status status = ReadValue(layout.trailer, &trailer, problem); status != Status::kOk)
    return status;
  const bool whole = trailer.magic == kTrailerMagic && trailer.file_bytes == layout.file_bytes &&
                     trailer.trailer_crc == CrcBeforeLast(trailer) &&
                     trailer.content_crc == ContentCrc(header, layout, chunks);
  return whole ? Status::kOk : Damaged("a damaged trailer", layout.trailer, problem);
}

Status SnapshotFile::Impl::ReadTableBytes(TableBytes* bytes, FileProblem* problem) const {
  const FileLayout layout = this->layout();
  const uint64_t count = layout.tables_end - layout.state;
  *bytes = std::make_unique_for_overwrite<std::byte[]>(count);
  const std::span<std::byte> read(bytes->get(), count);
  if (const Status status = Read(layout.state, read, problem); status != Status::kOk) return status;
  if (header.tables_crc == Crc64(0, read)) return Status::kOk;
  return Damaged("damaged tables", layout.state, problem);
}

Status SnapshotFile::Impl::ReadTables(FileProblem* problem) {
  const FileLayout layout = this->layout();
  if (const Status status = ReadTableBytes(&tables, problem); status != Status::kOk) return status;
  const auto at = [&](uint64_t offset) { return tables.get() + (offset - layout.state); };
  if (const char* expected = DecodeState({at(layout.state), header.state_bytes}, &state)) {
    return Damaged(std::string("a state without ") + expected, layout.state, problem);
  }
  if (state.ram_bytes != header.ram_bytes)
    return Damaged("a state of another RAM size", layout.state, problem);
  state.taken_wall_ns = header.taken_wall_ns;
  const auto name_end = std::find(header.vm_name.begin(), header.vm_name.end(), '\0');
  state.vm_name.assign(header.vm_name.begin(), name_end);
  page_crcs = {reinterpret_cast<const uint64_t*>(at(layout.page_crcs)), layout.pages};
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
    const uint64_t word = present.word(chunk);
    const uint64_t payload = word == 0 ? 0 : PayloadBytes(chunk);
    const uint64_t stored = chunks[chunk].stored_bytes;
    const bool pages_fit = (word & ~PageSet::WordMask(layout.pages, chunk)) == 0;
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
  return Status::kOk;
}

// What the pages' CRCs say of the chunks' and of the absent pages must be what the file says.
Status SnapshotFile::Impl::CheckPages(FileProblem* problem) const {
  const FileLayout layout = this->layout();
  const bool compressed = (header.flags & kCompressedFile) != 0;
  const bool differential = (header.flags & kDifferentialFile) != 0;
  const uint64_t zero_crc = ZeroPageCrc();
  for (uint64_t chunk = 0; chunk < layout.chunks; ++chunk) {
    const uint64_t all = PageSet::WordMask(layout.pages, chunk);
    const uint64_t word = present.word(chunk);
    for (uint64_t absent = differential ? 0 : all & ~word; absent != 0; absent &= absent - 1) {
      const uint64_t page = chunk * kChunkPages + static_cast<uint64_t>(std::countr_zero(absent));
      if (page_crcs[page] != zero_crc) {
        return Damaged("a page without its bytes", layout.page_crcs + page * sizeof(uint64_t),
                       problem);
      }
    }
    if (compressed && word != 0) continue;
    const uint64_t stored = word == 0 ? 0 : flat() ? all : word;
    if (chunks[chunk].stored_crc != CrcOfPages(page_crcs, chunk, stored)) {
      return Damaged("an impossible chunk", layout.chunk_table + chunk * sizeof(ChunkEntry),
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
uint64_t SnapshotFile::digest() const {
  const Crc64Shift shift(kPageBytes);
  uint64_t digest = 0;
  for (const uint64_t crc : impl_->page_crcs) digest = shift.Apply(digest) ^ crc;
  return digest;
}
uint64_t SnapshotFile::chunk_count() const {
  return impl_->chunks.size();
}
uint64_t SnapshotFile::chunk_offset(uint64_t chunk) const {
  return impl_->chunk_offsets[chunk];
}
std::span<const uint64_t> SnapshotFile::page_crcs() const {
  return impl_->page_crcs;
}
const PageSet& SnapshotFile::present() const {
  return impl_->present;
}
const std::shared_ptr<const FileImage>& SnapshotFile::image() const {
  return impl_->image;
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
  return Damaged("a damaged chunk " + std::to_string(chunk), offset, problem);
}

Status SnapshotFile::Impl::ReadZeroes(uint64_t offset, uint64_t bytes, FileProblem* problem) const {
  thread_local std::vector<std::byte> read;
  read.resize(bytes);
  if (const Status status = Read(offset, read, problem); status != Status::kOk) return status;
  // Each byte is its neighbour, and the first one is zero: the quick way.
  if (bytes == 0 ||
      (read[0] == std::byte{0} && std::memcmp(read.data(), read.data() + 1, bytes - 1) == 0))
    return Status::kOk;
  const auto other =
      std::find_if(read.begin(), read.end(), [](std::byte byte) { return byte != std::byte{0}; });
  return Damaged("a byte that is not zero in a gap",
                 offset + static_cast<uint64_t>(other - read.begin()), problem);
}

// All that Open has read, which may have been damaged since, and the gap before the data.
Status SnapshotFile::Impl::CheckAround(FileProblem* problem) const {
  const FileLayout layout = this->layout();
  FileHeader now;
  if (const Status status = ReadValue(0, &now, problem); status != Status::kOk) return status;
  if (std::memcmp(&now, &header, sizeof(now)) != 0) return Damaged("a damaged header", 0, problem);
  TableBytes read_again;
  if (const Status status = ReadTableBytes(&read_again, problem); status != Status::kOk)
    return status;
  const uint64_t gap_bytes = layout.data - layout.tables_end;
  if (const Status status = ReadZeroes(layout.tables_end, gap_bytes, problem);
      status != Status::kOk) {
    return status;
  }
  return ReadTrailer(problem);
}

Status SnapshotFile::Verify(Progress& progress, FileProblem* problem) const try {
  const FileLayout layout = impl_->layout();
  FirstProblem first;
  first.Run([&](FileProblem* found) { return impl_->CheckAround(found); });
  progress.Begin(layout.chunks);
  TaskPool::Get().ParallelFor(layout.chunks, TaskPool::kAllThreads, [&](uint64_t chunk) {
    if (progress.cancelled()) return;
    first.Run([&](FileProblem* found) {
      thread_local std::vector<std::byte> stored;
      if (!flat() || impl_->present.word(chunk) != 0)
        return impl_->ReadChunk(chunk, &stored, found);
      const uint64_t bytes = layout.chunk_pages(chunk) * kPageBytes;
      return impl_->ReadZeroes(impl_->chunk_offsets[chunk], bytes, found);
    });
    progress.Add(1);
  });
  if (first.found()) return first.Take(problem);
  return progress.cancelled() ? Status::kCancelled : Status::kOk;
} catch (const std::bad_alloc&) {
  return Status::kOutOfMemory;
}

}  // namespace standstill
