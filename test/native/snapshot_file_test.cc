// Snapshot files: what is loaded is what was saved, bit for bit, in every form; and a file costs
// the pages that are not zero.
#include "standstill/snapshot_file.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include "snapshot/page_store.h"
#include "snapshot_files.h"
#include "snapshot_image.h"

namespace standstill {
namespace {

using namespace testing;

void CheckSame(const Snapshot& a, const Snapshot& b) {
  CHECK(RamOf(a) == RamOf(b));
  CHECK(DigestOf(a) == DigestOf(b));
  CHECK(StateBytes(a.state()) == StateBytes(b.state()));
  CHECK(a.state().vm_name == b.state().vm_name);
  CHECK(a.state().taken_wall_ns == b.state().taken_wall_ns);
  CHECK(a.state().program == b.state().program);
  CHECK(a.state().params == b.state().params);
  CHECK(a.state().seed == b.state().seed);
  CHECK(a.state().steps == b.state().steps);
  CHECK(a.state().registers == b.state().registers);
  CHECK(a.state().guest_monotonic_ns == b.state().guest_monotonic_ns);
  CHECK(a.state().guest_wall_ns == b.state().guest_wall_ns);
}
SnapshotId IdOf(uint8_t fill) {
  SnapshotId id;
  id.fill(fill);
  return id;
}
uint64_t BytesOnDisk(const std::string& path) {
  struct stat about {};
  REQUIRE(stat(path.c_str(), &about) == 0);
  return static_cast<uint64_t>(about.st_blocks) * 512;
}
uint64_t HeldPages(PageStore& store) {
  return UsageOf(store).held_bytes / kPageBytes;
}

}  // namespace

TEST_CASE("snapshot file: every program's snapshot comes back, flat and compressed") {
  const TestFolder folder;
  for (const Program* program : Programs()) {
    for (const bool compressed : {false, true}) {
      CAPTURE(program->name);
      CAPTURE(compressed);
      const auto store = MakePageStore();
      GuestOptions options = OptionsFor(*program, 3);
      options.ram_bytes = kOddRamBytes;
      const auto vm = MakeVmOn(store, program->name, options);
      RunTo(*vm, StepsFor(*program, 20'000));
      const auto snapshot = SnapshotOf(*vm);
      const std::string path = folder / "one.snap";
      REQUIRE(Save(snapshot, path, {.compressed = compressed, .id = IdOf(7)}) == Status::kOk);

      const auto other = MakePageStore();
      const auto file = Open(path).file;
      REQUIRE(file != nullptr);
      CHECK(file->id() == IdOf(7));
      CHECK(file->base_id() == SnapshotId{});
      CHECK(file->flat() == !compressed);
      CHECK(file->compressed() == compressed);
      CHECK_FALSE(file->differential());
      CHECK(file->file_bytes() == std::filesystem::file_size(path));
      const auto loaded = LoadWhole(path, other);
      CheckSame(*loaded, *snapshot);
      CHECK(file->present_pages() == HeldPages(*other));
      CHECK(file->digest() == DigestOf(*snapshot));
      CHECK(folder.names() == std::vector<std::string>{"one.snap"});
    }
  }
}

TEST_CASE("snapshot file: a flat one holds the RAM as it lies, and an export is nothing else") {
  const TestFolder folder;
  const auto vm = MakeVm("kv-store", {.ram_bytes = kOddRamBytes, .seed = 4});
  RunTo(*vm, 5000);
  const auto snapshot = SnapshotOf(*vm);
  const std::vector<std::byte> ram = RamOf(*snapshot);
  REQUIRE(Save(snapshot, folder / "flat.snap") == Status::kOk);
  SnapshotImage image(BytesOfFile(folder / "flat.snap"));
  const auto data = image.bytes().begin() + static_cast<std::ptrdiff_t>(image.layout().data);
  CHECK(std::equal(ram.begin(), ram.end(), data));

  for (const std::string prefix : {"", "a header of some length"}) {
    Progress progress;
    FileProblem problem;
    const auto first = std::as_bytes(std::span(prefix));
    REQUIRE(ExportFlat(*snapshot, folder / "flat.raw", first, progress, &problem) == Status::kOk);
    std::vector<std::byte> expected(first.begin(), first.end());
    expected.insert(expected.end(), ram.begin(), ram.end());
    CHECK(BytesOfFile(folder / "flat.raw") == expected);
  }
}

TEST_CASE("snapshot file: pages of zeroes take no room on disk") {
  const TestFolder folder;
  const auto vm = MakeVm("page-writer", {.ram_bytes = 16 * kRamBytesMin});
  RunTo(*vm, 3);
  const auto snapshot = SnapshotOf(*vm);
  Progress progress;
  FileProblem problem;
  REQUIRE(Save(snapshot, folder / "flat.snap") == Status::kOk);
  REQUIRE(ExportFlat(*snapshot, folder / "flat.raw", {}, progress, &problem) == Status::kOk);
  for (const char* name : {"flat.snap", "flat.raw"}) {
    CAPTURE(name);
    CHECK(std::filesystem::file_size(folder / name) >= 16 * kRamBytesMin);
    CHECK(BytesOnDisk(folder / name) <= 64 * kPageBytes);
  }
  CHECK(Open(folder / "flat.snap").file->present_pages() <= 3);
}

// A page that the guest itself handed over is kept unseen; it was once written out though zero.
TEST_CASE("snapshot file: a zero page that a live snapshot kept takes no room either") {
  const TestFolder folder;
  const auto vm = StartVm("page-writer", {.ram_bytes = 16 * kRamBytesMin});
  const auto live = SnapshotOf(*vm, true);
  REQUIRE(Save(live, folder / "live.snap") == Status::kOk);
  const auto ram = RamOf(*live);
  uint64_t pages = 0;
  for (uint64_t at = 0; at < ram.size(); at += kPageBytes) {
    const auto page = std::span(ram).subspan(at, kPageBytes);
    if (std::any_of(page.begin(), page.end(), [](std::byte b) { return b != std::byte{0}; }))
      ++pages;
  }
  CHECK(Open(folder / "live.snap").file->present_pages() == pages);
  CheckSame(*LoadWhole(folder / "live.snap", MakePageStore()), *live);
}

TEST_CASE(
    "snapshot file: a differential one holds what changed, and comes back on its base alone") {
  const TestFolder folder;
  for (const bool compressed : {false, true}) {
    CAPTURE(compressed);
    const auto vm = MakeVm("page-writer", {.ram_bytes = kOddRamBytes, .seed = 8});
    RunTo(*vm, 4000);
    const auto base = SnapshotOf(*vm);
    RunTo(*vm, 4010);
    REQUIRE(vm->FlipBit(kOddRamBytes - 1, 3) == Status::kOk);  // in the chunk that is not whole
    const auto next = SnapshotOf(*vm);
    REQUIRE(Save(base, folder / "base.snap") == Status::kOk);
    REQUIRE(Save(next, folder / "next.snap",
                 {.compressed = compressed, .id = IdOf(2), .base = base, .base_id = IdOf(1)}) ==
            Status::kOk);
    const auto file = Verify(folder / "next.snap").file;
    REQUIRE(file != nullptr);
    CHECK(file->differential());
    CHECK(file->base_id() == IdOf(1));
    CHECK(file->present_pages() <= 11);

    const auto store = MakePageStore();
    const auto loaded_base = LoadWhole(folder / "base.snap", store);
    const uint64_t held = HeldPages(*store);
    const auto loaded = LoadWhole(folder / "next.snap", store, loaded_base);
    CheckSame(*loaded, *next);
    CHECK(HeldPages(*store) == held + file->present_pages());

    CHECK(Load(file, store).status == Status::kSnapshotMismatch);  // none
    CHECK(Load(file, MakePageStore(), loaded_base).status == Status::kSnapshotMismatch);
    const auto vm_of_other_size = MakeVmOn(store, "page-writer", {.ram_bytes = kRamBytesMin});
    CHECK(Load(file, store, SnapshotOf(*vm_of_other_size)).status == Status::kSnapshotMismatch);
    const auto wrong = MakeVmOn(store, "page-writer", {.ram_bytes = kOddRamBytes, .seed = 8});
    RunTo(*wrong, 3000);
    CHECK(Load(file, store, SnapshotOf(*wrong)).status == Status::kSnapshotMismatch);
    CHECK(Save(next, folder / "x.snap", {.base = SnapshotOf(*vm_of_other_size)}) ==
          Status::kSnapshotMismatch);
  }
}

TEST_CASE("snapshot file: of nothing but zeroes, and a difference of nothing") {
  const TestFolder folder;
  const auto vm = MakeVm("page-writer", {.ram_bytes = kOddRamBytes});
  const auto zero = SnapshotOf(*vm);
  for (const bool compressed : {false, true}) {
    REQUIRE(Save(zero, folder / "zero.snap", {.compressed = compressed}) == Status::kOk);
    CHECK(Open(folder / "zero.snap").file->present_pages() == 0);
    const auto store = MakePageStore();
    const auto loaded = LoadWhole(folder / "zero.snap", store);
    CheckSame(*loaded, *zero);
    CHECK(HeldPages(*store) == 0);
    REQUIRE(Save(zero, folder / "none.snap", {.compressed = compressed, .base = zero}) ==
            Status::kOk);
    CheckSame(*LoadWhole(folder / "none.snap", store, loaded), *zero);
  }
}

TEST_CASE("snapshot file: replaces the one of its name, and keeps a name of any length within 64") {
  const TestFolder folder;
  const auto vm = MakeVm("queue");
  const std::string path = folder / "one.snap";
  REQUIRE(Save(SnapshotOf(*vm), path) == Status::kOk);
  RunTo(*vm, 1000);
  const auto snapshot = SnapshotOf(*vm);
  REQUIRE(Save(snapshot, path) == Status::kOk);
  CheckSame(*LoadWhole(path, MakePageStore()), *snapshot);
  for (const size_t length : {0, 1, 63, 64}) {
    MachineState state = snapshot->state();
    state.vm_name.assign(length, 'n');
    const auto named = std::make_shared<const Snapshot>(state, snapshot->table());
    REQUIRE(Save(named, path) == Status::kOk);
    CHECK(Open(path).file->state().vm_name == state.vm_name);
  }
}

TEST_CASE("snapshot file: no room for it under the cap leaves the store as it was") {
  const TestFolder folder;
  const auto vm = MakeVm("page-writer", {.ram_bytes = 4 * kRamBytesMin});
  RunTo(*vm, 20'000);
  REQUIRE(Save(SnapshotOf(*vm), folder / "one.snap") == Status::kOk);
  const auto store = MakePageStore(kSnapshotLimitBytesMin);
  CHECK(Load(Open(folder / "one.snap").file, store).status == Status::kSnapshotLimit);
  CHECK(HeldPages(*store) == 0);
}

TEST_CASE("snapshot file: cancelled, it leaves neither a file nor pages") {
  const TestFolder folder;
  const auto vm = MakeVm("page-writer", {.ram_bytes = 4 * kRamBytesMin});
  RunTo(*vm, 20'000);
  const auto snapshot = SnapshotOf(*vm);
  (void)DigestOf(*snapshot);
  REQUIRE(Save(snapshot, folder / "one.snap") == Status::kOk);
  Progress cancelled;
  cancelled.Cancel();
  FileProblem problem;
  std::unique_ptr<SnapshotWriter> writer;
  CHECK(SnapshotWriter::Create(folder / "two.snap", snapshot, {}, cancelled, &writer, &problem) ==
        Status::kCancelled);
  Progress progress;
  REQUIRE(SnapshotWriter::Create(folder / "two.snap", snapshot, {}, progress, &writer, &problem) ==
          Status::kOk);
  CHECK(writer->WriteChunks(cancelled, &problem) == Status::kCancelled);
  CHECK(writer->Commit(&problem) == Status::kInvalidArgument);
  writer.reset();
  CHECK(ExportFlat(*snapshot, folder / "two.raw", {}, cancelled, &problem) == Status::kCancelled);
  CHECK(folder.names() == std::vector<std::string>{"one.snap"});

  const auto file = Open(folder / "one.snap").file;
  CHECK(file->Verify(cancelled, &problem) == Status::kCancelled);
  const auto store = MakePageStore();
  std::unique_ptr<SnapshotLoader> loader;
  REQUIRE(SnapshotLoader::Create(file, store, nullptr, &loader) == Status::kOk);
  CHECK(loader->ReadChunks(cancelled, &problem) == Status::kCancelled);
  SnapshotPointer out;
  CHECK(loader->Finish(&out) == Status::kInvalidArgument);
  loader.reset();
  CHECK(HeldPages(*store) == 0);
}

TEST_CASE("snapshot file: a compressor that misbehaves is refused, not believed") {
  const TestFolder folder;
  const auto vm = MakeVm("page-writer", {.ram_bytes = kOddRamBytes});
  RunTo(*vm, 4000);
  const auto snapshot = SnapshotOf(*vm);
  Progress progress;
  FileProblem problem;
  std::unique_ptr<SnapshotWriter> writer;
  REQUIRE(SnapshotWriter::Create(folder / "one.snap", snapshot, {.compressed = true}, progress,
                                 &writer, &problem) == Status::kOk);
  const std::vector<std::byte> some(100);
  CHECK(writer->PutChunk(0, {}, &problem) == Status::kInvalidArgument);
  CHECK(writer->PutChunk(0, std::vector<std::byte>(kStoredChunkBytesMax + 1), &problem) ==
        Status::kInvalidArgument);
  CHECK(writer->PutChunk(1, some, &problem) == Status::kOk);
  CHECK(writer->PutChunk(1, some, &problem) == Status::kInvalidArgument);
  CHECK(writer->PutChunk(0, some, &problem) == Status::kInvalidArgument);
  CHECK(writer->Commit(&problem) == Status::kInvalidArgument);
  writer.reset();
  CHECK(folder.names().empty());

  REQUIRE(Save(snapshot, folder / "one.snap", {.compressed = true}) == Status::kOk);
  const auto file = Open(folder / "one.snap").file;
  const auto store = MakePageStore();
  std::unique_ptr<SnapshotLoader> loader;
  REQUIRE(SnapshotLoader::Create(file, store, nullptr, &loader) == Status::kOk);
  std::vector<std::byte> stored;
  REQUIRE(file->ReadChunk(0, &stored, &problem) == Status::kOk);
  std::vector<std::byte> pages = Unpack(stored);
  CHECK(loader->PutChunk(0, pages, &problem) == Status::kOk);
  CHECK(loader->PutChunk(0, pages, &problem) == Status::kInvalidArgument);
  REQUIRE(file->ReadChunk(1, &stored, &problem) == Status::kOk);
  pages = Unpack(stored);
  pages.push_back(std::byte{0});
  CHECK(loader->PutChunk(1, pages, &problem) == Status::kSnapshotDamaged);
  SnapshotPointer out;
  CHECK(loader->Finish(&out) == Status::kInvalidArgument);
  loader.reset();
  CHECK(HeldPages(*store) == 0);
}

}  // namespace standstill
