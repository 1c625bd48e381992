// Snapshots: what they hold is what the VM held, they cost the pages that changed, nothing that
// goes wrong leaves a trace, and a VM that is taken back runs on as it did the first time.
#include "standstill/snapshot.h"

#include <doctest/doctest.h>

#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "snapshot/page_store.h"
#include "snapshot/page_table.h"
#include "standstill/freeze.h"
#include "support.h"

namespace standstill {
namespace {

using namespace testing;

std::shared_ptr<PageStore> MakeStore(uint64_t limit_bytes = uint64_t{256} << 20) {
  std::shared_ptr<PageStore> store;
  REQUIRE(CreatePageStore(limit_bytes, &store) == Status::kOk);
  return store;
}
std::shared_ptr<Vm> MakeVmOn(const std::shared_ptr<PageStore>& store, std::string_view program,
                             const GuestOptions& options = {}) {
  VmConfig config = ConfigOf(*FindProgram(program), options);
  config.page_store = store;
  std::shared_ptr<Vm> vm;
  REQUIRE(Vm::Create(config, &vm) == Status::kOk);
  return vm;
}
uint64_t HeldPages(PageStore& store) {
  return UsageOf(store).held_bytes / kPageBytes;
}
uint64_t Rollback(Vm& vm, const Snapshot& snapshot) {
  RollbackResult result;
  REQUIRE(vm.Rollback(snapshot, ~uint64_t{0}, &result) == Status::kOk);
  REQUIRE(result.done);
  return result.pages;
}
std::vector<PageRange> DiffOf(const Snapshot& a, const Snapshot& b) {
  Progress progress;
  std::vector<PageRange> ranges;
  REQUIRE(a.Diff(b, progress, &ranges) == Status::kOk);
  return ranges;
}
std::set<uint64_t> DifferingPages(const std::vector<std::byte>& a,
                                  const std::vector<std::byte>& b) {
  std::set<uint64_t> pages;
  for (uint64_t at = 0; at < a.size(); at += kPageBytes) {
    if (std::memcmp(a.data() + at, b.data() + at, kPageBytes) != 0) pages.insert(at >> kPageShift);
  }
  return pages;
}

}  // namespace

// ── The store ─────────────────────────────────────────────────────────────────────────────────

TEST_CASE("page store: refuses a cap out of its range, and pages beyond its cap") {
  std::shared_ptr<PageStore> store;
  CHECK(CreatePageStore(kSnapshotLimitBytesMin - 1, &store) == Status::kInvalidArgument);
  CHECK(CreatePageStore(kSnapshotLimitBytesMax + 1, &store) == Status::kInvalidArgument);
  store = MakeStore(PageStore::kBlockBytes);
  PageReservation all;
  CHECK(store->Reserve(512, &all) == Status::kSnapshotLimit);  // slot 0 is nobody's
  REQUIRE(store->Reserve(511, &all) == Status::kOk);
  PageReservation more;
  CHECK(store->Reserve(1, &more) == Status::kSnapshotLimit);
  CHECK(HeldPages(*store) == 511);
}

TEST_CASE("page store: gives each slot once, and takes back what was not taken or is dropped") {
  const auto store = MakeStore();
  std::set<PageSlot> slots;
  {
    PageReservation reservation;
    REQUIRE(store->Reserve(2000, &reservation) == Status::kOk);
    CHECK(HeldPages(*store) == 2000);
    for (int i = 0; i < 1500; ++i) slots.insert(reservation.Take());
    CHECK(slots.size() == 1500);
    CHECK_FALSE(slots.contains(kZeroSlot));
  }
  CHECK(HeldPages(*store) == 1500);
  const std::vector<PageSlot> taken(slots.begin(), slots.end());
  for (const PageSlot slot : taken) store->Hold(slot);
  store->Drop(taken);
  CHECK(HeldPages(*store) == 1500);
  store->Drop(taken);
  CHECK(HeldPages(*store) == 0);
}

TEST_CASE("page store: keeps some idle memory for the next snapshot, and gives the rest back") {
  const auto store = MakeStore(uint64_t{1} << 30);
  const uint64_t pages = 2 * PageStore::kSpareBytes / kPageBytes;
  {
    PageReservation reservation;
    REQUIRE(store->Reserve(pages, &reservation) == Status::kOk);
    CHECK(UsageOf(*store).resident_bytes >= pages * kPageBytes);
  }
  CHECK(UsageOf(*store).held_bytes == 0);
  CHECK(UsageOf(*store).resident_bytes <= PageStore::kSpareBytes + PageStore::kBlockBytes);
}

// ── Content ───────────────────────────────────────────────────────────────────────────────────

TEST_CASE("snapshot: of a halted VM holds all of it, and costs the pages that were written") {
  for (const Program* program : Programs()) {
    CAPTURE(program->name);
    const auto store = MakeStore();
    const auto vm = MakeVmOn(store, program->name, OptionsFor(*program, 3));
    RunTo(*vm, StepsFor(*program, 100'000));
    const auto first = SnapshotOf(*vm);
    CHECK(RamOf(*first) == RamOf(*vm));
    CHECK(DigestOf(*first) == DigestOf(*vm).value);
    CHECK(first->state().registers == RegistersOf(*vm));
    CHECK(first->state().steps == StepsOf(*vm));
    CHECK(HeldPages(*store) <= StatsOf(*vm).dirty_pages_total);

    SnapshotCost cost;
    const auto same = SnapshotOf(*vm, false, &cost);
    CHECK(cost.pages_copied == 0);
    CHECK(DigestOf(*same) == DigestOf(*first));
    CHECK(DiffOf(*first, *same).empty());
  }
}

TEST_CASE("snapshot: a chain costs what changed, and each link keeps what it held") {
  const auto store = MakeStore();
  const auto vm = MakeVmOn(store, "page-writer", {.ram_bytes = 4 * kRamBytesMin, .seed = 4});
  std::vector<SnapshotPointer> chain;
  std::vector<std::vector<std::byte>> rams;
  uint64_t copied = 0;
  for (uint64_t step = 0; step < 2000; step += 100) {
    RunTo(*vm, step);
    SnapshotCost cost;
    chain.push_back(SnapshotOf(*vm, step % 200 == 0, &cost));
    rams.push_back(RamOf(*vm));
    CHECK(cost.pages_copied <= 100);
    copied += cost.pages_copied;
  }
  CHECK(HeldPages(*store) == copied);
  for (size_t i = 0; i < chain.size(); ++i) {
    REQUIRE(RamOf(*chain[i]) == rams[i]);
    std::set<uint64_t> pages;
    for (const PageRange& range : DiffOf(*chain[0], *chain[i])) {
      for (uint64_t k = 0; k < range.page_count; ++k) pages.insert(range.first_page + k);
    }
    REQUIRE(pages == DifferingPages(rams[0], rams[i]));
  }
  // The middle of the chain goes: what only it held is freed, and nothing else.
  const SnapshotUsage usage = chain[7]->Usage();
  const uint64_t before = HeldPages(*store);
  chain[7].reset();
  CHECK(HeldPages(*store) == before - usage.private_pages);
  REQUIRE(RamOf(*chain[6]) == rams[6]);
  REQUIRE(RamOf(*chain[8]) == rams[8]);
  chain.clear();
  vm->Close();
  CHECK(HeldPages(*store) == 0);
}

TEST_CASE("snapshot: pages of zeroes take no memory") {
  const auto store = MakeStore();
  const auto vm = MakeVmOn(store, "page-writer");
  const auto zero = SnapshotOf(*vm);
  CHECK(HeldPages(*store) == 0);
  CHECK(zero->Usage().zero_pages == vm->config().ram_bytes / kPageBytes);
  CHECK(DigestOf(*zero) == DigestOf(*vm).value);
  // A page that was written and is zero again.
  REQUIRE(vm->FlipBit(5 * kPageBytes, 1) == Status::kOk);
  REQUIRE(vm->FlipBit(5 * kPageBytes, 1) == Status::kOk);
  SnapshotCost cost;
  const auto again = SnapshotOf(*vm, false, &cost);
  CHECK(cost.pages_copied == 1);
  CHECK(HeldPages(*store) == 0);
}

TEST_CASE("snapshot: reads and diffs refuse what does not fit") {
  const auto vm = StartVm("page-writer");
  const auto other = MakeVm("page-writer", {.ram_bytes = 2 * kRamBytesMin});
  Pause(*vm);
  const auto snapshot = SnapshotOf(*vm);
  std::vector<std::byte> bytes;
  CHECK(snapshot->Read(kRamBytesMin - 1, 1, &bytes) == Status::kOk);
  CHECK(snapshot->Read(kRamBytesMin - 1, 2, &bytes) == Status::kInvalidArgument);
  CHECK(snapshot->Read(~uint64_t{0}, 2, &bytes) == Status::kInvalidArgument);
  Progress progress;
  std::vector<PageRange> ranges;
  CHECK(snapshot->Diff(*SnapshotOf(*other), progress, &ranges) == Status::kSnapshotMismatch);
  RollbackResult result;
  CHECK(vm->Rollback(*SnapshotOf(*other), ~uint64_t{0}, &result) == Status::kSnapshotMismatch);
  CHECK(vm->Rollback(*SnapshotOf(*MakeVm("queue")), ~uint64_t{0}, &result) ==
        Status::kSnapshotMismatch);
}

// ── What goes wrong ───────────────────────────────────────────────────────────────────────────

TEST_CASE("snapshot: of a running VM must be live") {
  const auto vm = StartVm("page-writer");
  Progress progress;
  SnapshotPointer snapshot;
  SnapshotCost cost;
  CHECK(vm->TakeSnapshot(false, progress, &snapshot, &cost) == Status::kNotPaused);
  CHECK(snapshot == nullptr);
  CHECK(vm->TakeSnapshot(true, progress, &snapshot, &cost) == Status::kOk);
  CHECK(cost.blackout_ns > 0);
  CHECK(vm->state() == VmState::kRunning);
}

TEST_CASE("snapshot: at the cap is refused, and the VM goes on; room that is made is used") {
  const auto store = MakeStore(PageStore::kBlockBytes);
  const auto vm = MakeVmOn(store, "page-writer", {.ram_bytes = 4 * kRamBytesMin});
  for (const bool live : {false, true}) {
    CAPTURE(live);
    RunTo(*vm, StepsOf(*vm) + 20'000);  // every page
    if (live) REQUIRE(vm->Resume() == Status::kOk);
    Progress progress;
    SnapshotPointer snapshot;
    SnapshotCost cost;
    CHECK(vm->TakeSnapshot(live, progress, &snapshot, &cost) == Status::kSnapshotLimit);
    CHECK(snapshot == nullptr);
    CHECK(HeldPages(*store) == 0);
    if (live) CHECK(RunsOn(*vm));
    Pause(*vm);
    CHECK(RamOf(*vm) == RamOf(*TwinAt(*FindProgram("page-writer"), {.ram_bytes = 4 * kRamBytesMin},
                                      StepsOf(*vm))));
  }
}

TEST_CASE("snapshot: one that is cancelled leaves nothing, and the next one is right") {
  constexpr uint64_t kSeed = 0xCA7C;
  CAPTURE(kSeed);
  Prng random{kSeed};
  const GuestOptions options = {.ram_bytes = 8 * kRamBytesMin, .seed = 9};
  const auto store = MakeStore();
  const auto vm = MakeVmOn(store, "page-writer", options);
  REQUIRE(vm->Start() == Status::kOk);
  const auto twin = MakeVm("page-writer", options);
  int cancelled = 0;
  // When it is cancelled is chance, and what chance leaves out is tried again.
  for (int i = 0; i < Rounds(60, 12) || (cancelled == 0 && i < 1000); ++i) {
    Progress progress;
    std::thread canceller([&, wait_ns = static_cast<int64_t>(random.Below(600'000))] {
      SpinNs(wait_ns);
      progress.Cancel();
    });
    SnapshotPointer snapshot;
    SnapshotCost cost;
    const Status status = vm->TakeSnapshot(true, progress, &snapshot, &cost);
    canceller.join();
    REQUIRE((status == Status::kOk || status == Status::kCancelled));
    if (status == Status::kCancelled) ++cancelled;
    REQUIRE(RunsOn(*vm));
    snapshot = SnapshotOf(*vm, true);
    Pause(*vm);
    RunTo(*twin, snapshot->state().steps);
    REQUIRE(DigestOf(*snapshot) == DigestOf(*twin).value);
    REQUIRE(vm->Resume() == Status::kOk);
  }
  CHECK(cancelled > 0);
  Pause(*vm);
  RunTo(*twin, StepsOf(*vm));
  CHECK(MomentOf(*vm) == MomentOf(*twin));
  vm->Close();
  CHECK(HeldPages(*store) == 0);
}

TEST_CASE("snapshot: a VM that is released while it is being saved gives none, and loses nothing") {
  const auto vm = MakeVm("page-writer", {.ram_bytes = 16 * kRamBytesMin});
  int revoked = 0;
  for (int i = 0; i < Rounds(40, 10); ++i) {
    RunTo(*vm, StepsOf(*vm) + 5'000);
    Progress progress;
    SnapshotPointer snapshot;
    SnapshotCost cost;
    std::thread releaser([&] {
      SpinNs(20'000 * (i % 10));
      REQUIRE(vm->Resume() == Status::kOk);
    });
    const Status status = vm->TakeSnapshot(false, progress, &snapshot, &cost);
    releaser.join();
    REQUIRE(
        (status == Status::kOk || status == Status::kLeaseRevoked || status == Status::kNotPaused));
    if (status == Status::kLeaseRevoked) ++revoked;
    Pause(*vm);
    REQUIRE(RamOf(*SnapshotOf(*vm)) == RamOf(*vm));
  }
  CAPTURE(revoked);
}

// ── Going back ────────────────────────────────────────────────────────────────────────────────

TEST_CASE("rollback: the guest runs on to the same digest as it did the first time") {
  for (const Program* program : Programs()) {
    CAPTURE(program->name);
    const auto vm = MakeVm(*program, OptionsFor(*program, 5));
    const uint64_t step = StepsFor(*program, 60'000);
    RunTo(*vm, step);
    const auto snapshot = SnapshotOf(*vm);
    const Moment there = MomentOf(*vm);
    RunTo(*vm, 2 * step);
    const Moment later = MomentOf(*vm);
    for (int i = 0; i < 3; ++i) {
      (void)Rollback(*vm, *snapshot);
      CHECK(vm->state() == VmState::kPaused);
      CHECK(StepsOf(*vm) == step);
      REQUIRE(MomentOf(*vm) == there);
      REQUIRE(InvariantsHold(*vm));
      RunTo(*vm, 2 * step);
      REQUIRE(MomentOf(*vm) == later);
    }
    CHECK(Rollback(*vm, *snapshot) <= StatsOf(*vm).dirty_pages_total);
    CHECK(Rollback(*vm, *snapshot) == 0);
  }
}

TEST_CASE("rollback: to any link of a chain, in any order, and snapshots go on from there") {
  constexpr uint64_t kSeed = 0xB0B;
  CAPTURE(kSeed);
  Prng random{kSeed};
  const auto store = MakeStore();
  const auto vm = MakeVmOn(store, "kv-store", {.seed = 6});
  std::vector<SnapshotPointer> links;
  std::vector<Moment> moments;
  for (int i = 0; i < Rounds(120, 30); ++i) {
    CAPTURE(i);
    if (links.empty() || random.Below(2) == 0) {
      RunTo(*vm, StepsOf(*vm) + random.Below(3000));
      links.push_back(SnapshotOf(*vm, random.Below(2) == 0));
      moments.push_back(MomentOf(*vm));
    } else {
      const uint64_t to = random.Below(links.size());
      RunTo(*vm, StepsOf(*vm) + random.Below(3000));
      (void)Rollback(*vm, *links[to]);
      REQUIRE(MomentOf(*vm) == moments[to]);
    }
  }
  for (size_t i = 0; i < links.size(); ++i) REQUIRE(DigestOf(*links[i]) == moments[i].digest);
}

TEST_CASE("rollback: heals a fault, starts a VM that was never started, and keeps to its limit") {
  const auto vm = MakeVm(kFaultingProgram, {.params = {{"kind", 1}, {"step", 700}}});
  const auto created = SnapshotOf(*vm);
  RunTo(*vm, 500);
  const auto snapshot = SnapshotOf(*vm);
  CHECK(vm->RunUntilAndWait(2000) == Status::kFaulted);
  RollbackResult result;
  REQUIRE(vm->Rollback(*snapshot, 10, &result) == Status::kOk);
  CHECK_FALSE(result.done);
  CHECK(result.pages > 10);
  CHECK(vm->state() == VmState::kFaulted);
  (void)Rollback(*vm, *snapshot);
  CHECK(vm->state() == VmState::kPaused);
  CHECK(StatsOf(*vm).fault.fault.kind == FaultKind::kNone);
  CHECK(vm->RunUntilAndWait(600) == Status::kOk);
  (void)Rollback(*vm, *created);
  CHECK(StepsOf(*vm) == 0);

  const auto fresh = MakeVm(kFaultingProgram);
  (void)Rollback(*fresh, *snapshot);
  CHECK(fresh->state() == VmState::kPaused);
  CHECK(RamOf(*fresh) == RamOf(*snapshot));
  REQUIRE(fresh->Resume() == Status::kOk);
}

TEST_CASE("rollback: a snapshot of another store is copied, and what follows does not share it") {
  const auto here = MakeStore();
  const auto vm = MakeVmOn(here, "queue", {.seed = 11});
  const auto other = MakeVm("queue", {.seed = 12});
  RunTo(*vm, 30'000);
  const auto mine = SnapshotOf(*vm);
  RunTo(*other, 20'000);
  const auto foreign = SnapshotOf(*other);
  const Moment there = MomentOf(*other);
  (void)Rollback(*vm, *foreign);
  CHECK(MomentOf(*vm) == there);
  const auto copy = SnapshotOf(*vm);
  CHECK(DigestOf(*copy) == there.digest);
  CHECK(copy->table()->store() == here);
  CHECK(copy->state().seed == 12);
  (void)Rollback(*vm, *mine);
  CHECK(DigestOf(*vm).value == DigestOf(*mine));
}

TEST_CASE("rollback: is refused to a running or frozen VM, and while a runUntil is pending") {
  const auto vm = StartVm("page-writer");
  const auto snapshot = SnapshotOf(*vm, true);
  RollbackResult result;
  CHECK(vm->Rollback(*snapshot, 0, &result) == Status::kNotPaused);
  std::shared_ptr<Freeze> freeze;
  size_t culprit = 0;
  REQUIRE(Freeze::Begin({vm}, {.handshake_timeout_ns = kPatienceNs, .sync = {}}, &freeze,
                        &culprit) == Status::kOk);
  CHECK(vm->Rollback(*snapshot, 0, &result) == Status::kBusy);
  freeze->Release();
  const Answer answer;
  REQUIRE(vm->RunUntil(uint64_t{1} << 50, Answer(answer).Callback()) == Status::kOk);
  Pause(*vm);
  CHECK(vm->Rollback(*snapshot, 0, &result) == Status::kBusy);
  vm->Close();
  CHECK(vm->Rollback(*snapshot, 0, &result) == Status::kClosed);
}

TEST_CASE("rollback: time goes on from the snapshot, and the wall lags by its age until a sync") {
  const auto vm = StartVm("ticker");
  REQUIRE(RunsOn(*vm));
  Pause(*vm);
  const auto snapshot = SnapshotOf(*vm);
  REQUIRE(vm->Resume() == Status::kOk);
  SleepNs(20 * kMillisecondNs);
  Pause(*vm);
  const int64_t paused_before_ns = StatsOf(*vm).paused_total_ns;
  const int64_t hidden_before_ns = StatsOf(*vm).ticker->hidden_total_ns();
  (void)Rollback(*vm, *snapshot);
  const VmStats stats = StatsOf(*vm);
  CHECK(stats.clock.guest_monotonic_ns == snapshot->state().guest_monotonic_ns);
  CHECK(stats.clock.guest_wall_ns == snapshot->state().guest_wall_ns);
  CHECK(stats.clock_lag_ns >= 20 * kMillisecondNs);
  REQUIRE(vm->Resume() == Status::kOk);
  REQUIRE(RunsOn(*vm));
  Pause(*vm);
  // What it did not see since is what it was paused since, to the nanosecond.
  CHECK(StatsOf(*vm).ticker->hidden_total_ns() - hidden_before_ns ==
        StatsOf(*vm).paused_total_ns - paused_before_ns);
}

// ── Exploring ─────────────────────────────────────────────────────────────────────────────────

TEST_CASE("explore: every run is the one that its seed names, and the VM ends where it began") {
  const auto vm = MakeVm("queue", {.seed = 21});
  RunTo(*vm, 10'000);
  const auto snapshot = SnapshotOf(*vm);
  const Moment there = MomentOf(*vm);
  Progress progress;
  ExploreResult result;
  REQUIRE(vm->Explore(*snapshot, {.runs = 200, .steps = 500, .seed = 3}, progress, &result) ==
          Status::kOk);
  CHECK(result.runs == 200);
  CHECK(result.findings_total == 0);
  CHECK(result.pages_restored > 0);
  CHECK(progress.done() == 200);
  CHECK(MomentOf(*vm) == there);
  CHECK(vm->state() == VmState::kPaused);
  RunTo(*vm, 20'000);
  CHECK(MomentOf(*vm) == MomentOf(*TwinAt(*FindProgram("queue"), {.seed = 21}, 20'000)));
}

TEST_CASE("explore: what goes wrong in a run is found, with its seed and step") {
  const auto vm = MakeVm(kFaultingProgram, {.params = {{"kind", 1}, {"step", 700}}});
  RunTo(*vm, 500);
  const auto snapshot = SnapshotOf(*vm);
  Progress progress;
  ExploreResult result;
  REQUIRE(vm->Explore(*snapshot, {.runs = 150, .steps = 1000}, progress, &result) == Status::kOk);
  CHECK(result.findings_total == 150);
  REQUIRE(result.findings.size() == ExploreResult::kFindingsMax);
  CHECK(result.findings[7].run == 7);
  CHECK(result.findings[7].step == 700);
  CHECK(result.findings[7].seed == ExploreSeed(0, 7));
  CHECK(result.findings[7].fault.kind == FaultKind::kOutOfRange);
  CHECK(vm->state() == VmState::kPaused);
}

TEST_CASE("explore: can be cancelled, keeps everybody else out meanwhile, and survives a close") {
  const auto vm = MakeVm("kv-store", {.seed = 2});
  RunTo(*vm, 10'000);
  const auto snapshot = SnapshotOf(*vm);
  for (const bool close : {false, true}) {
    Progress progress;
    ExploreResult result;
    Status status = Status::kOk;
    std::thread explorer([&] {
      status = vm->Explore(*snapshot, {.runs = ~uint64_t{0}, .steps = 1000}, progress, &result);
    });
    REQUIRE(Eventually([&] { return progress.done() > 3; }));
    DigestResult digest;
    EpochResult epoch;
    SnapshotPointer other;
    SnapshotCost cost;
    RollbackResult rollback;
    Progress unused;
    CHECK(vm->Resume() == Status::kBusy);
    CHECK(vm->RunUntil(1, [](Status) {}) == Status::kBusy);
    CHECK(vm->Digest({}, &digest) == Status::kBusy);
    CHECK(vm->EndEpoch(&epoch) == Status::kBusy);
    CHECK(vm->FlipBit(0, 0) == Status::kBusy);
    CHECK(vm->TakeSnapshot(false, unused, &other, &cost) == Status::kBusy);
    CHECK(vm->Rollback(*snapshot, 0, &rollback) == Status::kBusy);
    (void)Pause(*vm);
    CHECK(StatsOf(*vm).state == VmState::kPaused);
    if (close) {
      vm->Close();
    } else {
      progress.Cancel();
    }
    explorer.join();
    CHECK(status == (close ? Status::kClosed : Status::kCancelled));
    CHECK(result.runs > 3);
    if (!close) CHECK(RamOf(*vm) == RamOf(*snapshot));
  }
}

// ── Everything at once ────────────────────────────────────────────────────────────────────────

TEST_CASE("snapshot: every operation at any time from several threads leaves a VM that is right") {
  const GuestOptions options = {.ram_bytes = 2 * kRamBytesMin, .seed = 77};
  const auto store = MakeStore();
  for (int round = 0; round < Rounds(6, 2); ++round) {
    const auto vm = MakeVmOn(store, "page-writer", options);
    REQUIRE(vm->Start() == Status::kOk);
    const auto first = SnapshotOf(*vm, true);
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (uint64_t seed = 1; seed <= 3; ++seed) {
      threads.emplace_back([&, seed] {
        Prng random{seed};
        while (!stop.load()) {
          Progress progress;
          SnapshotPointer snapshot;
          SnapshotCost cost;
          RollbackResult rollback;
          PauseResult pause;
          DigestResult digest;
          EpochResult epoch;
          ExploreResult explored;
          switch (random.Below(7)) {
            case 0:
              if (vm->TakeSnapshot(true, progress, &snapshot, &cost) == Status::kOk)
                (void)DigestOf(*snapshot);
              break;
            case 1:
              (void)vm->TakeSnapshot(false, progress, &snapshot, &cost);
              break;
            case 2:
              (void)vm->Rollback(*first, ~uint64_t{0}, &rollback);
              break;
            case 3:
              (void)vm->Pause(kPatienceNs, &pause);
              break;
            case 4:
              (void)vm->Digest({}, &digest);
              break;
            case 5:
              (void)vm->EndEpoch(&epoch);
              break;
            case 6:
              (void)vm->Explore(*first, {.runs = 3, .steps = 50}, progress, &explored);
              break;
          }
          (void)vm->Resume();
        }
      });
    }
    SleepNs(200 * kMillisecondNs);
    stop.store(true);
    for (std::thread& thread : threads) thread.join();
    Pause(*vm);
    REQUIRE(InvariantsHold(*vm));
    const auto last = SnapshotOf(*vm);
    REQUIRE(RamOf(*last) == RamOf(*vm));
    const auto twin = TwinAt(*FindProgram("page-writer"), options, first->state().steps);
    REQUIRE(DigestOf(*first) == DigestOf(*twin).value);
    if (StepsOf(*vm) < first->state().steps + 20'000'000) {
      RunTo(*twin, StepsOf(*vm));
      REQUIRE(MomentOf(*vm) == MomentOf(*twin));
    }
  }
  CHECK(HeldPages(*store) == 0);
}

}  // namespace standstill
