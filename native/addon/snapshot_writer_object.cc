#include "addon/snapshot_writer_object.h"

#include <algorithm>
#include <utility>

#include "addon/convert.h"
#include "addon/file_work.h"
#include "addon/snapshot_object.h"

namespace standstill {
namespace {

SnapshotId ReadId(const Napi::Value& value, const char* name) {
  const std::vector<std::byte> bytes = ReadBytes(value, name);
  SnapshotId id{};
  if (bytes.size() != id.size()) {
    throw CodedError(value.Env(), "ERR_INVALID_ARGUMENT",
                     std::string("Expected 32 bytes for ") + name + " but received " +
                         std::to_string(bytes.size()));
  }
  std::ranges::copy(bytes, std::as_writable_bytes(std::span(id)).begin());
  return id;
}

SaveOptions ReadSaveOptions(const Napi::Object& from) {
  SaveOptions options;
  options.compressed = from.Get("compressed").ToBoolean();
  options.id = ReadId(from.Get("id"), "id");
  const Napi::Value base = from.Get("base");
  if (base.IsNull()) return options;
  options.base = SnapshotObject::Of(base);
  options.base_id = ReadId(from.Get("baseId"), "baseId");
  return options;
}

}  // namespace

std::vector<SnapshotWriterObject::PropertyDescriptor> SnapshotWriterObject::Properties() {
  return {InstanceMethod<&SnapshotWriterObject::ChunkCount>("chunkCount"),
          InstanceMethod<&SnapshotWriterObject::WriteChunks>("writeChunks"),
          InstanceMethod<&SnapshotWriterObject::ChunkPages>("chunkPages"),
          InstanceMethod<&SnapshotWriterObject::PutChunk>("putChunk"),
          InstanceMethod<&SnapshotWriterObject::Commit>("commit"),
          InstanceMethod<&SnapshotWriterObject::Close>("close")};
}

Napi::Value SnapshotWriterObject::Create(const Napi::CallbackInfo& info) {
  const std::string path = ReadString(info[0], "path");
  return OnPoolWithFile<OpenSnapshotWriter>(
      info.Env(), path,
      [path, snapshot = SnapshotObject::Of(info[1]), options = ReadSaveOptions(info[2].ToObject()),
       progress = ProgressObject::Of(info[3])](OpenSnapshotWriter* out, FileProblem* problem) {
        out->path = path;
        return SnapshotWriter::Create(path, snapshot, options, *progress, &out->writer, problem);
      },
      [](Napi::Env in, OpenSnapshotWriter& writer) {
        return Wrap(in, std::make_shared<OpenSnapshotWriter>(std::move(writer)));
      });
}

Napi::Value SnapshotWriterObject::ChunkCount(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(held_->writer->chunk_count()));
}

// writeChunks(progress)
Napi::Value SnapshotWriterObject::WriteChunks(const Napi::CallbackInfo& info) {
  return OnPoolWithFile(
      info.Env(), held_->path,
      [held = held_, progress = ProgressObject::Of(info[0])](FileProblem* problem) {
        return held->writer->WriteChunks(*progress, problem);
      });
}

// chunkPages(chunk)
Napi::Value SnapshotWriterObject::ChunkPages(const Napi::CallbackInfo& info) {
  const int64_t chunk_max = static_cast<int64_t>(held_->writer->chunk_count()) - 1;
  const int64_t chunk = ReadInteger(info[0], "chunk", 0, chunk_max);
  return OnPoolWithFile<std::vector<std::byte>>(
      info.Env(), held_->path,
      [held = held_, chunk](std::vector<std::byte>* out, FileProblem*) {
        return held->writer->ChunkPages(static_cast<uint64_t>(chunk), out);
      },
      [](Napi::Env in, std::vector<std::byte>& pages) -> Napi::Value {
        return BytesToJs(in, pages);
      });
}

// putChunk(chunk, stored)
Napi::Value SnapshotWriterObject::PutChunk(const Napi::CallbackInfo& info) {
  const int64_t chunk_max = static_cast<int64_t>(held_->writer->chunk_count()) - 1;
  const int64_t chunk = ReadInteger(info[0], "chunk", 0, chunk_max);
  return OnPoolWithFile(
      info.Env(), held_->path,
      [held = held_, chunk, stored = ReadBytes(info[1], "stored")](FileProblem* problem) {
        return held->writer->PutChunk(static_cast<uint64_t>(chunk), stored, problem);
      });
}

Napi::Value SnapshotWriterObject::Commit(const Napi::CallbackInfo& info) {
  return OnPoolWithFile(info.Env(), held_->path, [held = held_](FileProblem* problem) {
    return held->writer->Commit(problem);
  });
}

// On the pool, since it may remove a long file. The last work under way holds the writer as well.
Napi::Value SnapshotWriterObject::Close(const Napi::CallbackInfo& info) {
  return Environment::Of(info.Env())
      .OnPool<int>(
          info.Env(),
          [held = std::move(held_)]() mutable {
            held.reset();
            return 0;
          },
          [](Napi::Env in, int&) -> Napi::Value { return in.Undefined(); });
}

Napi::Value ExportFlatFile(const Napi::CallbackInfo& info) {
  const std::string path = ReadString(info[0], "path");
  return OnPoolWithFile(
      info.Env(), path,
      [path, snapshot = SnapshotObject::Of(info[1]), prefix = ReadBytes(info[2], "prefix"),
       progress = ProgressObject::Of(info[3])](FileProblem* problem) {
        return ExportFlat(*snapshot, path, prefix, *progress, problem);
      });
}

}  // namespace standstill
