// Fuzzing the reader of snapshot files: whatever the bytes, it answers with a status that it may
// have; and what it loads is what the file says, and a VM that can run.
#include <sys/mman.h>
#include <unistd.h>

#include "seeds.h"
#include "snapshot_mutator.h"
#include "util/prng.h"

namespace standstill::testing {
namespace {

constexpr uint64_t kStoreBytes = uint64_t{256} << 20;
// Of what is loaded, VMs are made of RAM up to this.
constexpr uint64_t kVmRamBytesMax = uint64_t{2} << 20;
constexpr uint64_t kVmSteps = 8;

// What stays from one input to the next.
struct Bench {
  Bench() {
    SS_CHECK(CreatePageStore(kStoreBytes, &store) == Status::kOk);
    base = SeedPair(store).base;
    descriptor = memfd_create("snapshot", MFD_CLOEXEC);
    SS_CHECK(descriptor >= 0);
    path = "/proc/self/fd/" + std::to_string(descriptor);
    held_bytes = UsageOf(*store).held_bytes;
  }
  void Write(const std::vector<std::byte>& bytes) const {
    SS_CHECK(ftruncate(descriptor, 0) == 0);
    SS_CHECK(pwrite(descriptor, bytes.data(), bytes.size(), 0) ==
             static_cast<ssize_t>(bytes.size()));
  }

