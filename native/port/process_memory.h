// The memory of another process, read from outside: its mappings, which of its pages are there, and
// their bytes. Reading never makes a page: what is only reserved stays so.
//
// Threads: any; of a process that runs meanwhile it is a moment's view. Errors are errno values, 0
// for none; EPERM where this process may not trace that one, ESRCH where it is gone.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace standstill {

struct MemoryMapping {
  uint64_t start = 0;
  uint64_t end = 0;
  std::string permissions;  // "rw-p"
  std::string name;         // a path, "[heap]", or nothing
};

// /proc/<pid>/maps, whole as `text` and in its parts.
int ReadMappings(int pid, std::string* text, std::vector<MemoryMapping>* mappings);

// The addresses of the pages of [start, end) with content of the process's own: in memory or swapped
// out. `anonymous_only` leaves those out that are still their file's.
int ListPages(int pid, uint64_t start, uint64_t end, bool anonymous_only,
              std::vector<uint64_t>* pages);

// The bytes of whole pages at the given addresses, one behind the other.
inline constexpr size_t kReadPagesMax = 16;
int ReadPages(int pid, std::span<const uint64_t> pages, std::span<std::byte> to);

struct TaskImage {
  int tid = 0;
  // System call, its arguments, stack pointer and program counter, as /proc/…/syscall shows them of
  // a task that stands still; empty where that is not shown.
  std::string registers;
  int64_t cpu_ns = 0;
};
int ReadTasks(int pid, std::vector<TaskImage>* tasks);

}  // namespace standstill
