#include "snapshot/file_format.h"

namespace standstill {
namespace {

uint64_t CrcOfZeroes(uint64_t bytes) {
  static constexpr std::array<std::byte, kPageBytes> kZeroes{};
  uint64_t crc = 0;
  for (uint64_t part; bytes != 0; bytes -= part) {
    part = std::min(bytes, kPageBytes);
    crc = Crc64(crc, std::span(kZeroes).first(part));
  }
  return crc;
}

}  // namespace

uint64_t CrcOfPages(std::span<const uint64_t> page_crcs, uint64_t chunk, uint64_t pages) {
  static const Crc64Shift shift(kPageBytes);
  const uint64_t first = chunk * kChunkPages;
  uint64_t crc = 0;
  if (pages == ~uint64_t{0}) {
    // In lanes that do not wait for each other: of an opened file this is most of the time.
    constexpr uint64_t kLanes = 8;
    static const Crc64Shift stride(kLanes * kPageBytes);
    std::array<uint64_t, kLanes> lanes{};
    for (uint64_t page = 0; page < kChunkPages; page += kLanes) {
      for (uint64_t lane = 0; lane < kLanes; ++lane)
        lanes[lane] = stride.Apply(lanes[lane]) ^ page_crcs[first + page + lane];
    }
    for (const uint64_t lane : lanes) crc = shift.Apply(crc) ^ lane;
    return crc;
  }
  for (; pages != 0; pages &= pages - 1) {
    const auto page = static_cast<uint64_t>(std::countr_zero(pages));
    crc = shift.Apply(crc) ^ page_crcs[first + page];
  }
  return crc;
}

uint64_t ContentCrc(const FileHeader& header, const FileLayout& layout,
                    std::span<const ChunkEntry> chunks) {
  const Crc64Shift shift(kChunkBytes);
  const uint64_t hole_crc = CrcOfZeroes(kChunkBytes);
  const bool flat = (header.flags & kPackedFile) == 0;
  uint64_t crc = Crc64(0, BytesOf(header));
  crc = Crc64Combine(crc, header.tables_crc, layout.tables_end - layout.state);
  const uint64_t padding = layout.data - layout.tables_end;
  crc = Crc64Combine(crc, CrcOfZeroes(padding), padding);
  for (uint64_t chunk = 0; chunk < layout.chunks; ++chunk) {
    const ChunkEntry& entry = chunks[chunk];
    const bool hole = entry.stored_bytes == 0;
    const uint64_t bytes =
        hole && flat ? layout.chunk_pages(chunk) * kPageBytes : entry.stored_bytes;
    if (bytes == 0) continue;
    if (bytes == kChunkBytes) {
      crc = shift.Apply(crc) ^ (hole ? hole_crc : entry.stored_crc);
    } else {
      crc = Crc64Combine(crc, hole ? CrcOfZeroes(bytes) : entry.stored_crc, bytes);
    }
  }
  return crc;
}

}  // namespace standstill
