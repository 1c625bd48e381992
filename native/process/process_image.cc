#include "process/process_image.h"

#include <cerrno>

#include <algorithm>
#include <array>
#include <atomic>

#include "port/clock.h"
#include "port/task_pool.h"
#include "util/crc64.h"

namespace standstill {
namespace {

constexpr uint64_t kPageBytes = 4096;
// A task that is frozen may still have to leave the processor, by a few instructions of the kernel.
constexpr int64_t kLeaveProcessorNs = 1'000'000;

struct Chunk {
  int pid;
  MappingImage* mapping;
  size_t first;
  size_t count;
};

bool IsProved(const MemoryMapping& mapping) {
  if (mapping.permissions.size() < 4 || mapping.permissions[1] != 'w') return false;
  if (mapping.permissions[3] == 'p') return true;
  // Shared memory without a file that an outsider could open by its name.
  return mapping.name.starts_with("/dev/zero (deleted)") || mapping.name.starts_with("/memfd:");
}

int ListOne(int pid, SingleProcessImage* out) {
  out->pid = pid;
  std::vector<MemoryMapping> mappings;
  if (const int error = ReadMappings(pid, &out->maps, &mappings); error != 0) return error;
  if (const int error = ReadTasks(pid, &out->tasks); error != 0) return error;
  for (MemoryMapping& mapping : mappings) {
    if (!IsProved(mapping)) continue;
    MappingImage image;
    const bool anonymous_only = mapping.permissions[3] == 'p';
    const int error = ListPages(pid, mapping.start, mapping.end, anonymous_only, &image.pages);
    if (error != 0) return error;
    image.mapping = std::move(mapping);
    image.crcs.resize(image.pages.size());
    out->mappings.push_back(std::move(image));
  }
  return 0;
}

int ReadChunk(const Chunk& chunk) {
  alignas(64) std::array<std::byte, kReadPagesMax * kPageBytes> bytes;
  const std::span pages = std::span(chunk.mapping->pages).subspan(chunk.first, chunk.count);
  if (const int error = ReadPages(chunk.pid, pages, bytes); error != 0) return error;
  for (size_t i = 0; i < chunk.count; ++i) {
    chunk.mapping->crcs[chunk.first + i] =
        Crc64(0, std::span(bytes).subspan(i * kPageBytes, kPageBytes));
  }
  return 0;
}

std::string FirstLineOnlyIn(const std::string& text, const std::string& other) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    if (other.find(line) == std::string::npos) return line;
    at = end + 1;
  }
  return "";
}

bool SameTask(const TaskImage& before, const TaskImage& after, std::string* detail) {
  const std::string task = "task " + std::to_string(before.tid);
  if (before.tid != after.tid) {
    *detail = task + " became task " + std::to_string(after.tid);
  } else if (after.cpu_ns - before.cpu_ns > kLeaveProcessorNs) {
    *detail = task + " ran for " + std::to_string(after.cpu_ns - before.cpu_ns) + " ns";
  } else if (!before.registers.empty() && !after.registers.empty() &&
             before.registers != after.registers) {
    *detail = task + " moved";
  } else {
    return true;
  }
  return false;
}

ProcessDifference ComparePlaces(const SingleProcessImage& before, const SingleProcessImage& after) {
  ProcessDifference found;
  found.pid = before.pid;
  if (before.tasks.size() != after.tasks.size()) {
    found.change = ProcessChange::kTasks;
    found.detail =
        std::to_string(before.tasks.size()) + " tasks became " + std::to_string(after.tasks.size());
    return found;
  }
  for (size_t i = 0; i < before.tasks.size(); ++i) {
    if (SameTask(before.tasks[i], after.tasks[i], &found.detail)) continue;
    found.change = ProcessChange::kTasks;
    return found;
  }
  if (before.maps != after.maps) {
    found.change = ProcessChange::kMappings;
    const std::string gone = FirstLineOnlyIn(before.maps, after.maps);
    found.detail = gone.empty() ? "new: " + FirstLineOnlyIn(after.maps, before.maps) : gone;
  }
  return found;
}

