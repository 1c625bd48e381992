// Snapshots on disk: written whole or not at all, read with every byte checked before it counts.
// The layout is in docs/SNAPSHOT_FORMAT.md.
//
// A compressed file is compressed and inflated by the caller, chunk by chunk: the engine knows of
// no compressor.
//
// Threads: a writer or a loader by one, whose parallel calls use the task pool; a file by any.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "standstill/progress.h"
#include "standstill/snapshot.h"
#include "standstill/status.h"

namespace standstill {

class FileImage;

inline constexpr uint32_t kSnapshotFileVersion = 1;

using SnapshotId = std::array<uint8_t, 32>;  // SHA-256 of StateBytes and the page CRCs

struct SaveOptions {
  bool compressed = false;
  SnapshotId id{};
  std::shared_ptr<const Snapshot> base = {};  // differential: only what differs from it is written
  SnapshotId base_id{};
};

// The state without RAM, as it is in the file and in the id.
std::vector<std::byte> StateBytes(const MachineState& state);

class SnapshotWriter {
 public:
  // Needs the page CRCs, so it reads what was never digested. kFileFailed, kSnapshotMismatch (the
  // base is of another size), kOutOfMemory, kCancelled, and what Snapshot::Health says.
  static Status Create(const std::string& path, std::shared_ptr<const Snapshot> snapshot,
                       const SaveOptions& options, Progress& progress,
                       std::unique_ptr<SnapshotWriter>* out, FileProblem* problem);
  ~SnapshotWriter();  // removes what was not committed

  // Writes all chunks, uncompressed.
  Status WriteChunks(Progress& progress, FileProblem* problem);
  // Or, compressed: for each chunk in order, what to compress (nothing: skip it), and the result.
  // kInvalidArgument for one out of order, or that got longer than the format allows (by 1 KiB);
  // kOutOfMemory.
  uint64_t chunk_count() const;
  Status ChunkPages(uint64_t chunk, std::vector<std::byte>* out) const;
  Status PutChunk(uint64_t chunk, std::span<const std::byte> stored, FileProblem* problem);

  // kInvalidArgument before all chunks are written; kFileFailed: the path has its old file or, where
  // the folder alone could not be flushed, the new one. What Snapshot::Health says.
  Status Commit(FileProblem* problem);

 private:
  class Impl;
  explicit SnapshotWriter(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

class SnapshotFile {
 public:
  // Checks the header, the tables and the length; not the data. kFileFailed, kSnapshotDamaged,
  // kOutOfMemory.
  static Status Open(const std::string& path, std::shared_ptr<SnapshotFile>* out,
                     FileProblem* problem);
  ~SnapshotFile();

  const MachineState& state() const;
  const SnapshotId& id() const;
  const SnapshotId& base_id() const;
  bool flat() const { return !compressed() && !differential(); }
  bool compressed() const;
  bool differential() const;
  uint64_t file_bytes() const;
  uint64_t present_pages() const;
  uint64_t digest() const;  // CRC-64/NVME of the RAM, made of the pages' own
  uint64_t chunk_count() const;
  uint64_t chunk_offset(uint64_t chunk) const;  // of its data in the file
  std::span<const uint64_t> page_crcs() const;
  const PageSet& present() const;  // the pages whose bytes are in the file
  // The RAM where it lies; null where it cannot be mapped: in a file that is not flat, and in any
  // where the system's pages are larger than ours.
  const std::shared_ptr<const FileImage>& image() const;

  // A chunk as it is stored, its CRC checked. kFileFailed, kSnapshotDamaged.
  Status ReadChunk(uint64_t chunk, std::vector<std::byte>* stored, FileProblem* problem) const;
  // Reads every byte of the file. kSnapshotDamaged with the first damage; kFileFailed, kCancelled.
  Status Verify(Progress& progress, FileProblem* problem) const;

 private:
  class Impl;
  explicit SnapshotFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Makes a snapshot of a file.
class SnapshotLoader {
 public:
  // `base` for a differential file, else null. kSnapshotLimit, kSnapshotMismatch, kOutOfMemory.
  static Status Create(std::shared_ptr<const SnapshotFile> file, std::shared_ptr<PageStore> store,
                       std::shared_ptr<const Snapshot> base, std::unique_ptr<SnapshotLoader>* out);
  ~SnapshotLoader();

  // Reads all chunks of an uncompressed file. kSnapshotDamaged, kFileFailed, kCancelled.
  Status ReadChunks(Progress& progress, FileProblem* problem);
  // Or, compressed: a chunk's pages as they were given to the compressor, each chunk once.
  // kSnapshotDamaged, kInvalidArgument.
  Status PutChunk(uint64_t chunk, std::span<const std::byte> pages, FileProblem* problem);

  // kInvalidArgument before all chunks with pages were put.
  Status Finish(std::shared_ptr<const Snapshot>* out);

 private:
  class Impl;
  explicit SnapshotLoader(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A snapshot whose pages stay in the file and are mapped: no memory, and no time, is spent on them.
// The file may get a new name, or none; while it is as it was opened, the snapshot equals it.
// kInvalidArgument for one that cannot be mapped, kFileFailed, kOutOfMemory, kMemoryLost (it was
// changed since it was opened).
Status MapSnapshot(std::shared_ptr<const SnapshotFile> file, std::shared_ptr<PageStore> store,
                   std::shared_ptr<const Snapshot>* out, FileProblem* problem);

// `prefix`, then the RAM, flat and sparse. Written whole or not at all. kFileFailed, kCancelled, and what
// Snapshot::Health says.
Status ExportFlat(const Snapshot& snapshot, const std::string& path,
                  std::span<const std::byte> prefix, Progress& progress, FileProblem* problem);

}  // namespace standstill
