// A compressor for tests: runs of equal bytes as {length, byte}, or, where that is longer, the bytes
// as they are.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <vector>

namespace standstill::testing {

inline std::vector<std::byte> Pack(const std::vector<std::byte>& bytes) {
  std::vector<std::byte> packed{std::byte{1}};
  for (size_t at = 0; at < bytes.size();) {
    size_t run = 1;
    while (run < 255 && at + run < bytes.size() && bytes[at + run] == bytes[at]) ++run;
    packed.push_back(static_cast<std::byte>(run));
    packed.push_back(bytes[at]);
    at += run;
  }
  if (packed.size() <= bytes.size()) return packed;
  packed.assign(1, std::byte{0});
  packed.insert(packed.end(), bytes.begin(), bytes.end());
  return packed;
}

inline std::vector<std::byte> Unpack(const std::vector<std::byte>& packed) {
  if (packed.empty() || packed[0] == std::byte{0})
    return {packed.begin() + (packed.empty() ? 0 : 1), packed.end()};
  std::vector<std::byte> bytes;
  for (size_t at = 1; at + 1 < packed.size(); at += 2)
    bytes.insert(bytes.end(), static_cast<size_t>(packed[at]), packed[at + 1]);
  return bytes;
}

}  // namespace standstill::testing
