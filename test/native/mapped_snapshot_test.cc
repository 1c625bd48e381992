// Snapshots whose pages stay in their file, and VMs that run on a mapping of it: equal to those
// that were loaded; and whatever becomes of the file, found out, and no end of the process.
#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <csignal>

#include "snapshot/page_table.h"
#include "snapshot_files.h"
#include "snapshot_image.h"
#include "standstill/deferred_proof.h"
#include "standstill/freeze.h"

namespace standstill {
namespace {

using namespace testing;

Loaded TryMap(const std::string& path, const std::shared_ptr<PageStore>& store) {
  Loaded mapped;
  const Opened opened = Open(path);
  mapped.status = opened.status;
  mapped.problem = opened.problem;
  if (opened.status == Status::kOk)
    mapped.status = MapSnapshot(opened.file, store, &mapped.snapshot, &mapped.problem);
  return mapped;
}
SnapshotPointer Map(const std::string& path, const std::shared_ptr<PageStore>& store) {
  const Loaded mapped = TryMap(path, store);
  INFO(mapped.problem.what);
  REQUIRE(mapped.status == Status::kOk);
  return mapped.snapshot;
}

Status TryRestore(const Snapshot& snapshot, const std::shared_ptr<PageStore>& store,
                  std::shared_ptr<Vm>* out, bool clone = false, bool prefault = false) {
  Progress progress;
  return Vm::Restore({.name = "restored", .prefault = prefault, .page_store = store}, snapshot,
                     {.clone = clone}, progress, out);
}
std::shared_ptr<Vm> Restored(const Snapshot& snapshot, const std::shared_ptr<PageStore>& store,
                             bool clone = false, bool prefault = false) {
  std::shared_ptr<Vm> vm;
  REQUIRE(TryRestore(snapshot, store, &vm, clone, prefault) == Status::kOk);
  return vm;
}

Status DigestStatus(Vm& vm) {
  DigestResult unread;
  return vm.Digest({}, &unread);
}
Status DigestStatus(const Snapshot& snapshot) {
  Progress progress;
  uint64_t unread;
  return snapshot.Digest(progress, &unread);
}

uint64_t DataOffset(const std::string& path) {
  return SnapshotImage(BytesOfFile(path)).layout().data;
}
void Overwrite(const std::string& path, uint64_t at, std::byte value) {
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(at));
  file.put(static_cast<char>(value)).flush();
  REQUIRE(file.good());
}

// A saved VM whose RAM has been written all over.
struct Saved {
  explicit Saved(std::string_view program = "page-writer", uint64_t steps = 3000,
                 uint64_t ram_bytes = kOddRamBytes)
      : path(folder / "a.snap"), store(MakePageStore()) {
    const auto vm = MakeVmOn(store, program, {.ram_bytes = ram_bytes, .seed = 5});
    RunTo(*vm, steps);
    snapshot = SnapshotOf(*vm);
    REQUIRE(Save(snapshot, path) == Status::kOk);
  }
  const TestFolder folder;
  const std::string path;
  std::shared_ptr<PageStore> store;
  SnapshotPointer snapshot;
};

// The file is not what it was, in one way or another.
struct Hazard {
  const char* name;
  void (*strike)(const std::string& path);
};
void CutToHeader(const std::string& path) {
  std::filesystem::resize_file(path, kPageBytes);
}
void CutToNothing(const std::string& path) {
  std::filesystem::resize_file(path, 0);
}
void Rewrite(const std::string& path) {
  std::vector<std::byte> bytes = BytesOfFile(path);
  for (uint64_t at = bytes.size() / 2; at < bytes.size(); ++at) bytes[at] ^= std::byte{0x55};
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);  // in place, and of the same length
  REQUIRE(pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  close(file);
}
void Append(const std::string& path) {
  std::ofstream(path, std::ios::binary | std::ios::app) << "x";
}
constexpr Hazard kHazards[] = {{"cut to its header", CutToHeader},
                               {"cut to nothing", CutToNothing},
                               {"rewritten in place", Rewrite},
                               {"longer", Append}};

}  // namespace