  std::shared_ptr<PageStore> store;
  SnapshotPointer base;  // of the differential seeds
  int descriptor = -1;
  std::string path;
  uint64_t held_bytes = 0;
};
Bench& TheBench() {
  static Bench& bench = *new Bench;
  return bench;
}

void CheckDamage(const FileProblem& problem, uint64_t file_bytes) {
  SS_CHECK(!problem.what.empty());
  SS_CHECK(problem.offset <= file_bytes);
}

Status Load(const std::shared_ptr<SnapshotFile>& file, SnapshotPointer* out) {
  const Bench& bench = TheBench();
  Progress progress;
  FileProblem problem;
  std::unique_ptr<SnapshotLoader> loader;
  Status status = SnapshotLoader::Create(file, bench.store,
                                         file->differential() ? bench.base : nullptr, &loader);
  if (status != Status::kOk) return status;
  if (!file->compressed()) status = loader->ReadChunks(progress, &problem);
  for (uint64_t chunk = 0;
       status == Status::kOk && file->compressed() && chunk < file->chunk_count(); ++chunk) {
    std::vector<std::byte> stored;
    status = file->ReadChunk(chunk, &stored, &problem);
    if (status == Status::kOk && !stored.empty())
      status = loader->PutChunk(chunk, Unpack(stored), &problem);
  }
  SS_CHECK(status == Status::kOk || !problem.what.empty());
  return status == Status::kOk ? loader->Finish(out) : status;
}

// What the snapshot's id is made of, state and page CRCs, is what the file has; so is the digest.
void CheckSays(const Snapshot& snapshot, const SnapshotFile& file,
               const std::vector<std::byte>& bytes) {
  FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  const FileLayout layout(header.ram_bytes, header.state_bytes, header.data_bytes);
  const auto state = std::span(bytes).subspan(layout.state, header.state_bytes);
  const std::vector<std::byte> loaded_state = StateBytes(snapshot.state());
  SS_CHECK(std::equal(state.begin(), state.end(), loaded_state.begin(), loaded_state.end()));
  SS_CHECK(file.id() == header.id && file.base_id() == header.base_id);

  Progress progress;
  std::vector<uint64_t> crcs;
  SS_CHECK(snapshot.PageCrcs(progress, &crcs) == Status::kOk);
  SS_CHECK(std::ranges::equal(crcs, file.page_crcs()));
  SS_CHECK(std::memcmp(crcs.data(), bytes.data() + layout.page_crcs, crcs.size() * 8) == 0);
  uint64_t combined = 0;
  for (const uint64_t crc : crcs) combined = Crc64Combine(combined, crc, kPageBytes);
  uint64_t digest = 0;
  SS_CHECK(snapshot.Digest(progress, &digest) == Status::kOk);
  SS_CHECK(digest == combined);
  std::vector<std::byte> ram;
  SS_CHECK(snapshot.Read(0, header.ram_bytes, &ram) == Status::kOk);
  SS_CHECK(digest == Crc64(0, ram));
}

// Whatever the registers and the RAM: it runs, or faults as a guest does.
void CheckRuns(const Snapshot& snapshot, bool verified) {
  if (snapshot.state().ram_bytes > kVmRamBytesMax) return;
  VmConfig config{.name = "fuzz", .program = snapshot.state().program, .params = {}};
  config.page_store = TheBench().store;
  std::shared_ptr<Vm> vm;
  Progress progress;
  const Status status = Vm::Restore(config, snapshot, {}, progress, &vm);
  if (status == Status::kSnapshotDamaged && !verified) return;
  SS_CHECK(status == Status::kOk);
  CheckReport report;
  (void)vm->Check(&report);
  (void)vm->RunUntilAndWait(snapshot.state().steps + kVmSteps);
  (void)vm->Check(&report);
}

// Mapped where it lies, it says the same once it was verified; else each page that is read does, or
// is damaged. A VM runs on it either way.
void CheckMapped(const std::shared_ptr<SnapshotFile>& file, bool verified,
                 const std::vector<std::byte>& bytes) {
  if (file->image() == nullptr) return;
  FileProblem problem;
  SnapshotPointer snapshot;
  SS_CHECK(MapSnapshot(file, TheBench().store, &snapshot, &problem) == Status::kOk);
  Progress progress;
  uint64_t digest = 0;
  const Status status = snapshot->Digest(progress, &digest);
  SS_CHECK(status == Status::kOk || (status == Status::kSnapshotDamaged && !verified));
  if (status == Status::kOk) CheckSays(*snapshot, *file, bytes);
  CheckRuns(*snapshot, verified);
}

void ReadOne(const std::vector<std::byte>& bytes) {
  const Bench& bench = TheBench();
  bench.Write(bytes);
  FileProblem problem;
  std::shared_ptr<SnapshotFile> file;
  const Status opened = SnapshotFile::Open(bench.path, &file, &problem);
  if (opened != Status::kOk) {
    SS_CHECK(opened == Status::kSnapshotDamaged);
    return CheckDamage(problem, bytes.size());
  }
  SS_CHECK(file->file_bytes() == bytes.size());
  Progress progress;
  const Status verified = file->Verify(progress, &problem);
  if (verified != Status::kOk) {
    SS_CHECK(verified == Status::kSnapshotDamaged);
    CheckDamage(problem, bytes.size());
  }
  // Loading does not wait for a verification.
  CheckMapped(file, verified == Status::kOk, bytes);
  SnapshotPointer snapshot;
  const Status loaded = Load(file, &snapshot);
  if (loaded == Status::kOk) {
    CheckSays(*snapshot, *file, bytes);
    CheckRuns(*snapshot, true);
    return;
  }
  const bool may_fail = verified != Status::kOk || file->compressed() || file->differential();
  SS_CHECK(may_fail);
  SS_CHECK(loaded == Status::kSnapshotDamaged || loaded == Status::kSnapshotMismatch);
  SS_CHECK(loaded != Status::kSnapshotMismatch || file->differential());
}

}  // namespace
}  // namespace standstill::testing

using namespace standstill::testing;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  ReadOne(FileOf(std::as_bytes(std::span(data, size))));
  SS_CHECK(standstill::UsageOf(*TheBench().store).held_bytes == TheBench().held_bytes);
  return 0;
}

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t size_max);

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t size_max,
                                          unsigned seed) {
  SnapshotMutator mutator(seed, LLVMFuzzerMutate);
  const auto input = std::as_bytes(std::span(data, size));
  const std::vector<std::byte> changed = mutator.Change(input);
  if (changed.empty() || changed.size() > size_max) return LLVMFuzzerMutate(data, size, size_max);
  std::memcpy(data, changed.data(), changed.size());
  return changed.size();
}
