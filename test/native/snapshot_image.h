// A snapshot file in memory, to be altered: its parts by name, and its checksums made right again,
// so that what is behind them is reached.
//
// Threads: as a standard container.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "snapshot/file_format.h"

namespace standstill::testing {

class SnapshotImage {
 public:
  explicit SnapshotImage(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}

  std::vector<std::byte>& bytes() { return bytes_; }
  FileHeader header() const {
    FileHeader header;
    Get(0, &header);
    return header;
  }
  void SetHeader(const FileHeader& header) { Put(0, header); }
  FileLayout layout() const {
    const FileHeader now = header();
    return {now.ram_bytes, now.state_bytes, now.data_bytes};
  }

  template <class T>
  void Get(uint64_t offset, T* value) const {
    std::memcpy(value, bytes_.data() + offset, sizeof(T));
  }
  template <class T>
  void Put(uint64_t offset, const T& value) {
    std::memcpy(bytes_.data() + offset, &value, sizeof(T));
  }

  // Makes every checksum true that still has a place in the file. With `pages`, those of pages and
  // chunks too.
  void Seal(bool pages) {
    if (bytes_.size() < sizeof(FileHeader)) return;
    FileHeader sealed = header();
    // Sums of what a mutated header says overflow unless its numbers are small.
    const uint64_t limit = uint64_t{1} << 40;
    const bool sane = sealed.ram_bytes < limit && sealed.state_bytes < limit &&
                      sealed.data_bytes < limit && layout().tables_end <= bytes_.size();
    if (sane) {
      if (pages) SealPages();
      const FileLayout at = layout();
      sealed.tables_crc = Crc64(0, std::span(bytes_).subspan(at.state, at.tables_end - at.state));
    }
    sealed.header_crc = CrcBeforeLast(sealed);
    SetHeader(sealed);
    if (sane && layout().file_bytes == bytes_.size()) SealTrailer();
  }

 private:
  // Of the pages whose places are where the tables say.
  void SealPages() {
    const FileLayout at = layout();
    const uint32_t flags = header().flags;
    const bool flat = (flags & kPackedFile) == 0;
    uint64_t offset = at.data;
    for (uint64_t chunk = 0; chunk < at.chunks; ++chunk) {
      uint64_t present = 0;
      ChunkEntry entry;
      Get(at.presence + chunk * sizeof(present), &present);
      Get(at.chunk_table + chunk * sizeof(entry), &entry);
      if (flat) offset = at.data + chunk * kChunkBytes;
      if (offset > bytes_.size() || entry.stored_bytes > bytes_.size() - offset) return;
      const auto stored = std::span(bytes_).subspan(offset, entry.stored_bytes);
      entry.stored_crc = Crc64(0, stored);
      Put(at.chunk_table + chunk * sizeof(entry), entry);
      offset += entry.stored_bytes;
      if ((flags & kCompressedFile) != 0) continue;
      uint64_t from = 0;
      for (uint64_t page = 0; page < at.chunk_pages(chunk); ++page) {
        const bool here = flat ? entry.stored_bytes != 0 : (present >> page & 1) != 0;
        if (!here || from + kPageBytes > stored.size()) continue;
        Put(at.page_crcs + (chunk * kChunkPages + page) * sizeof(uint64_t),
            Crc64(0, stored.subspan(from, kPageBytes)));
        from += kPageBytes;
      }
    }
  }
  void SealTrailer() {
    const FileLayout at = layout();
    FileTrailer trailer;
    trailer.file_bytes = at.file_bytes;
    trailer.content_crc = Crc64(0, std::span(bytes_).first(at.trailer));
    trailer.trailer_crc = CrcBeforeLast(trailer);
    Put(at.trailer, trailer);
  }

  std::vector<std::byte> bytes_;
};

}  // namespace standstill::testing
