// NativeSnapshotWriter, a snapshot file that is being written, and flat exports.
//
// Threads: the environment's own; the work itself runs on the engine's pool. A writer takes one
// call at a time, the next when the promise of the last is settled; chunkPages any number.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "addon/handle.h"
#include "standstill/snapshot_file.h"

namespace standstill {

struct OpenSnapshotWriter {
  std::string path;
  std::unique_ptr<SnapshotWriter> writer;
};

class SnapshotWriterObject : public Handle<SnapshotWriterObject, OpenSnapshotWriter> {
 public:
  static constexpr napi_type_tag kTag = {0x5354414e44535449, 0x4c4c2d5752495445};
  static constexpr const char* kClass = "NativeSnapshotWriter";
  static constexpr const char* kWhat = "a snapshot writer";
  static std::vector<PropertyDescriptor> Properties();
  // createSnapshotWriter(path, snapshot, { compressed, id, base, baseId }, progress)
  static Napi::Value Create(const Napi::CallbackInfo& info);
  using Handle::Handle;

 private:
  Napi::Value ChunkCount(const Napi::CallbackInfo& info);
  Napi::Value WriteChunks(const Napi::CallbackInfo& info);
  Napi::Value ChunkPages(const Napi::CallbackInfo& info);
  Napi::Value PutChunk(const Napi::CallbackInfo& info);
  Napi::Value Commit(const Napi::CallbackInfo& info);
  Napi::Value Close(const Napi::CallbackInfo& info);
};

// exportFlat(path, snapshot, prefix, progress)
Napi::Value ExportFlatFile(const Napi::CallbackInfo& info);

}  // namespace standstill
