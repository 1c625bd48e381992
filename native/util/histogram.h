// A histogram of durations in logarithmic buckets, eight to each power of two (at most 12.5 %
// wide), for what the guest thread records while it runs: fixed memory, no allocation, no lock.
//
// Threads: one writer, any readers. Ordering: relaxed; a reader sees some recent state of each
// bucket.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace standstill {

class Histogram {
 public:
  static constexpr int kSubBits = 3;
  static constexpr size_t kBuckets = (62 - kSubBits + 1) << kSubBits;

  void Record(int64_t value_ns) {
    const uint64_t value = value_ns < 0 ? 0 : static_cast<uint64_t>(value_ns);
    Add(counts_[Bucket(value)], 1);
    if (value > max_ns_.load(std::memory_order_relaxed))
      max_ns_.store(value, std::memory_order_relaxed);
  }

  uint64_t Count(size_t bucket) const { return counts_[bucket].load(std::memory_order_relaxed); }
  uint64_t total() const {
    uint64_t total = 0;
    for (const auto& count : counts_) total += count.load(std::memory_order_relaxed);
    return total;
  }
  uint64_t max_ns() const { return max_ns_.load(std::memory_order_relaxed); }

  // The smallest value that falls into a bucket.
  static constexpr uint64_t LowerBound(size_t bucket) {
    if (bucket < (2u << kSubBits)) return bucket;
    const size_t exponent = (bucket >> kSubBits) - 1;
    return ((bucket & ((1u << kSubBits) - 1)) | (1u << kSubBits)) << exponent;
  }
  static constexpr size_t Bucket(uint64_t value) {
    if (value < (2u << kSubBits)) return value;
    const int exponent = std::bit_width(value) - 1 - kSubBits;
    const size_t bucket = (static_cast<size_t>(exponent) << kSubBits) + (value >> exponent);
    return bucket < kBuckets ? bucket : kBuckets - 1;
  }

 private:
  // One writer: a plain increment, without the bus lock of a read-modify-write.
  static void Add(std::atomic<uint64_t>& counter, uint64_t by) {
    counter.store(counter.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }
  std::array<std::atomic<uint64_t>, kBuckets> counts_{};
  std::atomic<uint64_t> max_ns_{0};
};

}  // namespace standstill
