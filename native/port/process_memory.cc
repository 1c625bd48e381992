#include "port/process_memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <span>
#include <utility>

#include "port/small_file.h"

namespace standstill {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kPresent = uint64_t{1} << 63;
constexpr uint64_t kSwapped = uint64_t{1} << 62;
constexpr uint64_t kOfFile = uint64_t{1} << 61;  // or shared and anonymous
constexpr size_t kEntries = 8192;

std::string ProcPath(int pid, const char* name) {
  return "/proc/" + std::to_string(pid) + "/" + name;
}

// How many bytes were there; negative with errno.
ssize_t ReadAt(const Descriptor& file, void* to, size_t bytes, uint64_t offset) {
  ssize_t got;
  while ((got = pread(file.get(), to, bytes, static_cast<off_t>(offset))) < 0 && errno == EINTR) {
  }
  return got;
}

// What <linux/fs.h> has of the scan since Linux 6.7.
struct PageRegion {
  uint64_t start;
  uint64_t end;
  uint64_t categories;
};
struct PageScan {
  uint64_t size;
  uint64_t flags;
  uint64_t start;
  uint64_t end;
  uint64_t walk_end;
  uint64_t regions;
  uint64_t region_count;
  uint64_t pages_max;
  uint64_t inverted;
  uint64_t all_of;
  uint64_t any_of;
  uint64_t returned;
};
constexpr unsigned long kScan = _IOWR('f', 16, PageScan);
constexpr uint64_t kScanOfFile = 1 << 2;
constexpr uint64_t kScanPresent = 1 << 3;
constexpr uint64_t kScanSwapped = 1 << 4;

// False for a process that has ended.
bool HasMemory(const Descriptor& map, uint64_t address) {
  uint64_t entry;
  return ReadAt(map, &entry, sizeof(entry), address / kPage * 8) == sizeof(entry);
}

// In time proportional to what is there. False where the kernel refuses: an older one has no scan.
bool ScanPages(const Descriptor& map, uint64_t start, uint64_t end, bool anonymous_only,
               std::vector<uint64_t>* pages) {
  std::array<PageRegion, 512> regions;
  for (uint64_t at = start; at < end;) {
    PageScan scan{};
    scan.size = sizeof(scan);
    scan.start = at;
    scan.end = end;
    scan.regions = reinterpret_cast<uint64_t>(regions.data());
    scan.region_count = regions.size();
    scan.any_of = kScanPresent | kScanSwapped;
    if (anonymous_only) scan.inverted = scan.all_of = kScanOfFile;
    scan.returned = kScanPresent;
    const int found = ioctl(map.get(), kScan, &scan);
    if (found < 0 || scan.walk_end <= at) return false;
    for (const PageRegion& region : std::span(regions).first(static_cast<size_t>(found))) {
      for (uint64_t page = region.start; page < region.end; page += kPage) pages->push_back(page);
    }
    at = scan.walk_end;
  }
  return true;
}

// Entry by entry, over what is only reserved too.
int WalkPages(const Descriptor& map, uint64_t start, uint64_t end, bool anonymous_only,
              std::vector<uint64_t>* pages) {
  std::vector<uint64_t> entries(std::min<uint64_t>(kEntries, (end - start) / kPage));
  for (uint64_t at = start; at < end;) {
    const uint64_t wanted = std::min<uint64_t>(entries.size(), (end - at) / kPage);
    const ssize_t bytes = ReadAt(map, entries.data(), wanted * 8, at / kPage * 8);
    if (bytes < 0) return errno;
    // A process that has ended has no pages any more.
    if (bytes < 8) return ESRCH;
    const size_t got = static_cast<size_t>(bytes) / 8;
    for (size_t i = 0; i < got; ++i) {
      if ((entries[i] & (kPresent | kSwapped)) == 0) continue;
      if (anonymous_only && (entries[i] & kOfFile) != 0) continue;
      pages->push_back(at + i * kPage);
    }
    at += got * kPage;
  }
  return 0;
}

}  // namespace

int ReadMappings(int pid, std::string* text, std::vector<MemoryMapping>* mappings) {
  auto read = ReadText(ProcPath(pid, "maps"));
  if (!read) return errno;
  *text = *std::move(read);
  mappings->clear();
  for (size_t at = 0; at < text->size();) {
    const size_t end = std::min(text->find('\n', at), text->size());
    const std::string line = text->substr(at, end - at);
    at = end + 1;
    MemoryMapping mapping;
    std::array<char, 5> permissions{};
    int name_at = 0;
    if (sscanf(line.c_str(), "%lx-%lx %4s %*x %*s %*u %n", &mapping.start, &mapping.end,
               permissions.data(), &name_at) != 3) {
      return EPROTO;
    }
    mapping.permissions = permissions.data();
    if (static_cast<size_t>(name_at) < line.size()) mapping.name = line.substr(name_at);
    mappings->push_back(std::move(mapping));
  }
  return 0;
}

int ListPages(int pid, uint64_t start, uint64_t end, bool anonymous_only,
              std::vector<uint64_t>* pages) {
  const Descriptor map = OpenFile(ProcPath(pid, "pagemap"), O_RDONLY);
  if (!map.open()) return errno;
  // Asked before and after: a scan of a process that has ended finds nothing without an error, and some
  // kernels do not survive one where the process had ended before the file was opened.
  if (!HasMemory(map, start)) return ESRCH;
  const size_t before = pages->size();
  if (!ScanPages(map, start, end, anonymous_only, pages)) {
    pages->resize(before);
    return WalkPages(map, start, end, anonymous_only, pages);
  }
  return HasMemory(map, start) ? 0 : ESRCH;
}

int ReadPages(int pid, std::span<const uint64_t> pages, std::span<std::byte> to) {
  std::array<iovec, kReadPagesMax> runs;
  size_t count = 0;
  for (const uint64_t page : pages) {
    if (count > 0) {
      iovec& last = runs[count - 1];
      if (reinterpret_cast<uint64_t>(last.iov_base) + last.iov_len == page) {
        last.iov_len += kPage;
        continue;
      }
    }
    runs[count++] = {reinterpret_cast<void*>(page), kPage};
  }
  const iovec target = {to.data(), pages.size() * kPage};
  const ssize_t bytes = process_vm_readv(pid, &target, 1, runs.data(), count, 0);
  if (bytes < 0) return errno;
  return static_cast<size_t>(bytes) == target.iov_len ? 0 : EFAULT;
}

int ReadTasks(int pid, std::vector<TaskImage>* tasks) {
  const std::string folder = ProcPath(pid, "task");
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(folder.c_str()), closedir);
  if (listing == nullptr) return errno;
  while (const dirent* entry = readdir(listing.get())) {
    TaskImage task;
    task.tid = atoi(entry->d_name);
    if (task.tid == 0) continue;
    const std::string path = folder + "/" + entry->d_name;
    if (const auto text = ReadText(path + "/schedstat")) task.cpu_ns = atoll(text->c_str());
    if (const auto text = ReadText(path + "/syscall"); text && *text != "running\n") {
      task.registers = *text;
    }
    tasks->push_back(std::move(task));
  }
  return 0;
}

}  // namespace standstill
