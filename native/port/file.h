// Files, as far as snapshots need them: whole reads and writes at a place, and a new file that
// takes its name only when it is complete and on disk.
//
// Threads: one file by any number for different places; creation and Commit by one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "port/memory.h"

namespace standstill {

// What the operating system refused, with its errno; 0: nothing.
struct FileError {
  int number = 0;
  const char* call = "";
};

// By which a change of a file's bytes is told: writing moves the time on, cutting changes the size
// too. A new name, a link, a new file in its place or new rights change neither.
struct FileStamp {
  uint64_t bytes = 0;
  int64_t modified_ns = 0;
  bool operator==(const FileStamp&) const = default;
};

class ReadableFile {
 public:
  // Null with `error`.
  static std::unique_ptr<ReadableFile> Open(const std::string& path, FileError* error);
  ~ReadableFile();
  ReadableFile(const ReadableFile&) = delete;
  ReadableFile& operator=(const ReadableFile&) = delete;

  bool Stamp(FileStamp* stamp, FileError* error) const;
  // How many bytes were there: fewer than asked for at the end of the file. Negative with `error`.
  int64_t Read(uint64_t offset, std::span<std::byte> to, FileError* error) const;
  // See memory.h. nullptr with `error`.
  std::byte* MapGuarded(uint64_t offset, uint64_t bytes, Sharing sharing, uint64_t guard_bytes,
                        FileError* error) const;

 private:
  explicit ReadableFile(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

// A file under a temporary name beside the one that it will take. It is locked while it is written;
// what a killed process left of the same name is not, and is removed by the next one.
class NewFile {
 public:
  // The folder is found now, wherever it or the process goes later.
  static std::unique_ptr<NewFile> Create(const std::string& path, FileError* error);
  ~NewFile();  // removes it, where it was not committed
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  bool Write(uint64_t offset, std::span<const std::byte> bytes, FileError* error);
  // So long, what was not written being holes.
  bool SetSize(uint64_t bytes, FileError* error);
  // Flushes it, gives it its name in place of what had it, and flushes the folder. Failed, it has the
  // name where that last step alone was refused.
  bool Commit(FileError* error);

 private:
  NewFile(int folder, std::string name, std::string temporary, int descriptor);

  const int folder_;
  const std::string name_;
  const std::string temporary_;
  const int descriptor_;
  bool committed_ = false;
};

// "ENOSPC: No space left on device"
std::string DescribeErrno(int number);
// The same, with the call that was refused.
std::string DescribeError(const FileError& error);

}  // namespace standstill