void ComparePages(int pid, const MappingImage& before, const MappingImage& after,
                  ProcessDifference* found) {
  const auto note = [&](ProcessChange change, uint64_t address) {
    found->pages_changed += 1;
    if (found->change == ProcessChange::kNone) {
      *found = {change, pid, address, kPageBytes, before.mapping, 1, ""};
    } else if (found->pid == pid && found->address + found->length_bytes == address &&
               found->pages_changed == found->length_bytes / kPageBytes + 1) {
      found->length_bytes += kPageBytes;
    }
  };
  if (before.pages != after.pages) {
    const auto [left, right] = std::mismatch(before.pages.begin(), before.pages.end(),
                                             after.pages.begin(), after.pages.end());
    const uint64_t address = left != before.pages.end() ? *left : *right;
    note(ProcessChange::kPresence, address);
    return;
  }
  for (size_t i = 0; i < before.pages.size(); ++i) {
    if (before.crcs[i] != after.crcs[i]) note(ProcessChange::kContent, before.pages[i]);
  }
}

}  // namespace

std::optional<CaptureError> CaptureProcesses(std::vector<int> pids, Progress& progress,
                                             ProcessImage* out) {
  const int64_t from_ns = HostMonotonicNs();
  std::sort(pids.begin(), pids.end());
  ProcessImage image;
  image.processes.resize(pids.size());
  std::vector<std::atomic<int>> errors(pids.size());
  TaskPool::Get().ParallelFor(pids.size(), TaskPool::kAllThreads, [&](uint64_t i) {
    errors[i].store(ListOne(pids[i], &image.processes[i]), std::memory_order_relaxed);
  });

  std::vector<Chunk> chunks;
  uint64_t pages = 0;
  for (size_t i = 0; i < pids.size(); ++i) {
    if (const int error = errors[i].load(std::memory_order_relaxed); error != 0)
      return CaptureError{pids[i], error};
    for (MappingImage& mapping : image.processes[i].mappings) {
      pages += mapping.pages.size();
      for (size_t at = 0; at < mapping.pages.size(); at += kReadPagesMax) {
        chunks.push_back(
            {pids[i], &mapping, at, std::min(kReadPagesMax, mapping.pages.size() - at)});
      }
    }
  }
  progress.Begin(pages);
  // The first failure, as an index of a chunk and its errno; relaxed, read after the join.
  std::atomic<int> failure{0};
  std::atomic<int> failed_pid{0};
  TaskPool::Get().ParallelFor(chunks.size(), TaskPool::kAllThreads, [&](uint64_t i) {
    if (failure.load(std::memory_order_relaxed) != 0) return;
    const int error = progress.cancelled() ? ECANCELED : ReadChunk(chunks[i]);
    progress.Add(chunks[i].count);
    int none = 0;
    if (error != 0 && failure.compare_exchange_strong(none, error, std::memory_order_relaxed)) {
      failed_pid.store(chunks[i].pid, std::memory_order_relaxed);
    }
  });
  if (failure.load(std::memory_order_relaxed) != 0) {
    return CaptureError{failed_pid.load(std::memory_order_relaxed),
                        failure.load(std::memory_order_relaxed)};
  }
  const Crc64Shift page_shift(kPageBytes);
  for (const SingleProcessImage& process : image.processes) {
    for (const MappingImage& mapping : process.mappings) {
      for (const uint64_t crc : mapping.crcs) image.digest = page_shift.Apply(image.digest) ^ crc;
    }
  }
  image.bytes_read = pages * kPageBytes;
  image.elapsed_ns = HostMonotonicNs() - from_ns;
  *out = std::move(image);
  return std::nullopt;
}

ProcessDifference CompareImages(const ProcessImage& before, const ProcessImage& after) {
  ProcessDifference found;
  const auto same_pid = [](const SingleProcessImage& a, const SingleProcessImage& b) {
    return a.pid == b.pid;
  };
  if (!std::equal(before.processes.begin(), before.processes.end(), after.processes.begin(),
                  after.processes.end(), same_pid)) {
    found.change = ProcessChange::kProcesses;
    found.detail = std::to_string(before.processes.size()) + " processes became " +
                   std::to_string(after.processes.size());
    return found;
  }
  for (size_t i = 0; i < before.processes.size(); ++i) {
    const ProcessDifference places = ComparePlaces(before.processes[i], after.processes[i]);
    if (places.change != ProcessChange::kNone) return places;
  }
  // Equal maps have equal mappings.
  for (size_t i = 0; i < before.processes.size(); ++i) {
    const SingleProcessImage& process = before.processes[i];
    for (size_t k = 0; k < process.mappings.size(); ++k) {
      ComparePages(process.pid, process.mappings[k], after.processes[i].mappings[k], &found);
    }
  }
  return found;
}

}  // namespace standstill
