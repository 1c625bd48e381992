// A lease on a halted VM's memory: whoever reads it (digest, check, save) holds one, and polls it
// every 256 KiB at most. Releasing the guest revokes: it refuses new leases, waits until the
// holders have noticed, one chunk each, and only then lets the guest run; a holder's result is then
// discarded.
//
// Threads: any. Ordering: one atomic word {revoked, holders}; a holder leaves with release, Revoke
// observes with acquire, so every read of RAM happens before the guest's next store.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstring>

#include "standstill/guest_ram.h"
#include "standstill/progress.h"
#include "standstill/status.h"

namespace standstill {

inline constexpr uint64_t kLeasePollBytes = 256 * 1024;
inline constexpr uint64_t kCacheLineBytes = 64;

class LeaseBook {
 public:
  // Opened by whoever halts the guest.
  void Open();
  // Refuses new leases and returns when no holder is left.
  void Revoke();

 private:
  friend class Lease;
  static constexpr uint32_t kRevoked = uint32_t{1} << 31;
  std::atomic<uint32_t> word_{kRevoked};  // also the futex word of Revoke
};

class Lease {
 public:
  Lease() = default;
  ~Lease() { Drop(); }
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  // kNotPaused where the guest runs.
  Status Acquire(LeaseBook& book);
  void Drop();
  bool revoked() const {
    return (book_->word_.load(std::memory_order_relaxed) & LeaseBook::kRevoked) != 0;
  }

 private:
  LeaseBook* book_ = nullptr;
};

struct ReadEnded {};  // thrown by LeasedReader, caught by Vm::Check and Vm::ReadRam

// Checked reads of a halted VM's RAM for a program's `check`: an address out of range reads as
// nothing, and the lease and the wish to end it are polled as the bytes go by.
class LeasedReader {
 public:
  LeasedReader(const GuestRam& ram, const Lease& lease, Progress& progress)
      : ram_(ram), lease_(lease), progress_(progress) {}

  uint64_t size_bytes() const { return ram_.size_bytes(); }

  // False where [gpa, gpa + length) is not inside the RAM: a damaged pointer is a finding, no
  // crash.
  bool Read(uint64_t gpa, void* to, uint64_t length) {
    if (!ram_.Contains(gpa, length)) return false;
    Count(length);
    std::memcpy(to, ram_.base() + gpa, length);
    return true;
  }
  template <class T>
  bool Load(uint64_t gpa, T* to) {
    return Read(gpa, to, sizeof(T));
  }

 private:
  void Count(uint64_t length) {
    // A small read costs a whole cache line's miss.
    unpolled_bytes_ += length < kCacheLineBytes ? kCacheLineBytes : length;
    if (unpolled_bytes_ < kLeasePollBytes) return;
    progress_.Add(unpolled_bytes_);
    unpolled_bytes_ = 0;
    if (lease_.revoked() || progress_.cancelled()) throw ReadEnded{};
  }

  const GuestRam& ram_;
  const Lease& lease_;
  Progress& progress_;  // in bytes; how many there are to read is not known
  uint64_t unpolled_bytes_ = 0;
};

}  // namespace standstill
