// GuestRam: one VM's memory. A memfd mapping, sealed against shrinking and growing, between two
// guard regions; the owner of the mapping and the host's only checked way into it. A clone's, and
// that of a VM restored from a mapped file, is a private mapping of an image, of which the kernel
// copies what is written.
//
// Threads: creation and destruction by one thread. Reads and writes are plain; the caller holds the
// right to them: the guest thread while the guest runs, a lease (lease.h) while it is halted.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "standstill/program.h"
#include "standstill/status.h"

namespace standstill {

class LossWatch;
class MemoryLoss;
class RamImage;

inline constexpr uint64_t kRamBytesMin = uint64_t{1} << 20;
inline constexpr uint64_t kRamBytesMax = uint64_t{64} << 30;

class GuestRam {
 public:
  // `size_bytes` is a multiple of the page size from 1 MiB to 64 GiB: else kInvalidArgument. Reads
  // as zero. With `prefault`, every page is present on return, populated by all of the task pool's
  // threads. kOutOfMemory where it is more than the machine's memory, or the machine refuses the
  // mapping or the pages.
  static Status Create(uint64_t size_bytes, bool prefault, std::unique_ptr<GuestRam>* out);
  // Reads as the image, and shares its memory but for what is written; with `prefault`, none of it.
  // kOutOfMemory where the machine refuses the mapping or the pages; kMemoryLost.
  static Status Create(std::shared_ptr<const RamImage> image, bool prefault,
                       std::unique_ptr<GuestRam>* out);
  ~GuestRam();
  GuestRam(const GuestRam&) = delete;
  GuestRam& operator=(const GuestRam&) = delete;

  uint64_t size_bytes() const { return size_bytes_; }
  uint64_t pages() const { return size_bytes_ >> kPageShift; }
  // Whether it was made of an image: of memory of its own it has what it wrote.
  bool shares_memory() const { return image_ != nullptr; }
  std::byte* base() { return base_; }
  const std::byte* base() const { return base_; }

  // Overflow-safe: is [gpa, gpa + length) inside?
  bool Contains(uint64_t gpa, uint64_t length) const {
    return gpa <= size_bytes_ && length <= size_bytes_ - gpa;
  }

  // Of a RAM that is mapped from a file: what got lost of it, lost pages reading as zero. Null: none
  // can be.
  std::shared_ptr<const MemoryLoss> loss() const;
  // Whether all of it is what was written, or what the image had when it was made. A system call
  // for a RAM that is mapped from a file; what it finds is a loss, too.
  bool Whole() const;

 private:
  GuestRam(std::byte* reservation, uint64_t size_bytes, std::shared_ptr<const RamImage> image);
  static Status Adopt(std::byte* reservation, uint64_t size_bytes,
                      std::shared_ptr<const RamImage> image, std::unique_ptr<GuestRam>* out);
  Status Prefault();

  std::byte* reservation_;
  std::byte* base_;
  uint64_t size_bytes_;
  std::shared_ptr<const RamImage> image_;  // null: zeroes
  std::unique_ptr<LossWatch> watch_;       // of an image that others can get at
};

}  // namespace standstill
