// What the kernel offers for the same ends: copy-on-write by a private mapping, and dirty pages by
// write protection.
//
// Threads: one.
#pragma once

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "json_lines.h"
#include "memory_buffers.h"
#include "port/clock.h"
#include "port/memory.h"

namespace standstill::bench {

inline void TouchEvery(volatile std::byte* pages, uint64_t bytes, uint64_t step_bytes) {
  for (uint64_t at = 0; at < bytes; at += step_bytes) pages[at] = std::byte{1};
}

// A file in memory that is full and sealed, as the image of a snapshot is.
inline bool MakeImage(Memfd& image) {
  std::vector<std::byte> chunk(kHugePageBytes, std::byte{1});
  for (uint64_t at = 0; at < image.bytes(); at += chunk.size()) {
    const uint64_t length = std::min<uint64_t>(chunk.size(), image.bytes() - at);
    if (!image.Write(at, {chunk.data(), length})) return false;
  }
  return image.Seal(Memfd::Writes::kSealed);
}

inline JsonLine MapAndTouch(int samples, uint64_t bytes) {
  JsonLine line;
  Memfd image("standstill-bench-image", bytes);
  if (!image.ok() || !MakeImage(image)) return line.Add("error", "no memory for a file in memory");
  std::vector<int64_t> elapsed_ns;
  for (int i = 0; i < samples; ++i) {
    const int64_t from_ns = HostMonotonicNs();
    std::byte* const start = image.MapGuarded(Sharing::kCopyOnWrite, kPageBytes);
    if (start == nullptr) return line.Add("error", "no mapping of a file in memory");
    (void)*static_cast<volatile std::byte*>(start + kPageBytes);
    elapsed_ns.push_back(HostMonotonicNs() - from_ns);
    Unmap(start, bytes + 2 * kPageBytes);
  }
  return line.Add("elapsedNs", elapsed_ns);
}

inline JsonLine FirstTouch(int samples) {
  JsonLine line;
  const uint64_t bytes = static_cast<uint64_t>(samples) * kPageBytes;
  std::byte* const pages = MapAnonymous(bytes);
  if (pages == nullptr) return line.Add("error", "no memory");
  std::vector<int64_t> fault_ns;
  for (uint64_t at = 0; at < bytes; at += kPageBytes) {
    const int64_t from_ns = HostMonotonicNs();
    *const_cast<volatile std::byte*>(pages + at) = std::byte{1};
    fault_ns.push_back(HostMonotonicNs() - from_ns);
  }
  Unmap(pages, bytes);
  return line.Add("faultNs", fault_ns);
}

// A sample is one page; `bytes` is the size of the mapping, over which they are spread.
inline JsonLine CopyOnWrite(int samples, uint64_t bytes) {
  JsonLine line;
  Memfd image("standstill-bench-image", bytes);
  if (!image.ok() || !MakeImage(image)) return line.Add("error", "no memory for a file in memory");
  std::byte* const start = image.MapGuarded(Sharing::kCopyOnWrite, kPageBytes);
  if (start == nullptr) return line.Add("error", "no mapping of a file in memory");
  volatile std::byte* const pages = start + kPageBytes;
  const uint64_t count = std::min<uint64_t>(static_cast<uint64_t>(samples), bytes / kPageBytes);
  const uint64_t step_bytes = bytes / kPageBytes / count * kPageBytes;
  std::vector<int64_t> fault_ns;
  for (uint64_t i = 0; i < count; ++i) {
    const int64_t from_ns = HostMonotonicNs();
    pages[i * step_bytes] = std::byte{2};
    fault_ns.push_back(HostMonotonicNs() - from_ns);
  }
  Unmap(start, bytes + 2 * kPageBytes);
  return line.Add("faultNs", fault_ns);
}

// ── Dirty pages by asynchronous write protection (Linux 6.7; this system's headers are older) ──

namespace pagemap {
struct Scan {
  uint64_t size = sizeof(Scan);
  uint64_t flags = 0;
  uint64_t start = 0;
  uint64_t end = 0;
  uint64_t walk_end = 0;
  uint64_t regions = 0;
  uint64_t regions_length = 0;
  uint64_t max_pages = 0;
  uint64_t category_inverted = 0;
  uint64_t category_mask = 0;
  uint64_t category_anyof_mask = 0;
  uint64_t return_mask = 0;
};
struct Region {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};
inline constexpr unsigned long kRequest = _IOWR('f', 16, Scan);
inline constexpr uint64_t kIsWritten = 1 << 1;
inline constexpr uint64_t kProtectMatching = 1 << 0;
inline constexpr uint64_t kCheckAsync = 1 << 1;
inline constexpr uint64_t kFeatureShmem = 1 << 12;
inline constexpr uint64_t kFeatureAsync = 1 << 15;
}  // namespace pagemap

class Protection {
 public:
  Protection(std::byte* start, uint64_t bytes)
      : start_(reinterpret_cast<uint64_t>(start)), bytes_(bytes), regions_(bytes / kPageBytes) {
    constexpr int kUserModeOnly = 1;
    faults_ = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | kUserModeOnly));
    pagemap_ = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    uffdio_api api{};
    api.api = UFFD_API;
    api.features = pagemap::kFeatureShmem | pagemap::kFeatureAsync;
    uffdio_register range{};
    range.range = {start_, bytes_};
    range.mode = UFFDIO_REGISTER_MODE_WP;
    ok_ = faults_ >= 0 && pagemap_ >= 0 && ioctl(faults_, UFFDIO_API, &api) == 0 &&
          ioctl(faults_, UFFDIO_REGISTER, &range) == 0;
  }
  ~Protection() {
    if (faults_ >= 0) close(faults_);
    if (pagemap_ >= 0) close(pagemap_);
  }
  Protection(const Protection&) = delete;
  Protection& operator=(const Protection&) = delete;

  bool ok() const { return ok_; }
  bool Arm() {
    uffdio_writeprotect range{.range = {start_, bytes_}, .mode = UFFDIO_WRITEPROTECT_MODE_WP};
    return ioctl(faults_, UFFDIO_WRITEPROTECT, &range) == 0;
  }
  // How many pages were written since they were armed; arms those again. Negative: refused.
  int64_t Scan() {
    pagemap::Scan scan;
    scan.flags = pagemap::kProtectMatching | pagemap::kCheckAsync;
    scan.start = start_;
    scan.end = start_ + bytes_;
    scan.regions = reinterpret_cast<uint64_t>(regions_.data());
    scan.regions_length = regions_.size();
    scan.category_mask = scan.return_mask = pagemap::kIsWritten;
    const int found = ioctl(pagemap_, pagemap::kRequest, &scan);
    int64_t pages = found < 0 ? -1 : 0;
    for (int i = 0; i < found; ++i)
      pages += static_cast<int64_t>((regions_[i].end - regions_[i].start) / kPageBytes);
    return pages;
  }

 private:
  const uint64_t start_;
  const uint64_t bytes_;
  std::vector<pagemap::Region> regions_;
  int faults_;
  int pagemap_;
  bool ok_;
};

