// Several host threads do what they like with several VMs, all at once: every operation of a VM and
// of its snapshots. Whatever the order, each answers as it may, and every memory that is left, of a
// VM or a snapshot, is the one that an undisturbed twin has at its step.
//
// Each thread's operations follow from a seed, which a failure prints; STANDSTILL_TEST_SEED sets it.
// What happens at the same time does not follow from it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "snapshot_files.h"
#include "standstill/deferred_proof.h"
#include "standstill/freeze.h"
#include "support.h"

namespace standstill {
namespace {

using namespace testing;

constexpr uint64_t kThreads = 3;
constexpr uint64_t kKeptMax = 6;  // snapshots of each guest
constexpr uint64_t kFaultStep = 30'000;

uint64_t BaseSeed() {
  const char* const given = std::getenv("STANDSTILL_TEST_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 20'261'124;
}

// What a guest is, whichever VM it runs in: its RAM and registers follow from this and a step.
struct Guest {
  const Program* program;
  GuestOptions options;
};

std::vector<Guest> Guests() {
  std::vector<Guest> guests;
  for (const char* name : {"page-writer", "kv-store", "queue", "ticker", "idle"}) {
    const Program& program = *FindProgram(name);
    guests.push_back({&program, OptionsFor(program, 7)});
  }
  guests.push_back({&kFaultingProgram,
                    {.params = {{"kind", FaultingGuest::kStorePastEnd}, {"step", kFaultStep}}}});
  return guests;
}

struct Kept {
  SnapshotPointer snapshot;
  uint64_t digest;  // as it was when it was taken
};

// One guest: the VM that it runs in now, and the snapshots that were taken of it.
class Place {
 public:
  Place(const Guest& guest, std::shared_ptr<PageStore> store)
      : guest(guest), store(std::move(store)), vm_(Created()) {
    Keep(SnapshotOf(*vm_), 0);
  }

  std::shared_ptr<Vm> vm() {
    const std::lock_guard lock(mutex_);
    return vm_;
  }
  Kept AnySnapshot(Prng& random) {
    const std::lock_guard lock(mutex_);
    return kept_[random.Below(kept_.size())];
  }
  // The first of them is of step 0 and stays.
  void Keep(const SnapshotPointer& snapshot, uint64_t victim) {
    const Kept kept{snapshot, DigestOf(*snapshot)};
    const std::lock_guard lock(mutex_);
    if (kept_.size() < kKeptMax) {
      kept_.push_back(kept);
    } else {
      kept_[1 + victim % (kKeptMax - 1)] = kept;
    }
  }
  void MoveTo(std::shared_ptr<Vm> vm) {
    const std::lock_guard lock(mutex_);
    vm_.swap(vm);
  }
  std::vector<Kept> TakeKept() { return std::move(kept_); }

  VmConfig Config() const {
    VmConfig config = ConfigOf(*guest.program, guest.options);
    config.page_store = store;
    return config;
  }
  std::shared_ptr<Vm> Created() const {
    std::shared_ptr<Vm> vm;
    REQUIRE(Vm::Create(Config(), &vm) == Status::kOk);
    return vm;
  }

  const Guest guest;
  const std::shared_ptr<PageStore> store;

 private:
  std::mutex mutex_;
  std::shared_ptr<Vm> vm_;  // mutex_
  std::vector<Kept> kept_;  // mutex_
};

// What one thread does, one operation after another, each of any VM.
class Operator {
 public:
  Operator(std::vector<std::unique_ptr<Place>>& places, const TestFolder& folder, uint64_t seed)
      : places_(places), path_(folder / std::to_string(seed)), random_{seed} {}

  void Perform() {
    place_ = places_[random_.Below(places_.size())].get();
    vm_ = place_->vm();
    switch (random_.Below(18)) {
      case 0:
        return Expect("start", vm_->Start(),
                      {Status::kAlreadyStarted, Status::kFaulted, Status::kBusy});
      case 1:
        return Expect("pause", vm_->Pause(kPatienceNs, &pause_), {});
      case 2:
      case 3:
        return Expect("resume", vm_->Resume(),
                      {Status::kNotStarted, Status::kFaulted, Status::kBusy});
      case 4:
        return Expect(
            "runUntil", vm_->RunUntil(StepAhead(), [](Status) {}),
            {Status::kBusy, Status::kFaulted, Status::kStepPassed, Status::kPauseTimeout});
      case 5:
        return Digest();
      case 6:
        return Check();
      case 7:
        return Expect("endEpoch", vm_->EndEpoch(&epoch_), {Status::kBusy, Status::kPauseTimeout});
      case 8:
      case 9:
        return TakeSnapshot(true);
      case 10:
        return TakeSnapshot(false);
      case 11:
      case 12:
        return GoBack();
      case 13:
        return Explore();
      case 14:
        return CopyOrClone();
      case 15:
        return SaveAndLoad();
      case 16:
        return Prove();
      default:
        return CloseOrDiff();
    }
  }

 private:
  // Everything may find the VM closed.
  static void Expect(const std::string& operation, Status status, std::vector<Status> errors) {
    CAPTURE(operation);
    CAPTURE(static_cast<int>(status));
    errors.insert(errors.end(), {Status::kOk, Status::kClosed});
    CHECK(std::find(errors.begin(), errors.end(), status) != errors.end());
  }

  uint64_t StepAhead() {
    VmStats stats;
    return vm_->Stats(&stats) == Status::kOk ? stats.steps + random_.Below(5000) : 0;
  }

  void Digest() {
    DigestResult digest;
    Expect("digest", vm_->Digest({}, &digest),
           {Status::kNotPaused, Status::kLeaseRevoked, Status::kBusy});
  }

  void Check() {
    CheckReport report;
    const Status status = vm_->Check(&report);
    Expect("check", status, {Status::kNotPaused, Status::kLeaseRevoked, Status::kBusy});
    if (status == Status::kOk) CHECK(report.ok);
  }

  void TakeSnapshot(bool live) {
    Progress progress;
    SnapshotPointer snapshot;
    SnapshotCost cost;
    if (random_.Below(8) == 0) progress.Cancel();
    const Status status = vm_->TakeSnapshot(live, progress, &snapshot, &cost);
    std::vector<Status> errors = {Status::kBusy, Status::kCancelled, Status::kSnapshotLimit};
    if (live) {
      errors.push_back(Status::kPauseTimeout);
    } else {
      errors.insert(errors.end(), {Status::kNotPaused, Status::kLeaseRevoked});
    }
    Expect(live ? "live snapshot" : "snapshot", status, errors);
    if (status == Status::kOk) place_->Keep(snapshot, random_.Next());
  }

  void GoBack() {
    RollbackResult result;
    Expect("rollback", vm_->Rollback(*place_->AnySnapshot(random_).snapshot, ~uint64_t{0}, &result),
           {Status::kNotPaused, Status::kBusy, Status::kPauseTimeout});
  }

  void Explore() {
    Progress progress;
    ExploreResult result;
    const Status status = vm_->Explore(
        *place_->AnySnapshot(random_).snapshot,
        {.runs = 1 + random_.Below(4), .steps = 200, .seed = random_.Next()}, progress, &result);
    Expect("explore", status, {Status::kNotPaused, Status::kBusy, Status::kPauseTimeout});
    const bool faults = place_->guest.program == &kFaultingProgram;
    if (status == Status::kOk && !faults) CHECK(result.findings_total == 0);
  }

  std::shared_ptr<Vm> Begun(const Kept& kept) {
    Progress progress;
    std::shared_ptr<Vm> vm;
    const Status status = Vm::Restore(place_->Config(), *kept.snapshot,
                                      {.clone = random_.Below(2) == 0}, progress, &vm);
    Expect("restore", status, {Status::kSnapshotLimit});
    return vm;
  }

  void CopyOrClone() {
    const Kept kept = place_->AnySnapshot(random_);
    const std::shared_ptr<Vm> vm = Begun(kept);
    if (vm == nullptr) return;
    CHECK(DigestOf(*vm).value == kept.digest);
    CHECK(StepsOf(*vm) == kept.snapshot->state().steps);
  }

  void SaveAndLoad() {
    if (FindProgram(place_->guest.program->name) == nullptr) return;
    const Kept kept = place_->AnySnapshot(random_);
    const Kept base = place_->AnySnapshot(random_);
    SaveOptions options;
    options.compressed = random_.Below(2) == 0;
    if (random_.Below(2) == 0) options.base = base.snapshot;
    CHECK(Save(kept.snapshot, path_, options) == Status::kOk);
    const Opened opened = Verify(path_);
    CHECK(opened.status == Status::kOk);
    if (opened.status != Status::kOk) return;
    const Loaded loaded = Load(opened.file, place_->store, options.base);
    Expect("load", loaded.status, {Status::kSnapshotLimit});
    if (loaded.status == Status::kOk) CHECK(DigestOf(*loaded.snapshot) == kept.digest);
  }

  // A maintenance, with a deferred proof or a digest at both ends.
  void Prove() {
    Progress progress;
    std::unique_ptr<DeferredProof> proof;
    Expect("prepare a proof", DeferredProof::Prepare(vm_, progress, &proof),
           {Status::kBusy, Status::kCancelled, Status::kPauseTimeout});
    std::shared_ptr<Freeze> freeze;
    size_t culprit = 0;
    Expect(
        "freeze",
        Freeze::Begin({vm_}, {.handshake_timeout_ns = kPatienceNs, .sync = {}}, &freeze, &culprit),
        {Status::kBusy});
    if (freeze == nullptr) return;
    uint64_t pages_read = 0;
    DigestResult before;
    bool proved = false;
    if (proof != nullptr) {
      const Status status = proof->AtHalt(&pages_read);
      Expect("proof at the halt", status, {Status::kBusy});
      proved = status == Status::kOk;
    }
    const Status status = vm_->Digest({}, &before);
    Expect("digest in a freeze", status, {});
    freeze->Release();
    if (!proved) return;
    ProofResult result;
    const Status finished = proof->Finish(progress, &result);
    Expect("finish a proof", finished, {Status::kCancelled});
    if (finished != Status::kOk) return;
    CHECK(result.pages_changed == 0);
    CHECK(result.digest_before == result.digest_after);
    if (status == Status::kOk) CHECK(result.digest_before == before.value);
  }

  // Seldom does a VM go, and the guest then begins anew or at one of its snapshots in another.
  void CloseOrDiff() {
    const Kept kept = place_->AnySnapshot(random_);
    if (random_.Below(3) != 0) return Diff(kept, place_->AnySnapshot(random_));
    vm_->Close();
    std::shared_ptr<Vm> next = random_.Below(2) == 0 ? Begun(kept) : place_->Created();
    place_->MoveTo(next != nullptr ? std::move(next) : place_->Created());
  }

  static void Diff(const Kept& a, const Kept& b) {
    Progress progress;
    std::vector<PageRange> ranges;
    CHECK(a.snapshot->Diff(*b.snapshot, progress, &ranges) == Status::kOk);
    CHECK(ranges.empty() == (a.digest == b.digest));
  }

  std::vector<std::unique_ptr<Place>>& places_;
  const std::string path_;
  Prng random_;
  Place* place_ = nullptr;
  std::shared_ptr<Vm> vm_;
  PauseResult pause_;
  EpochResult epoch_;
};

// Everything that is left of a guest, against one twin that goes through its steps in order.
void CheckAgainstTwin(Place& place) {
  CAPTURE(place.guest.program->name);
  const std::shared_ptr<Vm> vm = place.vm();
  // A guest that was halted inside a step, for want of a page, has to leave it first.
  SnapshotPointer last;
  REQUIRE(Eventually([&] {
    Progress progress;
    SnapshotCost cost;
    Pause(*vm);
    const Status status = vm->TakeSnapshot(false, progress, &last, &cost);
    if (status != Status::kOk) (void)vm->Resume();
    return status == Status::kOk;
  }));
  CHECK(InvariantsHold(*vm));
  CHECK(RamOf(*vm) == RamOf(*last));
  place.Keep(last, 0);

  std::vector<Kept> kept = place.TakeKept();
  std::sort(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) {
    return a.snapshot->state().steps < b.snapshot->state().steps;
  });
  const std::shared_ptr<Vm> twin = MakeVm(*place.guest.program, place.guest.options);
  for (const Kept& each : kept) {
    const MachineState& state = each.snapshot->state();
    CAPTURE(state.steps);
    RunTo(*twin, state.steps);
    CHECK(DigestOf(*twin).value == each.digest);
    CHECK(DigestOf(*each.snapshot) == each.digest);
    CHECK(RegistersOf(*twin) == state.registers);
    CHECK(RamOf(*each.snapshot) == RamOf(*twin));
  }
  vm->Close();
}

}  // namespace

TEST_CASE("random operations of several threads on several VMs leave every memory right") {
  const TestFolder folder;
  for (uint64_t round = 0; round < static_cast<uint64_t>(Rounds(4, 2)); ++round) {
    const uint64_t seed = BaseSeed() + round;
    CAPTURE(seed);
    const auto store = MakePageStore();
    std::vector<std::unique_ptr<Place>> places;
    for (const Guest& guest : Guests()) places.push_back(std::make_unique<Place>(guest, store));
    std::vector<std::thread> threads;
    for (uint64_t thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        CAPTURE(seed);
        Operator user(places, folder, Mix64(seed) + thread);
        for (int i = 0; i < Rounds(400, 80); ++i) user.Perform();
      });
    }
    for (std::thread& thread : threads) thread.join();
    for (const auto& place : places) CheckAgainstTwin(*place);
    places.clear();
    CHECK(UsageOf(*store).held_bytes == 0);
  }
}

}  // namespace standstill
