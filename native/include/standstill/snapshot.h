// Snapshot: a whole VM at one step, RAM, registers and clock. Immutable; structurally shared with
// the snapshots that it was derived from.
//
// Threads: any.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "standstill/page_set.h"
#include "standstill/program.h"
#include "standstill/progress.h"
#include "standstill/status.h"

namespace standstill {

class PageStore;
class PageTable;
class RamImage;

inline constexpr uint64_t kSnapshotLimitBytesMin = uint64_t{2} << 20;
inline constexpr uint64_t kSnapshotLimitBytesMax = uint64_t{1} << 40;

struct PageStoreUsage {
  uint64_t limit_bytes = 0;
  uint64_t held_bytes = 0;      // in pages that snapshots hold or have reserved
  uint64_t resident_bytes = 0;  // with memory behind them, what is kept for the next snapshot too
};

// Where the snapshots of one host keep their pages, with a cap from 2 MiB to 1 TiB.
// kInvalidArgument, kOutOfMemory.
Status CreatePageStore(uint64_t limit_bytes, std::shared_ptr<PageStore>* out);
PageStoreUsage UsageOf(PageStore& store);

// All of a VM but its RAM.
struct MachineState {
  std::string vm_name;
  const Program* program = nullptr;
  ParamValues params{};
  uint64_t seed = 0;
  uint64_t ram_bytes = 0;
  uint64_t steps = 0;
  std::vector<std::byte> registers;
  int64_t guest_monotonic_ns = 0;
  int64_t guest_wall_ns = 0;
  int64_t taken_wall_ns = 0;  // the host's wall clock, for people

  // Can a VM of this state take that one on?
  bool Matches(const MachineState& other) const {
    return program == other.program && ram_bytes == other.ram_bytes;
  }
};

// Why a file cannot be read or written.
struct FileProblem {
  std::string what;     // a sentence's end: "… but received <what>"
  uint64_t offset = 0;  // in the file, of what is damaged
};

// What a snapshot costs in memory.
struct SnapshotUsage {
  uint64_t zero_pages = 0;     // no memory
  uint64_t file_pages = 0;     // none either: in the file that they are mapped from
  uint64_t shared_pages = 0;   // that other snapshots, or the VM's last one, hold too
  uint64_t private_pages = 0;  // freed with it
  uint64_t image_pages = 0;    // of the image that its clones share, once there is one
};

class Snapshot {
 public:
  Snapshot(MachineState state, std::shared_ptr<const PageTable> table)
      : state_(std::move(state)), table_(std::move(table)) {}

  const MachineState& state() const { return state_; }
  const std::shared_ptr<const PageTable>& table() const { return table_; }
  const std::shared_ptr<PageStore>& store() const;  // where its pages are

  // Of one whose pages are, in part, still in a file: kMemoryLost where that was changed, cut or could
  // not be read since it was opened; kSnapshotDamaged where a page that was read is not as it was
  // saved. Everything below answers these too, and has read each page right where it does not.
  Status Health(FileProblem* problem) const;

  // CRC-64/NVME of the RAM's bytes in address order. A page in memory is read once in its life, then
  // its value is known; one in a file is each time. kCancelled.
  Status Digest(Progress& progress, uint64_t* value) const;
  // Each page's own. kCancelled, kOutOfMemory.
  Status PageCrcs(Progress& progress, std::vector<uint64_t>* crcs) const;
  // Pages whose bytes differ, as ranges. kSnapshotMismatch (RAM of another size), kCancelled.
  Status Diff(const Snapshot& other, Progress& progress, std::vector<PageRange>* ranges) const;
  // kInvalidArgument outside of RAM.
  Status Read(uint64_t gpa, uint64_t length, std::vector<std::byte>* out) const;
  SnapshotUsage Usage() const;
  // The RAM for clones to map: the file, where all of it is still there. Else it is made at the first
  // call, in memory of its own under the same cap, and kept as long as the snapshot or a clone is
  // there. kSnapshotLimit, kOutOfMemory, kCancelled.
  Status Image(Progress& progress, std::shared_ptr<const RamImage>* out) const;

 private:
  const MachineState state_;
  const std::shared_ptr<const PageTable> table_;
  mutable std::mutex image_mutex_;
  mutable std::shared_ptr<const RamImage> image_;  // image_mutex_
};

}  // namespace standstill
