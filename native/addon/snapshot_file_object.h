// NativeSnapshotFile, a snapshot file that is open for reading, and NativeSnapshotLoader, which
// makes a snapshot of one.
//
// Threads: the environment's own; the work itself runs on the engine's pool. A loader takes one
// call at a time, the next when the promise of the last is settled.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "addon/handle.h"
#include "standstill/snapshot_file.h"

namespace standstill {

struct OpenSnapshotFile {
  std::string path;
  std::shared_ptr<const SnapshotFile> file;
};

class SnapshotFileObject : public Handle<SnapshotFileObject, const OpenSnapshotFile> {
 public:
  static constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d46494c4500};
  static constexpr const char* kClass = "NativeSnapshotFile";
  static constexpr const char* kWhat = "a snapshot file";
  static std::vector<PropertyDescriptor> Properties();
  // openSnapshotFile(path)
  static Napi::Value Open(const Napi::CallbackInfo& info);
  // mapSnapshotFile(file, store)
  static Napi::Value Map(const Napi::CallbackInfo& info);
  using Handle::Handle;

 private:
  Napi::Value Info(const Napi::CallbackInfo& info);
  Napi::Value Mappable(const Napi::CallbackInfo& info);
  Napi::Value StateBytes(const Napi::CallbackInfo& info);
  Napi::Value PageCrcs(const Napi::CallbackInfo& info);
  Napi::Value Present(const Napi::CallbackInfo& info);
  Napi::Value Digest(const Napi::CallbackInfo& info);
  Napi::Value ChunkOffset(const Napi::CallbackInfo& info);
  Napi::Value ReadChunk(const Napi::CallbackInfo& info);
  Napi::Value Verify(const Napi::CallbackInfo& info);
};

struct OpenSnapshotLoader {
  std::string path;
  uint64_t chunk_count;
  std::unique_ptr<SnapshotLoader> loader;
};

class SnapshotLoaderObject : public Handle<SnapshotLoaderObject, OpenSnapshotLoader> {
 public:
  static constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d4c4f414400};
  static constexpr const char* kClass = "NativeSnapshotLoader";
  static constexpr const char* kWhat = "a snapshot loader";
  static std::vector<PropertyDescriptor> Properties();
  // createSnapshotLoader(file, store, base or null)
  static Napi::Value Create(const Napi::CallbackInfo& info);
  using Handle::Handle;

 private:
  Napi::Value ReadChunks(const Napi::CallbackInfo& info);
  Napi::Value PutChunk(const Napi::CallbackInfo& info);
  Napi::Value Finish(const Napi::CallbackInfo& info);
};

}  // namespace standstill
