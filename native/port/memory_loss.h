// What becomes of mapped files that get lost. A file that is cut, or that cannot be read any more,
// under a mapping of it ends the process by SIGBUS as soon as anybody touches the page. A watched
// mapping survives it: the page becomes one of zeroes, and the loss is noted for whoever reads the
// mapping to see when it has done so.
//
// For that the process gets one signal handler, for SIGBUS, with the first watched mapping. Every
// SIGBUS that is not of a watched mapping goes to the handler that was there before, or to what the
// system does by default.
//
// Threads: any. The handler runs on the thread that touched the page, takes no lock and allocates
// nothing. Ordering: that thread sees what it noted by its own program order; another one by
// whatever tells it that the first has read. So a loss is relaxed.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace standstill {

struct WatchedRange;

class MemoryLoss {
 public:
  bool any() const { return offset_.load(std::memory_order_relaxed) != kNone; }
  // Where it was found first; only after any().
  uint64_t offset() const { return offset_.load(std::memory_order_relaxed); }
  // The first one counts.
  void Note(uint64_t offset) {
    uint64_t none = kNone;
    offset_.compare_exchange_strong(none, offset, std::memory_order_relaxed);
  }

 private:
  static constexpr uint64_t kNone = ~uint64_t{0};
  std::atomic<uint64_t> offset_{kNone};
};

// Watches a mapping for as long as it lives; that goes before the mapping does.
class LossWatch {
 public:
  // Null where the machine has no memory for it.
  static std::unique_ptr<LossWatch> Begin(const std::byte* start, uint64_t bytes, bool writable);
  ~LossWatch();
  LossWatch(const LossWatch&) = delete;
  LossWatch& operator=(const LossWatch&) = delete;

  // Offsets are from the mapping's start.
  const std::shared_ptr<MemoryLoss>& loss() const { return loss_; }

 private:
  LossWatch() = default;

  std::shared_ptr<MemoryLoss> loss_;
  WatchedRange* range_ = nullptr;
};

}  // namespace standstill