inline JsonLine WriteProtect(int samples, uint64_t bytes, uint64_t pages) {
  JsonLine line;
  Memory(0).OfBytes(bytes);
  std::byte* const ram = Memory(0).Data();
  Protection protection(ram, bytes);
  if (!protection.ok())
    return line.Add("error", "asynchronous write protection is refused here (it needs Linux 6.7)");
  const uint64_t step_bytes = bytes / kPageBytes / pages * kPageBytes;
  std::vector<int64_t> arm_ns;
  std::vector<int64_t> fault_ns;
  std::vector<int64_t> scan_ns;
  for (int i = 0; i < samples; ++i) {
    const int64_t from_ns = HostMonotonicNs();
    if (!protection.Arm()) return line.Add("error", "write protection of the range was refused");
    const int64_t armed_ns = HostMonotonicNs();
    TouchEvery(ram, pages * step_bytes, step_bytes);
    const int64_t written_ns = HostMonotonicNs();
    const int64_t found = protection.Scan();
    const int64_t scanned_ns = HostMonotonicNs();
    if (found != static_cast<int64_t>(pages))
      return line.Add("error", "the kernel found " + std::to_string(found) + " pages written");
    arm_ns.push_back(armed_ns - from_ns);
    fault_ns.push_back((written_ns - armed_ns) / static_cast<int64_t>(pages));
    scan_ns.push_back(scanned_ns - written_ns);
  }
  return line.Add("armNs", arm_ns).Add("faultNs", fault_ns).Add("scanNs", scan_ns);
}

}  // namespace standstill::bench
