// The layout of a snapshot file, version 1: docs/SNAPSHOT_FORMAT.md is its text, this its code.
//
//   header    4 KiB, ends with its own CRC
//   state     the machine's state but for RAM (state_codec.h)
//   pages     a CRC-64/NVME for each page of RAM
//   presence  a bit for each page: its bytes are in this file
//   chunks    {stored bytes, their CRC} for each 256 KiB of RAM
//   data      flat: RAM at its own offsets; packed: each chunk's present pages, one after another
//   trailer   length and CRC of everything before it, ends with its own CRC
//
// Where everything is follows from the header's few numbers, so that no offset in a file has to be
// believed. All numbers are little-endian.
//
// Threads: values only.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

#include "snapshot/page_table.h"
#include "standstill/guest_ram.h"
#include "standstill/snapshot_file.h"
#include "util/crc64.h"

namespace standstill {

static_assert(std::endian::native == std::endian::little, "the file is written as memory lies");

inline constexpr std::array<uint8_t, 8> kFileMagic = {0x89, 'S', 'T', 'S', 'N', '\r', '\n', 0x1A};
inline constexpr std::array<uint8_t, 8> kTrailerMagic = {'S', 'T', 'S', 'N', 'E', 'N', 'D', '\n'};
inline constexpr uint64_t kChunkPages = PageLeaf::kPages;
inline constexpr uint64_t kChunkBytes = kChunkPages * kPageBytes;
inline constexpr uint64_t kStateBytesMax = 64 * 1024;
// A deflated chunk is never longer than this: RFC 1951's stored blocks, with room to spare.
inline constexpr uint64_t kStoredChunkBytesMax = kChunkBytes + 1024;

// Flags.
inline constexpr uint32_t kPackedFile = 1;        // a chunk's present pages, without the others
inline constexpr uint32_t kCompressedFile = 2;    // packed, as one raw deflate stream (RFC 1951)
inline constexpr uint32_t kDifferentialFile = 4;  // packed; absent pages are those of the base

struct FileHeader {
  std::array<uint8_t, 8> magic = kFileMagic;
  uint32_t version = kSnapshotFileVersion;
  uint32_t flags = 0;
  uint64_t ram_bytes = 0;
  uint64_t state_bytes = 0;
  uint64_t data_bytes = 0;  // of the data section
  uint64_t tables_crc = 0;  // of state, pages, presence and chunks, as they lie
  int64_t taken_wall_ns = 0;
  SnapshotId id{};
  SnapshotId base_id{};            // zeroes: none
  std::array<char, 64> vm_name{};  // ends with a zero where it is shorter
  std::array<uint8_t, kPageBytes - 192> reserved{};
  uint64_t header_crc = 0;  // of the bytes before it
};
static_assert(sizeof(FileHeader) == kPageBytes &&
              std::has_unique_object_representations_v<FileHeader>);

struct ChunkEntry {
  uint64_t stored_bytes = 0;  // 0: no page of it is present
  uint64_t stored_crc = 0;
};

struct FileTrailer {
  std::array<uint8_t, 8> magic = kTrailerMagic;
  uint64_t file_bytes = 0;   // with the trailer
  uint64_t content_crc = 0;  // of everything before the trailer
  uint64_t trailer_crc = 0;  // of the bytes before it
};

struct FileLayout {
  FileLayout(uint64_t ram_bytes, uint64_t state_bytes, uint64_t data_bytes)
      : pages(ram_bytes >> kPageShift),
        chunks((pages + kChunkPages - 1) / kChunkPages),
        state(kPageBytes),
        page_crcs(Rounded(state + state_bytes, 8)),
        presence(page_crcs + pages * sizeof(uint64_t)),
        chunk_table(presence + chunks * sizeof(uint64_t)),
        tables_end(chunk_table + chunks * sizeof(ChunkEntry)),
        data(Rounded(tables_end, kPageBytes)),
        trailer(data + data_bytes),
        file_bytes(trailer + sizeof(FileTrailer)) {}

  static constexpr uint64_t Rounded(uint64_t value, uint64_t to) {
    return (value + to - 1) / to * to;
  }
  uint64_t chunk_pages(uint64_t chunk) const {
    return std::min(kChunkPages, pages - chunk * kChunkPages);
  }

  uint64_t pages;
  uint64_t chunks;
  // Offsets in the file.
  uint64_t state;
  uint64_t page_crcs;
  uint64_t presence;
  uint64_t chunk_table;
  uint64_t tables_end;
  uint64_t data;
  uint64_t trailer;
  uint64_t file_bytes;
};

template <class T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}
// The CRC of some pages of a chunk, a bit each in `pages`, one after another.
uint64_t CrcOfPages(std::span<const uint64_t> page_crcs, uint64_t chunk, uint64_t pages);
// The CRC of everything before the trailer, as it follows from all that is not data. `tables_crc`
// of the header must be known.
uint64_t ContentCrc(const FileHeader& header, const FileLayout& layout,
                    std::span<const ChunkEntry> chunks);
// Of a struct that ends with its own CRC.
template <class T>
uint64_t CrcBeforeLast(const T& value) {
  return Crc64(0, BytesOf(value).first(sizeof(T) - sizeof(uint64_t)));
}

}  // namespace standstill
