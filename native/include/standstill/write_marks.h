// Write marks and epochs: which pages the guest wrote, without page protection.
//
// A store sets its page's byte in the active map, without a branch. An epoch ends by exchanging the
// map for a clean one, with the guest at a safepoint, in constant time. The retired map is folded
// later, off the blackout, into a per-page "last written epoch", so one map serves any number of
// consumers: each remembers the epoch that it knows and asks for the pages newer than that. Epochs
// have 64 bits: rollbacks by the ten thousand a second end one each, for days.
//
// Threads: `active` is read by the guest thread when it leaves a safepoint, and written through
// while it runs; EndEpoch and Mark only while the guest is halted; all else by any host thread.
// Ordering: the maps' bytes are plain; the pause gate orders the guest's stores before the host's
// reads. One mutex guards the lists and the fold.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "standstill/page_set.h"
#include "standstill/status.h"

namespace standstill {

class WriteMarks {
 public:
  static constexpr int kMaps = 3;

  static Status Create(uint64_t pages, std::unique_ptr<WriteMarks>* out);
  ~WriteMarks();
  WriteMarks(const WriteMarks&) = delete;
  WriteMarks& operator=(const WriteMarks&) = delete;

  uint8_t* active() { return active_; }
  void Mark(uint64_t page) { active_[page] = 1; }
  uint64_t epoch() const { return epoch_; }  // the one under way; starts at 1

  // Makes sure that a clean map is there, folding retired ones if none is: called before the guest
  // is asked to halt, so that this wait is not part of the blackout.
  void ReserveClean();
  // Ends the epoch under way and answers its number. O(1). Needs a ReserveClean since the last.
  uint64_t EndEpoch();
  // Folds every retired map. Answers the pages written in the newest epoch folded so far.
  uint64_t Fold();

  // Of folded epochs only: the pages last written after `epoch`.
  PageSet PagesNewerThan(uint64_t epoch);
  // The host has written these while the guest was halted: they count as written in the newest
  // folded epoch.
  void RecordWritten(const PageSet& pages);
  uint64_t folded_epoch();
  uint64_t dirty_pages_last();   // pages written in the newest folded epoch
  uint64_t dirty_pages_total();  // summed over the folded epochs

 private:
  explicit WriteMarks(uint64_t pages);
  void FoldOldest();  // with mutex_ held

  struct Retired {
    uint8_t* map;
    uint64_t epoch;
  };

  const uint64_t pages_;
  const uint64_t map_bytes_;   // pages, rounded up to whole 64-byte blocks
  uint8_t* maps_ = nullptr;    // kMaps maps, one mapping
  uint8_t* active_ = nullptr;  // by the halting rule above
  uint64_t epoch_ = 1;         // by the halting rule above
  std::mutex mutex_;
  std::vector<uint8_t*> clean_;       // mutex_
  std::deque<Retired> retired_;       // mutex_
  uint64_t* last_written_ = nullptr;  // mutex_; epoch a page, 0: never
  std::vector<uint64_t> newest_;   // mutex_; the newest of each 64 pages, so that few are looked at
  uint64_t folded_epoch_ = 0;      // mutex_
  uint64_t dirty_pages_last_ = 0;  // mutex_
  uint64_t dirty_pages_total_ = 0;  // mutex_
};

}  // namespace standstill
