// What the tests of snapshot files share: a folder of their own, small snapshots, and saving and
// loading in one call each, with a compressor of the tests.
//
// Threads: one.
#pragma once

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "run_packer.h"
#include "standstill/snapshot_file.h"
#include "support.h"

namespace standstill::testing {

// Hidden ones too.
inline std::vector<std::string> NamesIn(const std::string& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

class TestFolder {
 public:
  TestFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "standstill-test-XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TestFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  std::vector<std::string> names() const { return NamesIn(path_); }

 private:
  std::string path_;
};

inline std::vector<std::byte> BytesOfFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}
inline void WriteBytes(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
  REQUIRE(file.good());
}

// ── Saving and loading ────────────────────────────────────────────────────────────────────────
inline Status Save(const SnapshotPointer& snapshot, const std::string& path,
                   const SaveOptions& options = {}, FileProblem* problem = nullptr) {
  Progress progress;
  FileProblem unread;
  if (problem == nullptr) problem = &unread;
  std::unique_ptr<SnapshotWriter> writer;
  Status status = SnapshotWriter::Create(path, snapshot, options, progress, &writer, problem);
  if (status == Status::kOk && !options.compressed) status = writer->WriteChunks(progress, problem);
  for (uint64_t chunk = 0;
       status == Status::kOk && options.compressed && chunk < writer->chunk_count(); ++chunk) {
    std::vector<std::byte> pages;
    CHECK(writer->ChunkPages(chunk, &pages) == Status::kOk);
    if (!pages.empty()) status = writer->PutChunk(chunk, Pack(pages), problem);
  }
  return status == Status::kOk ? writer->Commit(problem) : status;
}

inline std::shared_ptr<PageStore> MakePageStore(uint64_t limit_bytes = uint64_t{64} << 20) {
  std::shared_ptr<PageStore> store;
  REQUIRE(CreatePageStore(limit_bytes, &store) == Status::kOk);
  return store;
}

struct Opened {
  Status status = Status::kOk;
  FileProblem problem;
  std::shared_ptr<SnapshotFile> file;
};
inline Opened Open(const std::string& path) {
  Opened opened;
  opened.status = SnapshotFile::Open(path, &opened.file, &opened.problem);
  return opened;
}
// Opens and reads every byte.
inline Opened Verify(const std::string& path) {
  Opened opened = Open(path);
  Progress progress;
  if (opened.status == Status::kOk) opened.status = opened.file->Verify(progress, &opened.problem);
  return opened;
}

struct Loaded {
  Status status = Status::kOk;
  FileProblem problem;
  SnapshotPointer snapshot;
};
inline Loaded Load(const std::shared_ptr<SnapshotFile>& file,
                   const std::shared_ptr<PageStore>& store, const SnapshotPointer& base = nullptr) {
  Loaded loaded;
  std::unique_ptr<SnapshotLoader> loader;
  loaded.status = SnapshotLoader::Create(file, store, base, &loader);
  if (loaded.status != Status::kOk) return loaded;
  if (!file->compressed()) {
    Progress progress;
    loaded.status = loader->ReadChunks(progress, &loaded.problem);
  }
  for (uint64_t chunk = 0;
       loaded.status == Status::kOk && file->compressed() && chunk < file->chunk_count(); ++chunk) {
    std::vector<std::byte> stored;
    loaded.status = file->ReadChunk(chunk, &stored, &loaded.problem);
    if (loaded.status == Status::kOk && !stored.empty())
      loaded.status = loader->PutChunk(chunk, Unpack(stored), &loaded.problem);
  }
  if (loaded.status == Status::kOk) loaded.status = loader->Finish(&loaded.snapshot);
  return loaded;
}
inline SnapshotPointer LoadWhole(const std::string& path, const std::shared_ptr<PageStore>& store,
                                 const SnapshotPointer& base = nullptr) {
  const Opened opened = Verify(path);
  INFO(opened.problem.what);
  REQUIRE(opened.status == Status::kOk);
  const Loaded loaded = Load(opened.file, store, base);
  INFO(loaded.problem.what);
  REQUIRE(loaded.status == Status::kOk);
  return loaded.snapshot;
}

// ── Snapshots ─────────────────────────────────────────────────────────────────────────────────
// A RAM whose last chunk is not a whole one.
inline constexpr uint64_t kOddRamBytes = kRamBytesMin + 3 * kPageBytes;

inline std::shared_ptr<Vm> MakeVmOn(const std::shared_ptr<PageStore>& store,
                                    std::string_view program, const GuestOptions& options = {}) {
  VmConfig config = ConfigOf(*FindProgram(program), options);
  config.page_store = store;
  std::shared_ptr<Vm> vm;
  REQUIRE(Vm::Create(config, &vm) == Status::kOk);
  return vm;
}

// Two snapshots of one VM, the later to be saved over the earlier.
struct SnapshotPair {
  SnapshotPair() : store(MakePageStore()) {
    const auto vm = MakeVmOn(store, "page-writer", {.ram_bytes = kOddRamBytes, .seed = 5});
    RunTo(*vm, 30);
    older = SnapshotOf(*vm);
    RunTo(*vm, 60);
    newer = SnapshotOf(*vm);
  }
  // As another process has saved them, neither on the other.
  SnapshotPair(const std::string& older_path, const std::string& newer_path)
      : store(MakePageStore()),
        older(LoadWhole(older_path, store)),
        newer(LoadWhole(newer_path, store)) {}
  // Every form in which the later one can be saved.
  std::vector<SaveOptions> forms() const {
    return {{}, {.compressed = true}, {.base = older}, {.compressed = true, .base = older}};
  }
  // Which of the two the file holds, whole. Null: neither.
  SnapshotPointer Find(const std::string& path) const {
    const auto file = Open(path).file;
    REQUIRE(file != nullptr);
    const auto loaded = LoadWhole(path, store, file->differential() ? older : nullptr);
    for (const SnapshotPointer& each : {older, newer}) {
      if (DigestOf(*loaded) == DigestOf(*each) &&
          StateBytes(loaded->state()) == StateBytes(each->state()))
        return each;
    }
    return nullptr;
  }

  std::shared_ptr<PageStore> store;
  SnapshotPointer older;
  SnapshotPointer newer;
};

}  // namespace standstill::testing
