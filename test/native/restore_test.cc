// VMs that begin at a snapshot: copies and clones.
#include <doctest/doctest.h>
#include <sys/resource.h>

#include <cstdio>

#include "support.h"

using namespace standstill;
using namespace standstill::testing;

namespace {

std::shared_ptr<PageStore> MakeStore(uint64_t limit_bytes = uint64_t{1} << 30) {
  std::shared_ptr<PageStore> store;
  REQUIRE(CreatePageStore(limit_bytes, &store) == Status::kOk);
  return store;
}

Status TryRestore(const Snapshot& snapshot, const RestoreOptions& options, std::shared_ptr<Vm>* out,
                  std::shared_ptr<PageStore> store = nullptr) {
  Progress progress;
  return Vm::Restore({.name = "restored", .page_store = std::move(store)}, snapshot, options,
                     progress, out);
}
std::shared_ptr<Vm> Restored(const Snapshot& snapshot, const RestoreOptions& options = {},
                             std::shared_ptr<PageStore> store = nullptr) {
  std::shared_ptr<Vm> vm;
  REQUIRE(TryRestore(snapshot, options, &vm, std::move(store)) == Status::kOk);
  return vm;
}

SnapshotPointer SnapshotAt(const Program& program, const GuestOptions& options, uint64_t step,
                           std::shared_ptr<PageStore> store = nullptr) {
  VmConfig config = ConfigOf(program, options);
  config.page_store = std::move(store);
  std::shared_ptr<Vm> vm;
  REQUIRE(Vm::Create(config, &vm) == Status::kOk);
  RunTo(*vm, step);
  return SnapshotOf(*vm);
}

// In KiB, from /proc/self/smaps_rollup.
uint64_t ProportionalSetKib() {
  std::FILE* const file = std::fopen("/proc/self/smaps_rollup", "r");
  REQUIRE(file != nullptr);
  uint64_t kib = 0;
  char line[256];
  while (std::fgets(line, sizeof line, file) != nullptr) {
    if (std::sscanf(line, "Pss: %lu kB", &kib) == 1) break;
  }
  std::fclose(file);
  return kib;
}

}  // namespace

