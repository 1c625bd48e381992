#include "port/machine.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>

#include "port/memory.h"
#include "port/small_file.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1  // Linux 5.11
#endif

namespace standstill {
namespace {

constexpr uint64_t kHugePageBytes = uint64_t{2} << 20;
constexpr uint64_t kTriedBytes = 2 * kHugePageBytes;

int TryMemfd() {
  errno = 0;
  const uint64_t page_bytes = SystemPageBytes();
  Memfd file("standstill-trial", page_bytes);
  if (!file.ok()) return errno != 0 ? errno : ENOSYS;
  std::byte* const start = file.MapGuarded(Sharing::kShared, page_bytes);
  if (start == nullptr) return errno;
  start[page_bytes] = std::byte{1};
  Unmap(start, 3 * page_bytes);
  return file.Seal(Memfd::Writes::kSealed) ? 0 : errno;
}

int TryUserfaultfd() {
  const Descriptor descriptor(
      static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY)));
  if (!descriptor.open()) return errno;
  uffdio_api api{};
  api.api = UFFD_API;
  return ioctl(descriptor.get(), UFFDIO_API, &api) == 0 ? 0 : errno;
}

// In huge pages, of all that this process has.
uint64_t AnonymousHugeBytes() {
  const std::string text = ReadText("/proc/self/smaps_rollup").value_or("");
  const size_t at = text.find("AnonHugePages:");
  if (at == std::string::npos) return 0;
  return std::strtoull(text.c_str() + at + sizeof("AnonHugePages:") - 1, nullptr, 10) * 1024;
}

uint64_t TryHugePages() {
  std::byte* const start = MapHuge(kTriedBytes, kHugePageBytes);
  if (start == nullptr) return 0;
  const uint64_t before_bytes = AnonymousHugeBytes();
  for (uint64_t at = 0; at < kTriedBytes; at += kHugePageBytes) {
    *const_cast<volatile std::byte*>(start + at) = std::byte{1};
  }
  const uint64_t after_bytes = AnonymousHugeBytes();
  Unmap(start, kTriedBytes);
  return after_bytes > before_bytes ? after_bytes - before_bytes : 0;
}

}  // namespace

MachineTrials TryMachine() {
  return {TryMemfd(), TryUserfaultfd(), TryHugePages()};
}

}  // namespace standstill
