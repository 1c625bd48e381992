// What the fuzzer is given, and the file that it stands for: the same bytes, but for a flat file,
// which has a megabyte at least: its zeroes before the trailer are left out.
//
// Threads: any.
#pragma once

#include <algorithm>
#include <cstring>
#include <span>
#include <vector>

#include "snapshot/file_format.h"

namespace standstill::testing {

inline constexpr uint64_t kFlatRamBytesMax = uint64_t{4} << 20;

// Where the trailer of a flat file is to be; 0: it is none, or too long a one.
inline uint64_t FlatTrailer(std::span<const std::byte> bytes) {
  FileHeader header;
  if (bytes.size() < sizeof(header) + sizeof(FileTrailer)) return 0;
  std::memcpy(&header, bytes.data(), sizeof(header));
  const bool flat = (header.flags & kPackedFile) == 0 && header.ram_bytes <= kFlatRamBytesMax &&
                    header.state_bytes <= kStateBytesMax && header.data_bytes <= kFlatRamBytesMax;
  return flat ? FileLayout(header.ram_bytes, header.state_bytes, header.data_bytes).trailer : 0;
}

inline std::vector<std::byte> FileOf(std::span<const std::byte> input) {
  std::vector<std::byte> file(input.begin(), input.end());
  const uint64_t trailer = FlatTrailer(input);
  if (trailer == 0 || trailer + sizeof(FileTrailer) <= input.size()) return file;
  const auto last = input.last(sizeof(FileTrailer));
  file.resize(input.size() - last.size());
  file.resize(trailer);
  file.insert(file.end(), last.begin(), last.end());
  return file;
}

inline std::vector<std::byte> InputOf(std::vector<std::byte> file) {
  const uint64_t trailer = FlatTrailer(file);
  if (trailer == 0 || trailer + sizeof(FileTrailer) != file.size()) return file;
  const auto at = file.begin() + static_cast<std::ptrdiff_t>(trailer);
  auto from = at;
  while (from - file.begin() > static_cast<std::ptrdiff_t>(kPageBytes) && from[-1] == std::byte{0})
    --from;
  file.erase(from, at);
  return file;
}

}  // namespace standstill::testing