TEST_CASE("restore: a copy and a clone of every program go on as the VM itself would have") {
  for (const Program* program : Programs()) {
    CAPTURE(program->name);
    const GuestOptions options = OptionsFor(*program, 5);
    const uint64_t half = StepsFor(*program, 20'000);
    const SnapshotPointer snapshot = SnapshotAt(*program, options, half);
    const Moment then = MomentOf(*TwinAt(*program, options, half));
    const Moment later = MomentOf(*TwinAt(*program, options, 2 * half));
    for (const bool clone : {false, true}) {
      CAPTURE(clone);
      const auto vm = Restored(*snapshot, {.clone = clone});
      CHECK(vm->state() == VmState::kPaused);
      CHECK(vm->config().name == "restored");
      CHECK(vm->config().seed == 5);
      CHECK(StepsOf(*vm) == half);
      CHECK(MomentOf(*vm) == then);
      CHECK(InvariantsHold(*vm));
      RunTo(*vm, 2 * half);
      CHECK(MomentOf(*vm) == later);
    }
  }
}

TEST_CASE("restore: the guest's clock goes on from the snapshot") {
  const auto vm = StartVm("page-writer");
  REQUIRE(RunsOn(*vm));
  Pause(*vm);
  const SnapshotPointer snapshot = SnapshotOf(*vm);
  for (const bool clone : {false, true}) {
    const auto restored = Restored(*snapshot, {.clone = clone});
    CHECK(StatsOf(*restored).clock.guest_monotonic_ns == snapshot->state().guest_monotonic_ns);
    CHECK(StatsOf(*restored).clock.guest_wall_ns == snapshot->state().guest_wall_ns);
    REQUIRE(restored->Resume() == Status::kOk);
    REQUIRE(RunsOn(*restored));
    CHECK(StatsOf(*restored).clock.guest_monotonic_ns > snapshot->state().guest_monotonic_ns);
  }
}

TEST_CASE("clone: what one writes, nobody else sees: not the source, the snapshot or another") {
  const Program& program = *FindProgram("page-writer");
  const auto source = TwinAt(program, {.seed = 3}, 5'000);
  const SnapshotPointer snapshot = SnapshotOf(*source);
  const std::vector<std::byte> then = RamOf(*snapshot);
  const auto one = Restored(*snapshot, {.clone = true});
  const auto other = Restored(*snapshot, {.clone = true});
  RunTo(*one, 20'000);
  CHECK(RamOf(*one) != then);
  CHECK(RamOf(*other) == then);
  CHECK(RamOf(*source) == then);
  CHECK(RamOf(*snapshot) == then);
  RunTo(*source, 10'000);
  CHECK(RamOf(*other) == then);
  source->Close();
  CHECK(RamOf(*Restored(*snapshot, {.clone = true})) == then);
}

TEST_CASE("clone: it outlives its snapshot, and its image goes with the last of both") {
  const auto store = MakeStore();
  SnapshotPointer snapshot =
      SnapshotAt(*FindProgram("kv-store"), {.ram_bytes = 8 * kRamBytesMin}, 5'000, store);
  const SnapshotUsage before = snapshot->Usage();
  CHECK(before.image_pages == 0);
  const uint64_t held_bytes = UsageOf(*store).held_bytes;
  auto clone = Restored(*snapshot, {.clone = true}, store);
  const uint64_t image_pages = before.private_pages + before.shared_pages;
  CHECK(snapshot->Usage().image_pages == image_pages);
  CHECK(UsageOf(*store).held_bytes == held_bytes + image_pages * kPageBytes);
  const auto second = Restored(*snapshot, {.clone = true}, store);
  CHECK(UsageOf(*store).held_bytes == held_bytes + image_pages * kPageBytes);
  const std::vector<std::byte> then = RamOf(*snapshot);
  snapshot.reset();
  second->Close();
  CHECK(RamOf(*clone) == then);
  clone->Close();
  clone.reset();
  CHECK(UsageOf(*store).held_bytes == 0);
}

TEST_CASE("restore: a snapshot of a copy or clone costs what it has written") {
  const auto store = MakeStore();
  const Program& program = *FindProgram("page-writer");
  const SnapshotPointer snapshot =
      SnapshotAt(program, {.ram_bytes = 16 * kRamBytesMin, .seed = 2}, 20'000, store);
  for (const bool clone : {false, true}) {
    CAPTURE(clone);
    const auto vm = Restored(*snapshot, {.clone = clone}, store);
    SnapshotCost cost;
    const SnapshotPointer same = SnapshotOf(*vm, false, &cost);
    CHECK(cost.pages_copied == 0);
    RunTo(*vm, 20'100);
    const SnapshotPointer next = SnapshotOf(*vm, false, &cost);
    CHECK(cost.pages_copied > 0);
    CHECK(cost.pages_copied <= 101);
    CHECK(RamOf(*next) == RamOf(*vm));

    RollbackResult rollback;
    REQUIRE(vm->Rollback(*snapshot, ~uint64_t{0}, &rollback) == Status::kOk);
    CHECK(rollback.pages == cost.pages_copied);
    CHECK(RamOf(*vm) == RamOf(*snapshot));

    // Another host's store has none of its pages, so all are copied there.
    const auto elsewhere = Restored(*snapshot, {.clone = clone}, MakeStore());
    const SnapshotPointer whole = SnapshotOf(*elsewhere, true, &cost);
    CHECK(cost.pages_copied > 101);
    CHECK(DigestOf(*whole) == DigestOf(*snapshot));
  }
}

TEST_CASE("restore: reseeded, chance goes another way, the same one for the same seed") {
  const Program& program = *FindProgram("kv-store");
  const SnapshotPointer snapshot = SnapshotAt(program, {.seed = 1}, 3'000);
  const auto digest_with = [&](std::optional<uint64_t> seed, bool clone) {
    const auto vm = Restored(*snapshot, {.clone = clone, .reseed = seed});
    CHECK(DigestOf(*vm).value == DigestOf(*snapshot));
    RunTo(*vm, 6'000);
    CHECK(InvariantsHold(*vm));
    CHECK(SnapshotOf(*vm)->state().seed == seed.value_or(1));
    return DigestOf(*vm).value;
  };
  CHECK(digest_with(7, false) == digest_with(7, true));
  CHECK(digest_with(7, true) != digest_with(8, true));
  CHECK(digest_with({}, true) != digest_with(8, true));
}

TEST_CASE("clone: a hundred of one snapshot take less than 15 % of a hundred copies' memory" *
          doctest::skip(kSanitized)) {
  constexpr size_t kVms = 100;
  const uint64_t ram_bytes = 8 * kRamBytesMin;
  // Every page of its RAM written before, few afterwards.
  const SnapshotPointer snapshot =
      SnapshotAt(*FindProgram("page-writer"),
                 {.ram_bytes = ram_bytes, .params = {{"workingSetBytes", 0}}}, 40'000);
  REQUIRE(snapshot->Usage().zero_pages < ram_bytes / kPageBytes / 20);
  const auto memory_of = [&](bool clone) {
    std::vector<std::shared_ptr<Vm>> vms;
    const uint64_t before_kib = ProportionalSetKib();
    for (size_t i = 0; i < kVms; ++i) {
      vms.push_back(Restored(*snapshot, {.clone = clone}));
      RunTo(*vms.back(), 40'016);
      CHECK(DigestOf(*vms.back()).bytes_read == ram_bytes);  // all of it read, as by a real guest
    }
    return ProportionalSetKib() - before_kib;
  };
  const uint64_t clones_kib = memory_of(true);
  const uint64_t copies_kib = memory_of(false);
  MESSAGE("100 clones of 8 MiB: " << clones_kib << " KiB; 100 copies: " << copies_kib << " KiB");
  CHECK(copies_kib > kVms * ram_bytes / 1024 / 2);
  CHECK(clones_kib * 100 < copies_kib * 15);
}

// ── What the machine refuses ──────────────────────────────────────────────────────────────────

TEST_CASE("clone: no room under the cap leaves the snapshot and its VM as they were") {
  const auto store = MakeStore(kSnapshotLimitBytesMin);
  VmConfig config = ConfigOf(*FindProgram("page-writer"));
  config.page_store = store;
  std::shared_ptr<Vm> source;
  REQUIRE(Vm::Create(config, &source) == Status::kOk);
  RunTo(*source, 5'000);
  const SnapshotPointer snapshot = SnapshotOf(*source);
  REQUIRE(UsageOf(*store).held_bytes == kSnapshotLimitBytesMin / 2);
  const uint64_t held_bytes = UsageOf(*store).held_bytes;
  std::shared_ptr<Vm> clone;
  CHECK(TryRestore(*snapshot, {.clone = true}, &clone) == Status::kSnapshotLimit);
  CHECK(clone == nullptr);
  CHECK(UsageOf(*store).held_bytes == held_bytes);
  CHECK(RamOf(*snapshot) == RamOf(*source));
  CHECK(RamOf(*Restored(*snapshot)) == RamOf(*source));
}

TEST_CASE("clone: a cancelled image is none, and the next one is whole") {
  const SnapshotPointer snapshot = SnapshotAt(*FindProgram("page-writer"), {.seed = 4}, 5'000);
  Progress progress;
  progress.Cancel();
  std::shared_ptr<Vm> clone;
  CHECK(Vm::Restore({.name = "c"}, *snapshot, {.clone = true}, progress, &clone) ==
        Status::kCancelled);
  CHECK(snapshot->Usage().image_pages == 0);
  CHECK(RamOf(*Restored(*snapshot, {.clone = true})) == RamOf(*snapshot));
  // With the image there, too, and where there is none to make.
  for (const bool shares : {true, false}) {
    CHECK(Vm::Restore({.name = "c"}, *snapshot, {.clone = shares}, progress, &clone) ==
          Status::kCancelled);
    CHECK(clone == nullptr);
  }
}

namespace {

// What the machine may refuse is refused for as long as this lives.
class Refused {
 public:
  Refused(__rlimit_resource what, rlim_t limit) : what_(what) {
    REQUIRE(getrlimit(what, &before_) == 0);
    const rlimit lowered{limit, before_.rlim_max};
    REQUIRE(setrlimit(what, &lowered) == 0);
  }
  ~Refused() { setrlimit(what_, &before_); }
  Refused(const Refused&) = delete;
  Refused& operator=(const Refused&) = delete;

 private:
  const __rlimit_resource what_;
  rlimit before_{};
};

uint64_t AddressSpaceBytes() {
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  REQUIRE(file != nullptr);
  uint64_t pages = 0;
  REQUIRE(std::fscanf(file, "%lu", &pages) == 1);
  std::fclose(file);
  return pages * kPageBytes;
}

}  // namespace

TEST_CASE("refused: no file in memory for a clone leaves a running VM running") {
  const auto vm = StartVm("page-writer", {.seed = 6});
  REQUIRE(RunsOn(*vm));
  const SnapshotPointer snapshot = SnapshotOf(*vm, true);
  std::shared_ptr<Vm> clone;
  {
    const Refused descriptors(RLIMIT_NOFILE, 0);
    CHECK(TryRestore(*snapshot, {.clone = true}, &clone) == Status::kOutOfMemory);
    CHECK(TryRestore(*snapshot, {}, &clone) == Status::kOutOfMemory);
  }
  CHECK(clone == nullptr);
  CHECK(RunsOn(*vm));
  CHECK(RamOf(*Restored(*snapshot, {.clone = true})) == RamOf(*snapshot));
}

TEST_CASE("refused: no address space, wherever it ends, leaves a running VM running" *
          doctest::skip(kSanitized)) {
  const GuestOptions options{.ram_bytes = 16 * kRamBytesMin, .seed = 6};
  const Program& program = *FindProgram("page-writer");
  const auto store = MakeStore(4 * options.ram_bytes);
  size_t refused = 0;
  size_t granted = 0;
  // From nothing more at all to all that a live snapshot, its image and a clone take.
  for (uint64_t more_bytes = 0; more_bytes <= 4 * options.ram_bytes; more_bytes += kRamBytesMin) {
    VmConfig config = ConfigOf(program, options);
    config.page_store = store;
    std::shared_ptr<Vm> vm;
    REQUIRE(Vm::Create(config, &vm) == Status::kOk);
    REQUIRE(vm->Start() == Status::kOk);
    REQUIRE(RunsOn(*vm));
    Status status;
    {
      const Refused space(RLIMIT_AS, AddressSpaceBytes() + more_bytes);
      Progress progress;
      SnapshotPointer snapshot;
      SnapshotCost cost;
      std::shared_ptr<Vm> clone;
      status = vm->TakeSnapshot(true, progress, &snapshot, &cost);
      if (status == Status::kOk) status = TryRestore(*snapshot, {.clone = true}, &clone, store);
    }
    const bool known =
        status == Status::kOk || status == Status::kOutOfMemory || status == Status::kThreadFailed;
    CHECK(known);
    ++(status == Status::kOk ? granted : refused);
    REQUIRE(RunsOn(*vm));
    Pause(*vm);
    const auto twin = TwinAt(program, options, StepsOf(*vm));
    CHECK(MomentOf(*vm) == MomentOf(*twin));
  }
  CHECK(refused > 0);
  CHECK(granted > 0);
}
