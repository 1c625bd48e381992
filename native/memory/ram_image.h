// RamImage: a RAM's bytes for any number of VMs to map copy-on-write. In memory, where nobody can
// change them any more; or in a file, where they lie as RAM does, and which somebody may cut, write
// to or take away: that is noticed (memory_loss.h, and Changed).
//
// Threads: any, once a MemoryImage's writes are sealed.
#pragma once

#include <memory>

#include "port/file.h"
#include "port/memory.h"

namespace standstill {

class RamImage {
 public:
  RamImage() = default;
  virtual ~RamImage() = default;
  RamImage(const RamImage&) = delete;
  RamImage& operator=(const RamImage&) = delete;

  virtual uint64_t bytes() const = 0;
  // Copy-on-write, as port/memory.h's.
  virtual std::byte* MapGuarded(uint64_t guard_bytes) const = 0;
  // Whether others can get at it.
  virtual bool exposed() const = 0;
  // Whether they did, as far as the system tells without a look at the bytes. A system call.
  virtual bool Changed() const = 0;
};

// Sparse: pages of zeroes take no memory.
class MemoryImage final : public RamImage {
 public:
  // `charge`: what its memory is charged to, as long as it lives.
  MemoryImage(std::shared_ptr<const void> charge, uint64_t bytes)
      : file("standstill-ram-image", bytes), charge_(std::move(charge)) {}

  uint64_t bytes() const override { return file.bytes(); }
  std::byte* MapGuarded(uint64_t guard_bytes) const override {
    return file.MapGuarded(Sharing::kCopyOnWrite, guard_bytes);
  }
  bool exposed() const override { return false; }
  bool Changed() const override { return false; }

  Memfd file;

 private:
  const std::shared_ptr<const void> charge_;
};

class FileImage final : public RamImage {
 public:
  // [offset, offset + bytes) of a file that was as `stamp` says.
  FileImage(std::shared_ptr<const ReadableFile> file, const FileStamp& stamp, uint64_t offset,
            uint64_t bytes)
      : file_(std::move(file)), stamp_(stamp), offset_(offset), bytes_(bytes) {}

  uint64_t bytes() const override { return bytes_; }
  std::byte* MapGuarded(uint64_t guard_bytes) const override {
    FileError error;
    return file_->MapGuarded(offset_, bytes_, Sharing::kCopyOnWrite, guard_bytes, &error);
  }
  std::byte* MapForReading(uint64_t guard_bytes, FileError* error) const {
    return file_->MapGuarded(offset_, bytes_, Sharing::kReadOnly, guard_bytes, error);
  }
  bool exposed() const override { return true; }
  bool Changed() const override {
    FileStamp now;
    FileError error;
    return !file_->Stamp(&now, &error) || now != stamp_;
  }

 private:
  const std::shared_ptr<const ReadableFile> file_;
  const FileStamp stamp_;
  const uint64_t offset_;
  const uint64_t bytes_;
};

}  // namespace standstill
