// Memory as a guest's is, to read and to copy: two buffers that stay mapped, so that only the first
// request of a size pays for its pages.
//
// Threads: one asks; its work is handed to as many as it names.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "port/clock.h"
#include "port/memory.h"
#include "util/prng.h"

namespace standstill::bench {

inline constexpr uint64_t kPageBytes = 4096;
inline constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;

// As a guest's RAM is: a shared memfd mapping in small pages, all of it written once.
class Buffer {
 public:
  std::byte* OfBytes(uint64_t bytes) {
    if (bytes <= bytes_) return start_;
    if (start_ != nullptr) Unmap(start_, bytes_ + 2 * kPageBytes);
    std::byte* const reservation =
        Memfd("standstill-bench", bytes).MapGuarded(Sharing::kShared, kPageBytes);
    if (reservation == nullptr) std::abort();
    start_ = reservation;
    bytes_ = bytes;
    for (uint64_t at = 0; at < bytes; at += sizeof(uint64_t)) {
      const uint64_t word = Mix64(at);
      std::memcpy(Data() + at, &word, sizeof(word));
    }
    return start_;
  }
  std::byte* Data() { return start_ + kPageBytes; }

 private:
  std::byte* start_ = nullptr;
  uint64_t bytes_ = 0;
};
inline Buffer& Memory(int which) {
  static Buffer& first = *new Buffer;
  static Buffer& second = *new Buffer;
  return which == 0 ? first : second;
}

typedef uint64_t Vector __attribute__((vector_size(32), aligned(32), may_alias));

// Eight independent sums of vector loads, with the prefetches that the digest does: the hardware's
// own stop at the end of a page.
#if defined(__x86_64__)
__attribute__((target_clones("avx2", "default")))
#endif
inline uint64_t
ReadAll(const std::byte* from, uint64_t bytes) {
  constexpr uint64_t kTurnBytes = 8 * sizeof(Vector);
  constexpr uint64_t kAheadBytes = 2048;
  Vector sums[8] = {};
  for (uint64_t at = 0; at < bytes; at += kTurnBytes) {
    const auto* const vectors = reinterpret_cast<const Vector*>(from + at);
    for (uint64_t line = 0; line < kTurnBytes; line += 64)
      __builtin_prefetch(from + at + kAheadBytes + line);
    for (int i = 0; i < 8; ++i) sums[i] ^= vectors[i];
  }
  Vector all = sums[0];
  for (int i = 1; i < 8; ++i) all ^= sums[i];
  return all[0] ^ all[1] ^ all[2] ^ all[3];
}

// Chunks of 256 KiB are handed out one by one, as the digest's are.
template <class Work>
int64_t OverChunks(int threads, uint64_t bytes, const Work& work) {
  constexpr uint64_t kChunkBytes = 256 * 1024;
  std::atomic<uint64_t> next{0};
  const auto run = [&] {
    for (uint64_t at; (at = next.fetch_add(kChunkBytes)) < bytes;) work(at, kChunkBytes);
  };
  std::vector<std::thread> helpers;
  const int64_t from_ns = HostMonotonicNs();
  for (int i = 1; i < threads; ++i) helpers.emplace_back(run);
  run();
  for (std::thread& helper : helpers) helper.join();
  return HostMonotonicNs() - from_ns;
}

}  // namespace standstill::bench
