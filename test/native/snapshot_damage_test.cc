// Damaged and hostile snapshot files: every single byte altered, every length cut, and files whose
// checksums are right and whose numbers are not. Nothing is read past what is there, nothing wrong
// comes out as a snapshot, and damage is reported where it is.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "snapshot/page_store.h"
#include "snapshot_files.h"
#include "snapshot_image.h"

namespace standstill {
namespace {

using namespace testing;

struct Sample {
  std::string name;
  std::vector<std::byte> bytes;
  SnapshotPointer snapshot;
  SnapshotPointer base;  // of a differential one, in `store`
  std::shared_ptr<PageStore> store;
};

// Few pages, so that files are small: packed ones of some 20 KB.
std::vector<Sample> Samples() {
  const TestFolder folder;
  const auto store = MakePageStore();
  const auto vm = MakeVmOn(store, "page-writer", {.ram_bytes = kOddRamBytes, .seed = 5});
  RunTo(*vm, 2);
  const auto base = SnapshotOf(*vm);
  REQUIRE(vm->FlipBit(kOddRamBytes - 1, 3) == Status::kOk);
  REQUIRE(vm->FlipBit(100 * kPageBytes, 3) == Status::kOk);
  const auto next = SnapshotOf(*vm);
  std::vector<Sample> samples;
  const auto add = [&](const char* name, const SaveOptions& options) {
    REQUIRE(Save(next, folder / "one", options) == Status::kOk);
    samples.push_back({name, BytesOfFile(folder / "one"), next, options.base, store});
  };
  add("flat", {});
  add("compressed", {.compressed = true});
  add("differential", {.base = base});
  add("compressed differential", {.compressed = true, .base = base});
  return samples;
}

// What the file itself cannot show, the CRC of a page that lies compressed or in the base, its
// loading does. A zero page that is said to be present is no lie.
void CheckLoadsNothingElse(const Sample& sample, const std::shared_ptr<SnapshotFile>& file) {
  const Loaded loaded = Load(file, sample.store, sample.base);
  if (loaded.status == Status::kOk) {
    REQUIRE(DigestOf(*loaded.snapshot) == DigestOf(*sample.snapshot));
  } else {
    REQUIRE(
        (loaded.status == Status::kSnapshotDamaged || loaded.status == Status::kSnapshotMismatch));
  }
}

// What a file is worth: opened, verified and loaded, it gives its snapshot or says why not.
void CheckReported(const Sample& sample, const std::string& path, uint64_t* offset) {
  const Opened verified = Verify(path);
  REQUIRE(verified.status == Status::kSnapshotDamaged);
  REQUIRE_FALSE(verified.problem.what.empty());
  *offset = verified.problem.offset;
  const Opened opened = Open(path);
  if (opened.status == Status::kOk) CheckLoadsNothingElse(sample, opened.file);
}

// Where the report must point for a damaged byte: the part that holds it.
uint64_t ExpectedOffset(const SnapshotImage& image, uint64_t at) {
  const FileLayout layout = image.layout();
  const FileHeader header = image.header();
  if (at >= offsetof(FileHeader, version) && at < offsetof(FileHeader, flags))
    return offsetof(FileHeader, version);
  if (at < layout.state) return 0;
  if (at < layout.tables_end) return layout.state;
  if (at < layout.data) return at;
  if (at >= layout.trailer) return layout.trailer;
  uint64_t offset = layout.data;
  for (uint64_t chunk = 0; chunk < layout.chunks; ++chunk) {
    ChunkEntry entry;
    image.Get(layout.chunk_table + chunk * sizeof(entry), &entry);
    if ((header.flags & kPackedFile) == 0) {
      offset = layout.data + chunk * kChunkBytes;
      const bool hole = entry.stored_bytes == 0;
      if (at < offset + kChunkBytes) return hole ? at : at / kPageBytes * kPageBytes;
      continue;
    }
    if (at < offset + entry.stored_bytes)
      return (header.flags & kCompressedFile) != 0 ? offset : at / kPageBytes * kPageBytes;
    offset += entry.stored_bytes;
  }
  return layout.trailer;
}

}  // namespace

TEST_CASE("snapshot damage: every single byte that is altered is reported, where it is") {
  constexpr uint64_t kSeed = 0xF11B;
  CAPTURE(kSeed);
  Prng random{kSeed};
  const TestFolder folder;
  const std::string path = folder / "one";
  for (const Sample& sample : Samples()) {
    CAPTURE(sample.name);
    const SnapshotImage image(sample.bytes);
    const FileLayout layout = image.layout();
    WriteBytes(path, sample.bytes);
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    const auto put = [&](uint64_t at, std::byte value) {
      file.seekp(static_cast<std::streamoff>(at));
      file.put(static_cast<char>(value)).flush();
      REQUIRE(file.good());
    };
    // Of a flat file's megabyte of data a part: with a step that is prime to everything.
    const uint64_t step = sample.name == "flat" ? Rounds(509, 4999) : Rounds(1, 7);
    for (uint64_t at = 0; at < sample.bytes.size();
         at += at >= layout.data && at + step < layout.trailer ? step : 1) {
      CAPTURE(at);
      put(at, sample.bytes[at] ^ std::byte(1 << random.Below(8)));
      uint64_t offset = 0;
      CheckReported(sample, path, &offset);
      REQUIRE(offset == ExpectedOffset(image, at));
      put(at, sample.bytes[at]);
    }
    CHECK(Verify(path).status == Status::kOk);
  }
}

TEST_CASE("snapshot damage: a file cut at any length, or with anything after it, is reported") {
  const TestFolder folder;
  const std::string path = folder / "one";
  for (const Sample& sample : Samples()) {
    CAPTURE(sample.name);
    const uint64_t whole = sample.bytes.size();
    WriteBytes(path, sample.bytes);
    const uint64_t step = sample.name == "flat" ? Rounds(127, 509) : 1;
    for (uint64_t length = whole - 1;; length -= std::min(length, length < 20'000 ? 1 : step)) {
      std::filesystem::resize_file(path, length);
      const Opened opened = Open(path);
      REQUIRE(opened.status == Status::kSnapshotDamaged);
      REQUIRE(opened.problem.offset == length);
      if (length == 0) break;
    }
    for (uint64_t more = 1; more <= 100; ++more) {
      std::vector<std::byte> longer = sample.bytes;
      longer.resize(whole + more, std::byte(more % 2));
      WriteBytes(path, longer);
      const Opened opened = Open(path);
      REQUIRE(opened.status == Status::kSnapshotDamaged);
      REQUIRE(opened.problem.offset == whole);
    }
  }
}

TEST_CASE("snapshot damage: what is no snapshot file at all") {
  const TestFolder folder;
  const std::string path = folder / "one";
  CHECK(Open(path).status == Status::kFileFailed);  // none
  CHECK(Open(folder.path()).status == Status::kFileFailed);
  CHECK(Open("/dev/zero").status == Status::kFileFailed);
  REQUIRE(mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK(Open(folder / "pipe").status == Status::kFileFailed);  // and does not wait for a writer
  for (const size_t length : {0, 1, 4095, 4096, 100'000}) {
    WriteBytes(path, std::vector<std::byte>(length));
    CHECK(Open(path).status == Status::kSnapshotDamaged);
  }
}

// ── With checksums that are right ─────────────────────────────────────────────────────────────

TEST_CASE("snapshot damage: no number in a header is believed because its checksum is right") {
  const TestFolder folder;
  const std::string path = folder / "one";
  const std::vector<uint64_t> numbers = {0,
                                         1,
                                         7,
                                         kPageBytes - 1,
                                         kPageBytes,
                                         kStateBytesMax,
                                         kStateBytesMax + 1,
                                         kRamBytesMin - 1,
                                         kRamBytesMin,
                                         kOddRamBytes + kPageBytes,
                                         kOddRamBytes + 1,
                                         kRamBytesMax,
                                         kRamBytesMax + kPageBytes,
                                         kRamBytesMax + kRamBytesMax / 64,
                                         uint64_t{1} << 40,
                                         uint64_t{1} << 52,
                                         uint64_t{1} << 63,
                                         ~uint64_t{0} - kPageBytes + 1,
                                         ~uint64_t{0}};
  for (const Sample& sample : Samples()) {
    CAPTURE(sample.name);
    const FileHeader good = SnapshotImage(sample.bytes).header();
    const auto check = [&](const FileHeader& header) {
      SnapshotImage image(sample.bytes);
      image.SetHeader(header);
      image.Seal(false);
      WriteBytes(path, image.bytes());
      const Opened opened = Open(path);
      // The compressed forms and the others have one layout.
      if (opened.status == Status::kOk && header.flags != good.flags) {
        CheckLoadsNothingElse(sample, opened.file);
      } else {
        REQUIRE(opened.status == Status::kSnapshotDamaged);
      }
    };
    for (uint64_t FileHeader::*const field :
         {&FileHeader::ram_bytes, &FileHeader::state_bytes, &FileHeader::data_bytes}) {
      for (const uint64_t number : numbers) {
        CAPTURE(number);
        FileHeader header = good;
        header.*field = number;
        if (number != good.*field) check(header);
      }
    }
    for (uint32_t flags = 0; flags < 64; ++flags) {
      CAPTURE(flags);
      FileHeader header = good;
      header.flags = flags;
      if (flags != good.flags) check(header);
    }
    for (const uint32_t version : {0u, 2u, ~0u}) {
      FileHeader header = good;
      header.version = version;
      check(header);
    }
  }
}

TEST_CASE("snapshot damage: no entry of a table is believed because its checksum is right") {
  const TestFolder folder;
  const std::string path = folder / "one";
  for (const Sample& sample : Samples()) {
    CAPTURE(sample.name);
    const SnapshotImage good(sample.bytes);
    const FileLayout layout = good.layout();
    const auto check = [&](uint64_t offset, uint64_t value) {
      CAPTURE(offset);
      CAPTURE(value);
      SnapshotImage image(sample.bytes);
      uint64_t before = 0;
      image.Get(offset, &before);
      if (before == value) return;
      image.Put(offset, value);
      image.Seal(false);
      WriteBytes(path, image.bytes());
      const Opened verified = Verify(path);
      if (verified.status != Status::kOk) {
        REQUIRE(verified.status == Status::kSnapshotDamaged);
        return;
      }
      CheckLoadsNothingElse(sample, verified.file);
    };
    for (uint64_t chunk = 0; chunk < layout.chunks; ++chunk) {
      const uint64_t entry = layout.chunk_table + chunk * sizeof(ChunkEntry);
      for (const uint64_t value :
           {uint64_t{0}, uint64_t{1}, kPageBytes, kChunkBytes, kStoredChunkBytesMax,
            kStoredChunkBytesMax + 1, uint64_t{1} << 32, uint64_t{1} << 63, ~uint64_t{0}}) {
        check(entry, value);
        check(entry + sizeof(uint64_t), value);
      }
      for (const uint64_t word : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 63, ~uint64_t{0}})
        check(layout.presence + chunk * sizeof(uint64_t), word);
    }
    for (uint64_t page = 0; page < layout.pages; ++page)
      check(layout.page_crcs + page * sizeof(uint64_t), 0x1234);
  }
}

// A hole's bytes were once believed to be what the trailer's CRC said, and loaded as zeroes.
TEST_CASE(
    "snapshot damage: bytes in a hole are found even with a trailer that is right about them") {
  const TestFolder folder;
  const std::string path = folder / "one";
  for (const Sample& sample : Samples()) {
    SnapshotImage image(sample.bytes);
    const FileLayout layout = image.layout();
    const uint64_t at = sample.name == "flat" ? layout.data + 2 * kChunkBytes + 5 : layout.data - 1;
    image.Put(at, std::byte{1});
    image.Seal(true);
    WriteBytes(path, image.bytes());
    CHECK(Verify(path).status == Status::kSnapshotDamaged);
  }
}

// A choice that was no whole number was once taken, and so were clocks whose difference overflows.
TEST_CASE("snapshot damage: no state is believed because its checksum is right") {
  const TestFolder folder;
  const std::string path = folder / "one";
  const Sample sample = Samples()[2];
  const SnapshotImage good(sample.bytes);
  const FileLayout layout = good.layout();
  const uint64_t state_bytes = good.header().state_bytes;
  for (uint64_t at = 0; at < state_bytes; ++at) {
    for (const uint8_t value : {0x00, 0x01, 0x7F, 0x80, 0xFF}) {
      CAPTURE(at);
      CAPTURE(value);
      SnapshotImage image(sample.bytes);
      image.Put(layout.state + at, value);
      image.Seal(false);
      WriteBytes(path, image.bytes());
      const Opened opened = Open(path);
      if (opened.status != Status::kOk) {
        REQUIRE(opened.status == Status::kSnapshotDamaged);
        continue;
      }
      // A value of another machine that this engine could run.
      const MachineState& state = opened.file->state();
      REQUIRE(FindProgram(state.program->name) == state.program);
      REQUIRE(state.registers.size() == state.program->register_bytes);
      for (const int64_t clock_ns : {state.guest_monotonic_ns, state.guest_wall_ns}) {
        REQUIRE(clock_ns >= 0);
        REQUIRE(clock_ns <= int64_t{1} << 62);
      }
      for (size_t i = 0; i < state.program->params.size(); ++i) {
        REQUIRE(ParamFits(state.program->params[i], state.params[i]));
      }
    }
  }
}

// With some, a check of the chain was once without end.
TEST_CASE("snapshot damage: registers of any value are refused, or those of a guest that runs") {
  const TestFolder folder;
  const std::string path = folder / "one";
  const auto store = MakePageStore();
  for (const Program* program : Programs()) {
    const auto vm = MakeVmOn(store, program->name, OptionsFor(*program, 3));
    RunTo(*vm, 20);
    REQUIRE(Save(SnapshotOf(*vm), path, {.compressed = true}) == Status::kOk);
    const SnapshotImage good(BytesOfFile(path));
    const uint64_t end = good.layout().state + good.header().state_bytes;
    for (uint64_t at = end - program->register_bytes; at < end; at += sizeof(uint64_t)) {
      for (const uint64_t value :
           {uint64_t{0}, uint64_t{1} << 40, uint64_t{1} << 63, ~uint64_t{0}}) {
        CAPTURE(program->name);
        CAPTURE(end - at);
        CAPTURE(value);
        SnapshotImage image = good;
        image.Put(at, value);
        image.Seal(false);
        WriteBytes(path, image.bytes());
        const Opened opened = Open(path);
        if (opened.status != Status::kOk) {
          REQUIRE(opened.status == Status::kSnapshotDamaged);
          continue;
        }
        const Loaded loaded = Load(opened.file, store);
        REQUIRE(loaded.status == Status::kOk);
        Progress progress;
        std::shared_ptr<Vm> restored;
        REQUIRE(Vm::Restore(vm->config(), *loaded.snapshot, {}, progress, &restored) ==
                Status::kOk);
        CheckReport report;
        REQUIRE(restored->Check(&report) == Status::kOk);
        const Status ran = restored->RunUntilAndWait(loaded.snapshot->state().steps + 8);
        REQUIRE((ran == Status::kOk || ran == Status::kFaulted));
      }
    }
  }
}

TEST_CASE("snapshot damage: several things altered at once, sealed: nothing wrong comes out") {
  constexpr uint64_t kSeed = 0x5EA1ED;
  CAPTURE(kSeed);
  Prng random{kSeed};
  const TestFolder folder;
  const std::string path = folder / "one";
  const std::vector<Sample> samples = Samples();
  int loaded_count = 0;
  for (int i = 0; i < Rounds(4000, 1000); ++i) {
    CAPTURE(i);
    const Sample& sample = samples[random.Below(3) + 1];
    SnapshotImage image(sample.bytes);
    const uint64_t tables_end = image.layout().tables_end;
    for (uint64_t left = 1 + random.Below(4); left > 0; --left) {
      const uint64_t end = random.Below(3) == 0 ? image.bytes().size() : tables_end;
      const uint64_t at = random.Below(3) == 0 ? random.Below(64) : random.Below(end);
      image.bytes()[at] = static_cast<std::byte>(random.Next() >> random.Below(64));
    }
    image.Seal(random.Below(2) == 0);
    WriteBytes(path, image.bytes());
    const Opened verified = Verify(path);
    if (verified.status != Status::kOk) {
      REQUIRE(verified.status == Status::kSnapshotDamaged);
      continue;
    }
    const Loaded loaded = Load(verified.file, sample.store, sample.base);
    if (loaded.status != Status::kOk) continue;
    ++loaded_count;
    Progress progress;
    std::vector<uint64_t> crcs;
    REQUIRE(loaded.snapshot->PageCrcs(progress, &crcs) == Status::kOk);
    REQUIRE(std::ranges::equal(crcs, verified.file->page_crcs()));
  }
  CHECK(loaded_count > 0);
}

}  // namespace standstill