TEST_CASE("mapped: of every program a copy and a clone go on as the VM itself would have") {
  for (const Program* program : Programs()) {
    CAPTURE(program->name);
    const GuestOptions options = OptionsFor(*program, 5);
    const uint64_t half = StepsFor(*program, 20'000);
    const TestFolder folder;
    const auto store = MakePageStore();
    {
      const auto vm = MakeVmOn(store, program->name, options);
      RunTo(*vm, half);
      REQUIRE(Save(SnapshotOf(*vm), folder / "one") == Status::kOk);
    }
    const Moment then = MomentOf(*TwinAt(*program, options, half));
    const Moment later = MomentOf(*TwinAt(*program, options, 2 * half));
    REQUIRE(UsageOf(*store).held_bytes == 0);
    const SnapshotPointer snapshot = Map(folder / "one", store);
    CHECK(DigestOf(*snapshot) == then.digest);
    for (const bool clone : {false, true}) {
      CAPTURE(clone);
      const auto vm = Restored(*snapshot, store, clone);
      CHECK(vm->state() == VmState::kPaused);
      CHECK(StepsOf(*vm) == half);
      CHECK(MomentOf(*vm) == then);
      CHECK(InvariantsHold(*vm));
      RunTo(*vm, 2 * half);
      CHECK(MomentOf(*vm) == later);
      CHECK(InvariantsHold(*vm));
    }
    CHECK(UsageOf(*store).held_bytes == 0);
    CHECK(DigestOf(*snapshot) == then.digest);  // what VMs write, the file does not see
    CHECK(Verify(folder / "one").status == Status::kOk);
  }
}

TEST_CASE("mapped: it reads, differs, saves and exports as the snapshot that was saved") {
  const Saved saved;
  const SnapshotPointer mapped = Map(saved.path, saved.store);
  CHECK(RamOf(*mapped) == RamOf(*saved.snapshot));
  CHECK(DigestOf(*mapped) == DigestOf(*saved.snapshot));
  const SnapshotUsage usage = mapped->Usage();
  CHECK(usage.file_pages == saved.snapshot->Usage().private_pages);
  CHECK(usage.zero_pages == saved.snapshot->Usage().zero_pages);
  CHECK(usage.private_pages + usage.shared_pages + usage.image_pages == 0);

  Progress progress;
  std::vector<PageRange> ranges;
  REQUIRE(mapped->Diff(*saved.snapshot, progress, &ranges) == Status::kOk);
  CHECK(ranges.empty());
  REQUIRE(saved.snapshot->Diff(*mapped, progress, &ranges) == Status::kOk);
  CHECK(ranges.empty());
  const Opened file = Open(saved.path);
  std::vector<uint64_t> crcs;
  REQUIRE(mapped->PageCrcs(progress, &crcs) == Status::kOk);
  CHECK(std::ranges::equal(crcs, file.file->page_crcs()));

  // In every form; and over its own file, which the mapping keeps.
  const std::vector<std::byte> bytes = BytesOfFile(saved.path);
  for (const SaveOptions& options :
       {SaveOptions{.compressed = true}, SaveOptions{.base = saved.snapshot}}) {
    REQUIRE(Save(mapped, saved.folder / "other", options) == Status::kOk);
    CHECK(RamOf(*LoadWhole(saved.folder / "other", saved.store, options.base)) == RamOf(*mapped));
  }
  REQUIRE(Save(mapped, saved.path, {.id = file.file->id()}) == Status::kOk);
  CHECK(BytesOfFile(saved.path) == bytes);
  FileProblem problem;
  REQUIRE(ExportFlat(*mapped, saved.folder / "raw", {}, progress, &problem) == Status::kOk);
  CHECK(BytesOfFile(saved.folder / "raw") == RamOf(*saved.snapshot));
  CHECK(mapped->Health(&problem) == Status::kOk);
}

TEST_CASE("mapped: what is taken of a VM on it costs what was written, and goes back to it") {
  const Saved saved;
  const SnapshotPointer first = Map(saved.path, saved.store);
  const std::vector<std::byte> then = RamOf(*saved.snapshot);
  for (const auto& store : {saved.store, MakePageStore()}) {
    const uint64_t held_bytes = UsageOf(*store).held_bytes;
    const auto vm = Restored(*first, store);
    SnapshotCost cost;
    const SnapshotPointer same = SnapshotOf(*vm, false, &cost);
    CHECK(cost.pages_copied == 0);
    RunTo(*vm, 3020);
    const SnapshotPointer next = SnapshotOf(*vm, false, &cost);
    CHECK(cost.pages_copied > 0);
    CHECK(cost.pages_copied <= 21);
    CHECK(UsageOf(*store).held_bytes == held_bytes + cost.pages_copied * kPageBytes);
    const std::vector<std::byte> later = RamOf(*vm);
    CHECK(RamOf(*next) == later);
    CHECK(DigestOf(*next) == Crc64(0, later));
    CHECK(next->Usage().file_pages + next->Usage().zero_pages < then.size() / kPageBytes);

    RollbackResult rollback;
    REQUIRE(vm->Rollback(*first, ~uint64_t{0}, &rollback) == Status::kOk);
    CHECK(rollback.pages == cost.pages_copied);
    CHECK(RamOf(*vm) == then);
    REQUIRE(vm->Rollback(*next, ~uint64_t{0}, &rollback) == Status::kOk);
    CHECK(RamOf(*vm) == later);
    // One that is in part in the file, restored and cloned, on this store and on another.
    for (const auto& other : {store, MakePageStore()}) {
      for (const bool clone : {false, true}) {
        const auto again = Restored(*next, other, clone);
        CHECK(RamOf(*again) == later);
        RunTo(*again, 3040);
        const SnapshotPointer last = SnapshotOf(*again, true);
        CHECK(RamOf(*last) == RamOf(*again));
        REQUIRE(again->Rollback(*first, ~uint64_t{0}, &rollback) == Status::kOk);
        CHECK(RamOf(*again) == then);
        REQUIRE(again->Rollback(*last, ~uint64_t{0}, &rollback) == Status::kOk);
        CHECK(DigestOf(*again).value == DigestOf(*last));
      }
    }
    REQUIRE(Save(next, saved.folder / "next") == Status::kOk);
    CHECK(RamOf(*Map(saved.folder / "next", store)) == later);
  }
}

TEST_CASE("mapped: a VM that never saw the file goes to it and back") {
  const Saved saved;
  const SnapshotPointer mapped = Map(saved.path, saved.store);
  const auto vm = MakeVmOn(saved.store, "page-writer", {.ram_bytes = kOddRamBytes, .seed = 9});
  RunTo(*vm, 500);
  const SnapshotPointer own = SnapshotOf(*vm);
  RollbackResult rollback;
  REQUIRE(vm->Rollback(*mapped, ~uint64_t{0}, &rollback) == Status::kOk);
  CHECK(RamOf(*vm) == RamOf(*saved.snapshot));
  RunTo(*vm, 3010);
  const SnapshotPointer next = SnapshotOf(*vm);
  CHECK(RamOf(*next) == RamOf(*vm));
  REQUIRE(vm->Rollback(*own, ~uint64_t{0}, &rollback) == Status::kOk);
  CHECK(RamOf(*vm) == RamOf(*own));
  REQUIRE(vm->Rollback(*next, ~uint64_t{0}, &rollback) == Status::kOk);
  CHECK(RamOf(*vm) == RamOf(*next));
}

TEST_CASE("mapped: two files of one VM differ in the pages that were written between them") {
  const TestFolder folder;
  const auto store = MakePageStore();
  const auto vm = MakeVmOn(store, "page-writer", {.ram_bytes = kOddRamBytes, .seed = 5});
  std::vector<SnapshotPointer> saved;
  for (const uint64_t step : {400, 420}) {
    RunTo(*vm, step);
    saved.push_back(SnapshotOf(*vm));
    REQUIRE(Save(saved.back(), folder / std::to_string(step)) == Status::kOk);
  }
  const auto diff = [](const SnapshotPointer& a, const SnapshotPointer& b) {
    Progress progress;
    std::vector<PageRange> ranges;
    REQUIRE(a->Diff(*b, progress, &ranges) == Status::kOk);
    uint64_t pages = 0;
    for (const PageRange& range : ranges) pages += range.page_count;
    return pages;
  };
  const SnapshotPointer early = Map(folder / "400", store);
  const SnapshotPointer late = Map(folder / "420", store);
  CHECK(diff(early, late) == diff(saved[0], saved[1]));
  CHECK(diff(early, late) > 0);
  const auto restored = Restored(*early, store);
  RollbackResult rollback;
  REQUIRE(restored->Rollback(*late, ~uint64_t{0}, &rollback) == Status::kOk);
  CHECK(RamOf(*restored) == RamOf(*saved[1]));
}

TEST_CASE("mapped: it is explored as the loaded one is") {
  const Saved saved("kv-store", 2000);
  const ExploreOptions options{.runs = 40, .steps = 300, .seed = 3};
  Progress progress;
  ExploreResult loaded;
  ExploreResult mapped;
  const auto plain = Restored(*saved.snapshot, saved.store);
  REQUIRE(plain->Explore(*saved.snapshot, options, progress, &loaded) == Status::kOk);
  const SnapshotPointer snapshot = Map(saved.path, saved.store);
  const auto vm = Restored(*snapshot, saved.store);
  REQUIRE(vm->Explore(*snapshot, options, progress, &mapped) == Status::kOk);
  CHECK(mapped.runs == loaded.runs);
  CHECK(mapped.findings_total == loaded.findings_total);
  CHECK(mapped.pages_restored == loaded.pages_restored);
  CHECK(RamOf(*vm) == RamOf(*saved.snapshot));
}

TEST_CASE("mapped: the deferred proof of a VM on it is that of all its RAM") {
  const Saved saved;
  const SnapshotPointer snapshot = Map(saved.path, saved.store);
  const auto vm = Restored(*snapshot, saved.store);
  for (const uint64_t step : {3000, 3100}) {
    RunTo(*vm, step);
    Progress progress;
    std::unique_ptr<DeferredProof> proof;
    REQUIRE(DeferredProof::Prepare(vm, progress, &proof) == Status::kOk);
    std::shared_ptr<Freeze> freeze;
    size_t culprit;
    REQUIRE(Freeze::Begin({vm}, {.handshake_timeout_ns = kPatienceNs, .sync = {}}, &freeze,
                          &culprit) == Status::kOk);
    uint64_t pages_read;
    REQUIRE(proof->AtHalt(&pages_read) == Status::kOk);
    const uint64_t digest = DigestOf(*vm).value;
    freeze->Release();
    ProofResult result;
    REQUIRE(proof->Finish(progress, &result) == Status::kOk);
    CHECK(result.digest_before == digest);
    CHECK(result.digest_after == digest);
  }
}

TEST_CASE("mapped: a new name, a link, other rights, no name at all: the file is what it was") {
  const Saved saved;
  const SnapshotPointer snapshot = Map(saved.path, saved.store);
  const auto vm = Restored(*snapshot, saved.store);
  const std::string moved = saved.folder / "moved";
  std::filesystem::rename(saved.path, moved);
  std::filesystem::create_hard_link(moved, saved.path);
  REQUIRE(chmod(moved.c_str(), 0400) == 0);
  std::filesystem::remove(saved.path);
  REQUIRE(Save(saved.snapshot, moved, {.compressed = true}) == Status::kOk);  // in its place
  std::filesystem::remove(moved);
  CHECK(RamOf(*snapshot) == RamOf(*saved.snapshot));
  CHECK(RamOf(*vm) == RamOf(*saved.snapshot));
  RunTo(*vm, 3100);
  CHECK(RamOf(*SnapshotOf(*vm)) == RamOf(*vm));
}

// ── What becomes of the file ──────────────────────────────────────────────────────────────────

TEST_CASE("mapped file lost: a running guest faults, its readers are told, others are unharmed") {
  for (const Hazard& hazard : kHazards) {
    CAPTURE(hazard.name);
    const Saved saved("kv-store", 5000, 4 * kRamBytesMin);
    const SnapshotPointer snapshot = Map(saved.path, saved.store);
    const auto vm = Restored(*snapshot, saved.store);
    const auto untouched = Restored(*snapshot, saved.store, true);
    const auto safe = Restored(*saved.snapshot, saved.store);
    REQUIRE(vm->Resume() == Status::kOk);
    REQUIRE(safe->Resume() == Status::kOk);
    REQUIRE(RunsOn(*vm));
    hazard.strike(saved.path);

    // A cut is found by the guest itself; a change by the next halt at the latest.
    const bool cut = std::string_view(hazard.name).starts_with("cut");
    if (cut) {
      REQUIRE(Eventually([&] { return vm->state() == VmState::kFaulted; }));
    } else {
      Pause(*vm);
    }
    for (Vm* const lost : {vm.get(), untouched.get()}) {
      CHECK(DigestStatus(*lost) == Status::kMemoryLost);
      CHECK(lost->state() == VmState::kFaulted);
      CHECK(StatsOf(*lost).fault.fault.kind == FaultKind::kMemoryLost);
      std::vector<std::byte> unread;
      CHECK(lost->ReadRam(0, kPageBytes, &unread) == Status::kMemoryLost);
      CheckReport report;
      CHECK(lost->Check(&report) == Status::kMemoryLost);
      Progress progress;
      SnapshotPointer taken;
      SnapshotCost cost;
      CHECK(lost->TakeSnapshot(false, progress, &taken, &cost) == Status::kMemoryLost);
      CHECK(lost->TakeSnapshot(true, progress, &taken, &cost) == Status::kMemoryLost);
      CHECK(lost->Resume() == Status::kFaulted);
      CHECK(lost->RunUntilAndWait(1'000'000'000) == Status::kFaulted);
      RollbackResult rollback;
      CHECK(lost->Rollback(*saved.snapshot, ~uint64_t{0}, &rollback) == Status::kMemoryLost);
      ExploreResult explored;
      CHECK(lost->Explore(*saved.snapshot, {.runs = 1, .steps = 1}, progress, &explored) ==
            Status::kMemoryLost);
      CHECK(lost->ReadRegisters(&unread) == Status::kOk);
    }

    CHECK(DigestStatus(*snapshot) == Status::kMemoryLost);
    std::vector<std::byte> read;
    CHECK(snapshot->Read(0, kPageBytes, &read) == Status::kMemoryLost);
    Progress progress;
    std::vector<PageRange> ranges;
    CHECK(snapshot->Diff(*saved.snapshot, progress, &ranges) == Status::kMemoryLost);
    CHECK(saved.snapshot->Diff(*snapshot, progress, &ranges) == Status::kMemoryLost);
    FileProblem problem;
    CHECK(Save(snapshot, saved.folder / "x", {}, &problem) == Status::kMemoryLost);
    CHECK(ExportFlat(*snapshot, saved.folder / "x", {}, progress, &problem) == Status::kMemoryLost);
    CHECK_FALSE(problem.what.empty());
    CHECK(saved.folder.names() == std::vector<std::string>{"a.snap"});
    std::shared_ptr<Vm> never;
    for (const bool clone : {false, true})
      CHECK(TryRestore(*snapshot, saved.store, &never, clone) == Status::kMemoryLost);
    CHECK(TryRestore(*snapshot, saved.store, &never, false, true) == Status::kMemoryLost);

    // One whose memory is its own is not taken back to what is gone, and is as before.
    REQUIRE(RunsOn(*safe));
    Pause(*safe);
    const Moment before = MomentOf(*safe);
    RollbackResult rollback;
    CHECK(safe->Rollback(*snapshot, ~uint64_t{0}, &rollback) == Status::kMemoryLost);
    CHECK(safe->state() == VmState::kPaused);
    CHECK(MomentOf(*safe) == before);
    CHECK(InvariantsHold(*safe));
    CHECK(safe->Rollback(*saved.snapshot, ~uint64_t{0}, &rollback) == Status::kOk);
  }
}

TEST_CASE("mapped file lost: a runUntil that is under way ends with a fault") {
  const Saved saved("kv-store", 5000, 4 * kRamBytesMin);
  const auto vm = Restored(*Map(saved.path, saved.store), saved.store);
  const Answer answer;
  REQUIRE(vm->RunUntil(1'000'000'000'000, Answer(answer).Callback()) == Status::kOk);
  REQUIRE(RunsOn(*vm));
  CutToNothing(saved.path);
  REQUIRE(answer.Arrives());
  CHECK(answer.status() == Status::kFaulted);
  const FaultReport fault = StatsOf(*vm).fault;
  CHECK(fault.fault.kind == FaultKind::kMemoryLost);
  CHECK(fault.fault.gpa % kPageBytes == 0);
  CHECK(fault.fault.gpa < 4 * kRamBytesMin);
}

TEST_CASE("mapped file lost: in a freeze and under a deferred proof") {
  for (const Hazard& hazard : kHazards) {
    CAPTURE(hazard.name);
    for (const bool before_halt : {true, false}) {
      const Saved saved;
      const auto vm = Restored(*Map(saved.path, saved.store), saved.store);
      REQUIRE(vm->Resume() == Status::kOk);
      Progress progress;
      std::unique_ptr<DeferredProof> proof;
      REQUIRE(DeferredProof::Prepare(vm, progress, &proof) == Status::kOk);
      std::shared_ptr<Freeze> freeze;
      size_t culprit;
      REQUIRE(Freeze::Begin({vm}, {.handshake_timeout_ns = kPatienceNs, .sync = {}}, &freeze,
                            &culprit) == Status::kOk);
      uint64_t pages_read;
      if (before_halt) hazard.strike(saved.path);
      const Status at_halt = proof->AtHalt(&pages_read);
      CHECK(at_halt == (before_halt ? Status::kMemoryLost : Status::kOk));
      if (!before_halt) hazard.strike(saved.path);
      freeze->Release();
      ProofResult result;
      if (!before_halt) CHECK(proof->Finish(progress, &result) == Status::kMemoryLost);
      proof.reset();
      Pause(*vm);
      CHECK(vm->state() == VmState::kFaulted);
    }
  }
}

TEST_CASE("mapped file lost: under many readers at once, each gets all or is told") {
  for (int round = 0; round < Rounds(20, 4); ++round) {
    const Saved saved("page-writer", 3000, 4 * kRamBytesMin);
    const uint64_t digest = DigestOf(*saved.snapshot);
    const SnapshotPointer snapshot = Map(saved.path, saved.store);
    const auto vm = Restored(*snapshot, saved.store);
    const auto runner = Restored(*snapshot, saved.store, true);
    REQUIRE(runner->Resume() == Status::kOk);
    std::atomic<int> begun{0};
    std::vector<std::thread> readers;
    for (int i = 0; i < 3; ++i) {
      readers.emplace_back([&, i] {
        for (Status status = Status::kOk; status == Status::kOk;) {
          begun.fetch_add(1);
          uint64_t value = digest;
          if (i == 0) {
            Progress progress;
            status = snapshot->Digest(progress, &value);
          } else if (i == 1) {
            DigestResult result;
            status = vm->Digest({}, &result);
            if (status == Status::kOk) value = result.value;
          } else {
            std::vector<std::byte> ram;
            status = snapshot->Read(0, 4 * kRamBytesMin, &ram);
            if (status == Status::kOk) value = Crc64(0, ram);
          }
          if (status == Status::kOk) CHECK(value == digest);
          if (status != Status::kOk) CHECK(status == Status::kMemoryLost);
        }
      });
    }
    REQUIRE(Eventually([&] { return begun.load() >= 6; }));
    kHazards[round % 2].strike(saved.path);
    for (std::thread& reader : readers) reader.join();
    CHECK(Eventually([&] { return runner->state() == VmState::kFaulted; }));
  }
}

TEST_CASE(
    "mapped file lost: cut at any page while it is mapped, what is read is whole or refused") {
  const Saved saved;
  const std::vector<std::byte> bytes = BytesOfFile(saved.path);
  const std::vector<std::byte> ram = RamOf(*saved.snapshot);
  const uint64_t data = DataOffset(saved.path);
  for (uint64_t length = data; length < bytes.size(); length += Rounds(1, 16) * kPageBytes) {
    WriteBytes(saved.path, bytes);
    const SnapshotPointer snapshot = Map(saved.path, saved.store);
    const auto vm = Restored(*snapshot, saved.store);
    std::filesystem::resize_file(saved.path, length + length % 3);
    std::vector<std::byte> read;
    REQUIRE(snapshot->Read(0, ram.size(), &read) == Status::kMemoryLost);
    REQUIRE(DigestStatus(*vm) == Status::kMemoryLost);
  }
}

// ── Damage from before ────────────────────────────────────────────────────────────────────────

TEST_CASE("mapped damage: every altered byte is refused or found by whoever reads its page") {
  constexpr uint64_t kSeed = 0xFADE;
  CAPTURE(kSeed);
  Prng random{kSeed};
  const Saved saved("page-writer", 3);
  const std::vector<std::byte> bytes = BytesOfFile(saved.path);
  const std::vector<std::byte> ram = RamOf(*saved.snapshot);
  const uint64_t data = DataOffset(saved.path);
  const PageSet present = Open(saved.path).file->present();
  const uint64_t step = Rounds(1009, 9973);
  for (uint64_t at = 0; at < bytes.size();
       at += at < data || at + step >= bytes.size() ? Rounds(1, 5) : step) {
    CAPTURE(at);
    Overwrite(saved.path, at, bytes[at] ^ std::byte(1 << random.Below(8)));
    const Loaded mapped = TryMap(saved.path, saved.store);
    if (mapped.status != Status::kOk) {
      REQUIRE(mapped.status == Status::kSnapshotDamaged);
      REQUIRE((at < data || at >= bytes.size() - sizeof(FileTrailer)));
    } else {
      const bool in_page =
          at >= data && at - data < ram.size() && present.Holds((at - data) / kPageBytes);
      const Status expected = in_page ? Status::kSnapshotDamaged : Status::kOk;
      REQUIRE(DigestStatus(*mapped.snapshot) == expected);
      std::vector<std::byte> read;
      REQUIRE(mapped.snapshot->Read(0, ram.size(), &read) == expected);
      if (expected == Status::kOk) REQUIRE(read == ram);  // a hole's bytes are zeroes, or unread
      // After a verification there is none of it left to find.
      REQUIRE(Verify(saved.path).status == Status::kSnapshotDamaged);
    }
    Overwrite(saved.path, at, bytes[at]);
  }
  CHECK(RamOf(*Map(saved.path, saved.store)) == ram);
}

TEST_CASE("mapped damage: no VM is taken back to a damaged page, and no file made of one") {
  const Saved saved;
  const auto vm = Restored(*saved.snapshot, saved.store);
  RunTo(*vm, 3200);
  const Moment before = MomentOf(*vm);
  Overwrite(saved.path, DataOffset(saved.path) + 7 * kPageBytes + 9, std::byte{0x77});
  const SnapshotPointer damaged = Map(saved.path, MakePageStore());
  RollbackResult rollback;
  CHECK(vm->Rollback(*damaged, ~uint64_t{0}, &rollback) == Status::kSnapshotDamaged);
  CHECK(MomentOf(*vm) == before);
  FileProblem problem;
  CHECK(Save(damaged, saved.folder / "x", {}, &problem) == Status::kSnapshotDamaged);
  CHECK(saved.folder.names() == std::vector<std::string>{"a.snap"});
  problem = {};
  CHECK(damaged->Health(&problem) == Status::kSnapshotDamaged);
  CHECK(problem.what == "a damaged page 7 of the file that it is mapped from");
  CHECK(problem.offset == DataOffset(saved.path) + 7 * kPageBytes);
}

// ── Somebody else's SIGBUS ────────────────────────────────────────────────────────────────────

namespace {

// A mapping that is none of ours, its file gone.
volatile char* LostMapping() {
  const int file = memfd_create("lost", MFD_CLOEXEC);
  REQUIRE(ftruncate(file, kPageBytes) == 0);
  void* const mapped = mmap(nullptr, kPageBytes, PROT_READ, MAP_SHARED, file, 0);
  REQUIRE(mapped != MAP_FAILED);
  REQUIRE(ftruncate(file, 0) == 0);
  close(file);
  return static_cast<volatile char*>(mapped);
}

// Our handler is there, and has been of use.
void SurviveOnce() {
  const Saved saved;
  const SnapshotPointer snapshot = Map(saved.path, saved.store);
  CutToNothing(saved.path);
  REQUIRE(DigestStatus(*snapshot) == Status::kMemoryLost);
}

void LeaveFromHandler(int, siginfo_t* info, void*) {
  _exit(info->si_code == BUS_ADRERR && info->si_addr != nullptr ? 42 : 43);
}
void LeaveFromSimpleHandler(int) {
  _exit(44);
}

}  // namespace

TEST_CASE("bus child: a read of somebody else's lost mapping" * doctest::skip()) {
  DieOfSignals();
  SurviveOnce();
  (void)*LostMapping();
}
TEST_CASE("bus child: a signal that somebody sends" * doctest::skip()) {
  DieOfSignals();
  SurviveOnce();
  raise(SIGBUS);
}
// As the machine tells of memory that is bad and that nobody has read: nothing is repeated by which
// the signal would come again.
TEST_CASE("bus child: bad memory that nobody reads" * doctest::skip()) {
  DieOfSignals();
  SurviveOnce();
  siginfo_t info{};
  info.si_code = BUS_MCEERR_AO;
  REQUIRE(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGBUS, &info) == 0);
}
TEST_CASE("bus child: a signal that is sent and ignored" * doctest::skip()) {
  std::signal(SIGBUS, SIG_IGN);
  SurviveOnce();
  raise(SIGBUS);
  SurviveOnce();
}
TEST_CASE("bus child: a handler that was there before" * doctest::skip()) {
  struct sigaction action {};
  action.sa_sigaction = LeaveFromHandler;
  action.sa_flags = SA_SIGINFO;
  REQUIRE(sigaction(SIGBUS, &action, nullptr) == 0);
  SurviveOnce();
  (void)*LostMapping();
}
TEST_CASE("bus child: a simple handler that was there before" * doctest::skip()) {
  std::signal(SIGBUS, LeaveFromSimpleHandler);
  SurviveOnce();
  raise(SIGBUS);
}

TEST_CASE("bus error: what is not ours goes to whoever would have had it") {
  CHECK(RunChild("bus child: a read of somebody else's lost mapping").signal == SIGBUS);
  CHECK(RunChild("bus child: a signal that somebody sends").signal == SIGBUS);
  CHECK(RunChild("bus child: bad memory that nobody reads").signal == SIGBUS);
  const ChildEnd ignored = RunChild("bus child: a signal that is sent and ignored");
  CHECK(ignored.signal == 0);
  CHECK(ignored.code == 0);
  CHECK(RunChild("bus child: a handler that was there before").code == 42);
  CHECK(RunChild("bus child: a simple handler that was there before").code == 44);
}

}  // namespace standstill
