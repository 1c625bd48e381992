#include "addon/snapshot_file_object.h"

#include <algorithm>
#include <utility>

#include "addon/convert.h"
#include "addon/file_work.h"
#include "addon/snapshot_object.h"

namespace standstill {

// ── Files ─────────────────────────────────────────────────────────────────────────────────────

std::vector<SnapshotFileObject::PropertyDescriptor> SnapshotFileObject::Properties() {
  return {InstanceMethod<&SnapshotFileObject::Info>("info"),
          InstanceMethod<&SnapshotFileObject::Mappable>("mappable"),
          InstanceMethod<&SnapshotFileObject::StateBytes>("stateBytes"),
          InstanceMethod<&SnapshotFileObject::PageCrcs>("pageCrcs"),
          InstanceMethod<&SnapshotFileObject::Present>("present"),
          InstanceMethod<&SnapshotFileObject::Digest>("digest"),
          InstanceMethod<&SnapshotFileObject::ChunkOffset>("chunkOffset"),
          InstanceMethod<&SnapshotFileObject::ReadChunk>("readChunk"),
          InstanceMethod<&SnapshotFileObject::Verify>("verify")};
}

Napi::Value SnapshotFileObject::Open(const Napi::CallbackInfo& info) {
  const std::string path = ReadString(info[0], "path");
  return OnPoolWithFile<OpenSnapshotFile>(
      info.Env(), path,
      [path](OpenSnapshotFile* out, FileProblem* problem) {
        std::shared_ptr<SnapshotFile> file;
        const Status status = SnapshotFile::Open(path, &file, problem);
        *out = {path, std::move(file)};
        return status;
      },
      [](Napi::Env in, OpenSnapshotFile& opened) {
        return Wrap(in, std::make_shared<const OpenSnapshotFile>(std::move(opened)));
      });
}

Napi::Value SnapshotFileObject::Info(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const SnapshotFile& file = *held_->file;
  const Napi::Object object = Napi::Object::New(env);
  object.Set("state", StateToJs(env, file.state()));
  object.Set("formatVersion", kSnapshotFileVersion);
  object.Set("id", BytesToJs(env, std::as_bytes(std::span(file.id()))));
  object.Set("baseId", BytesToJs(env, std::as_bytes(std::span(file.base_id()))));
  object.Set("compressed", file.compressed());
  object.Set("differential", file.differential());
  object.Set("fileBytes", static_cast<double>(file.file_bytes()));
  object.Set("chunkCount", static_cast<double>(file.chunk_count()));
  return object;
}

Napi::Value SnapshotFileObject::Mappable(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(info.Env(), held_->file->image() != nullptr);
}

Napi::Value SnapshotFileObject::StateBytes(const Napi::CallbackInfo& info) {
  return BytesToJs(info.Env(), standstill::StateBytes(held_->file->state()));
}

Napi::Value SnapshotFileObject::PageCrcs(const Napi::CallbackInfo& info) {
  const std::span<const uint64_t> crcs = held_->file->page_crcs();
  auto array = Napi::BigUint64Array::New(info.Env(), crcs.size());
  std::copy(crcs.begin(), crcs.end(), array.Data());
  return array;
}

Napi::Value SnapshotFileObject::Present(const Napi::CallbackInfo& info) {
  const PageSet& present = held_->file->present();
  auto array = Napi::BigUint64Array::New(info.Env(), present.word_count());
  for (uint64_t word = 0; word < present.word_count(); ++word)
    array.Data()[word] = present.word(word);
  return array;
}

Napi::Value SnapshotFileObject::Digest(const Napi::CallbackInfo& info) {
  return Environment::Of(info.Env())
      .OnPool<uint64_t>(
          info.Env(), [file = held_->file] { return file->digest(); },
          [](Napi::Env in, uint64_t& digest) -> Napi::Value {
            return Napi::BigInt::New(in, digest);
          });
}

// chunkOffset(chunk)
Napi::Value SnapshotFileObject::ChunkOffset(const Napi::CallbackInfo& info) {
  const int64_t chunk_max = static_cast<int64_t>(held_->file->chunk_count()) - 1;
  const int64_t chunk = ReadInteger(info[0], "chunk", 0, chunk_max);
  const uint64_t offset = held_->file->chunk_offset(static_cast<uint64_t>(chunk));
  return Napi::Number::New(info.Env(), static_cast<double>(offset));
}

// readChunk(chunk)
Napi::Value SnapshotFileObject::ReadChunk(const Napi::CallbackInfo& info) {
  const int64_t chunk_max = static_cast<int64_t>(held_->file->chunk_count()) - 1;
  const int64_t chunk = ReadInteger(info[0], "chunk", 0, chunk_max);
  return OnPoolWithFile<std::vector<std::byte>>(
      info.Env(), held_->path,
      [file = held_->file, chunk](std::vector<std::byte>* out, FileProblem* problem) {
        return file->ReadChunk(static_cast<uint64_t>(chunk), out, problem);
      },
      [](Napi::Env in, std::vector<std::byte>& stored) -> Napi::Value {
        return BytesToJs(in, stored);
      });
}

// verify(progress)
Napi::Value SnapshotFileObject::Verify(const Napi::CallbackInfo& info) {
  return OnPoolWithFile(info.Env(), held_->path,
                        [file = held_->file, progress = ProgressObject::Of(info[0])](
                            FileProblem* problem) { return file->Verify(*progress, problem); });
}

// mapSnapshotFile(file, store)
Napi::Value SnapshotFileObject::Map(const Napi::CallbackInfo& info) {
  const auto opened = Of(info[0]);
  return OnPoolWithFile<std::shared_ptr<const Snapshot>>(
      info.Env(), opened->path,
      [opened, store = PageStoreObject::Of(info[1])](std::shared_ptr<const Snapshot>* out,
                                                     FileProblem* problem) {
        return MapSnapshot(opened->file, store, out, problem);
      },
      [](Napi::Env in, std::shared_ptr<const Snapshot>& snapshot) {
        return SnapshotObject::Wrap(in, std::move(snapshot));
      });
}

// ── Loaders ───────────────────────────────────────────────────────────────────────────────────

std::vector<SnapshotLoaderObject::PropertyDescriptor> SnapshotLoaderObject::Properties() {
  return {InstanceMethod<&SnapshotLoaderObject::ReadChunks>("readChunks"),
          InstanceMethod<&SnapshotLoaderObject::PutChunk>("putChunk"),
          InstanceMethod<&SnapshotLoaderObject::Finish>("finish")};
}

Napi::Value SnapshotLoaderObject::Create(const Napi::CallbackInfo& info) {
  const auto opened = SnapshotFileObject::Of(info[0]);
  std::shared_ptr<const Snapshot> base;
  if (!info[2].IsNull()) base = SnapshotObject::Of(info[2]);
  return OnPoolWithFile<OpenSnapshotLoader>(
      info.Env(), opened->path,
      [opened, store = PageStoreObject::Of(info[1]), base](OpenSnapshotLoader* out, FileProblem*) {
        out->path = opened->path;
        out->chunk_count = opened->file->chunk_count();
        return SnapshotLoader::Create(opened->file, store, base, &out->loader);
      },
      [](Napi::Env in, OpenSnapshotLoader& loader) {
        return Wrap(in, std::make_shared<OpenSnapshotLoader>(std::move(loader)));
      });
}

// readChunks(progress)
Napi::Value SnapshotLoaderObject::ReadChunks(const Napi::CallbackInfo& info) {
  return OnPoolWithFile(
      info.Env(), held_->path,
      [held = held_, progress = ProgressObject::Of(info[0])](FileProblem* problem) {
        return held->loader->ReadChunks(*progress, problem);
      });
}

// putChunk(chunk, pages)
Napi::Value SnapshotLoaderObject::PutChunk(const Napi::CallbackInfo& info) {
  const int64_t chunk =
      ReadInteger(info[0], "chunk", 0, static_cast<int64_t>(held_->chunk_count) - 1);
  return OnPoolWithFile(
      info.Env(), held_->path,
      [held = held_, chunk, pages = ReadBytes(info[1], "pages")](FileProblem* problem) {
        return held->loader->PutChunk(static_cast<uint64_t>(chunk), pages, problem);
      });
}

Napi::Value SnapshotLoaderObject::Finish(const Napi::CallbackInfo& info) {
  return OnPoolWithFile<std::shared_ptr<const Snapshot>>(
      info.Env(), held_->path,
      [held = held_](std::shared_ptr<const Snapshot>* out, FileProblem*) {
        return held->loader->Finish(out);
      },
      [](Napi::Env in, std::shared_ptr<const Snapshot>& snapshot) {
        return SnapshotObject::Wrap(in, std::move(snapshot));
      });
}

}  // namespace standstill
