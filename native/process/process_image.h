// What a tree of processes is in memory at a moment: its mappings, the CRC of each page of its own,
// and where each task stands. Two of them, taken while the tree is frozen, prove that nothing moved,
// or show what did.
//
// Read are the pages with content of all writable private and shared anonymous mappings. A private
// page that is still its file's is left out, as the file's owner may change it.
//
// Threads: Capture runs on the caller and the task pool; an image is immutable.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "port/process_memory.h"
#include "standstill/progress.h"

namespace standstill {

struct MappingImage {
  MemoryMapping mapping;
  std::vector<uint64_t> pages;
  std::vector<uint64_t> crcs;
};

struct SingleProcessImage {
  int pid = 0;
  std::string maps;
  std::vector<TaskImage> tasks;
  std::vector<MappingImage> mappings;
};

struct ProcessImage {
  std::vector<SingleProcessImage> processes;
  uint64_t digest = 0;  // CRC-64/NVME of all bytes read, in the order of pids and addresses
  uint64_t bytes_read = 0;
  int64_t elapsed_ns = 0;
};

struct CaptureError {
  int pid = 0;
  int number = 0;  // errno; ECANCELED by `progress`
};

// `progress` counts pages.
std::optional<CaptureError> CaptureProcesses(std::vector<int> pids, Progress& progress,
                                             ProcessImage* out);

enum class ProcessChange { kNone, kProcesses, kTasks, kMappings, kPresence, kContent };

struct ProcessDifference {
  ProcessChange change = ProcessChange::kNone;
  int pid = 0;
  // The first range that differs, and the mapping in which it lies.
  uint64_t address = 0;
  uint64_t length_bytes = 0;
  MemoryMapping mapping;
  uint64_t pages_changed = 0;  // in all
  std::string detail;
};

// The first difference in the order of the enumeration.
ProcessDifference CompareImages(const ProcessImage& before, const ProcessImage& after);

}  // namespace standstill
