// How far a long operation is, and the wish to end it.
//
// Threads: any. Ordering: relaxed; both are hints.
#pragma once

#include <atomic>
#include <cstdint>

namespace standstill {

class Progress {
 public:
  void Begin(uint64_t total) {
    total_.store(total, std::memory_order_relaxed);
    done_.store(0, std::memory_order_relaxed);
  }
  void Add(uint64_t done) { done_.fetch_add(done, std::memory_order_relaxed); }
  void Cancel() { cancelled_.store(true, std::memory_order_relaxed); }

  uint64_t total() const { return total_.load(std::memory_order_relaxed); }
  uint64_t done() const { return done_.load(std::memory_order_relaxed); }
  bool cancelled() const { return cancelled_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> total_{0};
  std::atomic<uint64_t> done_{0};
  std::atomic<bool> cancelled_{false};
};

}  // namespace standstill
