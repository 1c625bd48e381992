// A freeze: whole or not at all, always bounded, and whatever ends it leaves each VM as it was.
#include "standstill/freeze.h"

#include <doctest/doctest.h>

#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "support.h"

namespace standstill {
namespace {

using namespace testing;
using Vms = std::vector<std::shared_ptr<Vm>>;

FreezeOptions Patient(int64_t budget_ns = kPatienceNs) {
  return {.budget_ns = budget_ns, .handshake_timeout_ns = kPatienceNs, .sync = {}};
}

std::shared_ptr<Freeze> BeginFreeze(const Vms& vms, const FreezeOptions& options = Patient()) {
  std::shared_ptr<Freeze> freeze;
  size_t culprit = 0;
  REQUIRE(Freeze::Begin(vms, options, &freeze, &culprit) == Status::kOk);
  return freeze;
}

struct Refusal {
  Status status;
  size_t culprit;
  bool operator==(const Refusal&) const = default;
};
Refusal TryFreeze(const Vms& vms, const FreezeOptions& options = Patient()) {
  std::shared_ptr<Freeze> freeze;
  size_t culprit = ~size_t{0};
  const Status status = Freeze::Begin(vms, options, &freeze, &culprit);
  if (freeze != nullptr) freeze->Release();
  return {status, culprit};
}

bool AllResumed(Freeze& freeze) {
  for (const FreezeRecord& record : freeze.Records()) {
    if (record.resumed_at_ns == 0) return false;
  }
  return true;
}

void CheckMonotone(const FreezeRecord& record) {
  CAPTURE(record.name);
  CHECK(record.requested_at_ns > 0);
  CHECK(record.halted_at_ns >= record.requested_at_ns);
  CHECK(record.observed_at_ns >= record.halted_at_ns);
  CHECK(record.released_at_ns >= record.observed_at_ns);
  CHECK(record.resumed_at_ns >= record.released_at_ns);
  CHECK(record.steps_at_release == record.steps_at_halt);
}

}  // namespace

// ── The scope ─────────────────────────────────────────────────────────────────────────────────

TEST_CASE("freeze: holds running guests, keeps the stamps in order, and releases them") {
  const Vms vms = {StartVm("page-writer"), StartVm("kv-store"), StartVm("ticker")};
  for (const auto& vm : vms) REQUIRE(RunsOn(*vm));
  const auto freeze = BeginFreeze(vms);
  CHECK_FALSE(freeze->released());
  CHECK(freeze->RemainingNs() > 0);
  std::vector<Moment> at_halt;
  for (const auto& vm : vms) {
    CHECK(vm->state() == VmState::kPaused);
    at_halt.push_back(MomentOf(*vm));
  }
  SleepNs(5 * kMillisecondNs);
  for (size_t i = 0; i < vms.size(); ++i) CHECK(MomentOf(*vms[i]) == at_halt[i]);
  freeze->Release();
  CHECK(freeze->released());
  for (const auto& vm : vms) CHECK(RunsOn(*vm));
  CHECK(AllResumed(*freeze));
  for (const FreezeRecord& record : freeze->Records()) {
    CheckMonotone(record);
    CHECK(record.was_running);
    CHECK(record.resumed_by == ResumedBy::kCaller);
    CHECK(record.released_at_ns - record.observed_at_ns >= 5 * kMillisecondNs);
  }
}

TEST_CASE("freeze: leaves each VM in the state in which it found it") {
  const auto created = MakeVm("page-writer");
  const auto paused = StartVm("page-writer");
  Pause(*paused);
  const auto running = StartVm("page-writer");
  const auto idle = StartVm("idle", {.params = {{"wakeIntervalUs", 60e6}}});
  const auto faulted = MakeVm(kFaultingProgram, {.params = {{"kind", 1}, {"step", 10}}});
  REQUIRE(faulted->Start() == Status::kOk);
  const auto halted_itself = MakeVm("queue");
  RunTo(*halted_itself, 500);
  REQUIRE(Eventually([&] { return idle->state() == VmState::kIdle; }));
  REQUIRE(Eventually([&] { return faulted->state() == VmState::kFaulted; }));

  const Vms vms = {created, paused, running, idle, faulted, halted_itself};
  const auto freeze = BeginFreeze(vms);
  CHECK(created->state() == VmState::kCreated);
  CHECK(paused->state() == VmState::kPaused);
  CHECK(running->state() == VmState::kPaused);
  CHECK(idle->state() == VmState::kPaused);
  CHECK(faulted->state() == VmState::kFaulted);
  CHECK(halted_itself->state() == VmState::kPaused);
  for (const auto& vm : vms) (void)DigestOf(*vm);
  freeze->Release();
  CHECK(created->state() == VmState::kCreated);
  CHECK(paused->state() == VmState::kPaused);
  CHECK(RunsOn(*running));
  CHECK(idle->state() == VmState::kIdle);
  CHECK(faulted->state() == VmState::kFaulted);
  CHECK(halted_itself->state() == VmState::kPaused);
  CHECK(StepsOf(*halted_itself) == 500);
  CHECK(StepsOf(*idle) == 1);

  const auto records = freeze->Records();
  const std::vector<bool> was_running = {false, false, true, true, false, false};
  for (size_t i = 0; i < vms.size(); ++i) {
    CHECK(records[i].was_running == was_running[i]);
    CheckMonotone(records[i]);
  }
  CHECK(paused->Resume() == Status::kOk);
  CHECK(RunsOn(*paused));
}

TEST_CASE("freeze: of no VM at all is released like any other") {
  const auto freeze = BeginFreeze({});
  freeze->Release();
  CHECK(freeze->released());
  CHECK(freeze->Records().empty());
}

TEST_CASE("freeze: ends the epoch of each VM") {
  const auto vm = StartVm("page-writer");
  REQUIRE(RunsOn(*vm));
  const VmStats before = StatsOf(*vm);
  const auto freeze = BeginFreeze({vm});
  CHECK(StatsOf(*vm).epoch == before.epoch + 1);
  freeze->Release();
  // Folded off the blackout, by the pool.
  CHECK(Eventually([&] { return StatsOf(*vm).folded_epoch == before.epoch; }));
  CHECK(StatsOf(*vm).dirty_pages > 0);
}

TEST_CASE("freeze: of a hundred VMs in one call") {
  Vms vms;
  // ThreadSanitizer follows 64 mutexes of a thread at most.
  for (uint64_t i = 0; i < (kThreadSanitizer ? 50 : 100); ++i) {
    vms.push_back(StartVm(i % 2 == 0 ? "page-writer" : "hash-chain",
                          {.seed = i, .duty_cycle = i % 10 == 0 ? 1 : 0.02}));
  }
  for (const auto& vm : vms) REQUIRE(RunsOn(*vm));
  const auto freeze = BeginFreeze(vms);
  std::vector<uint64_t> steps;
  for (const auto& vm : vms) {
    REQUIRE(vm->state() == VmState::kPaused);
    steps.push_back(StepsOf(*vm));
  }
  SleepNs(5 * kMillisecondNs);
  for (size_t i = 0; i < vms.size(); ++i) CHECK(StepsOf(*vms[i]) == steps[i]);
  freeze->Release();
  for (const auto& vm : vms) CHECK(RunsOn(*vm));
  for (const FreezeRecord& record : freeze->Records()) CheckMonotone(record);
}

// ── Refusals ──────────────────────────────────────────────────────────────────────────────────

TEST_CASE("freeze: a budget or timeout below 1 ns is no budget") {
  const auto vm = StartVm("page-writer");
  CHECK(TryFreeze({vm}, Patient(0)).status == Status::kInvalidArgument);
  CHECK(TryFreeze({vm}, Patient(-1)).status == Status::kInvalidArgument);
  FreezeOptions options;
  options.handshake_timeout_ns = 0;
  CHECK(TryFreeze({vm}, options).status == Status::kInvalidArgument);
  CHECK(vm->state() == VmState::kRunning);
}

TEST_CASE("freeze: the longest budget there is does not end at once") {
  const auto vm = StartVm("page-writer");
  std::shared_ptr<Freeze> freeze;
  size_t culprit = 0;
  const FreezeOptions options = {.budget_ns = std::numeric_limits<int64_t>::max(),
                                 .handshake_timeout_ns = std::numeric_limits<int64_t>::max(),
                                 .sync = {}};
  REQUIRE(Freeze::Begin({vm}, options, &freeze, &culprit) == Status::kOk);
  SleepNs(20 * kMillisecondNs);
  CHECK_FALSE(freeze->released());
  CHECK(vm->state() == VmState::kPaused);
  CHECK(freeze->RemainingNs() > kPatienceNs);
  freeze->Release();
  CHECK(RunsOn(*vm));
}

TEST_CASE("freeze: a VM twice in the list is refused, and the others run on") {
  const auto a = StartVm("page-writer");
  const auto b = StartVm("page-writer");
  CHECK(TryFreeze({a, b, b}) == Refusal{Status::kBusy, 1});
  CHECK(a->state() == VmState::kRunning);
  CHECK(b->state() == VmState::kRunning);
}

TEST_CASE("freeze: a closed VM is named, and the others run on") {
  const auto a = StartVm("page-writer");
  const auto b = StartVm("page-writer");
  const auto closed = MakeVm("page-writer");
  closed->Close();
  CHECK(TryFreeze({a, b, closed}) == Refusal{Status::kClosed, 2});
  CHECK(TryFreeze({a, closed, b}) == Refusal{Status::kClosed, 1});
  CHECK(TryFreeze({closed}) == Refusal{Status::kClosed, 0});
  CHECK(RunsOn(*a));
  CHECK(RunsOn(*b));
}

TEST_CASE("freeze: holds its VMs against everyone else until it is released") {
  const auto a = StartVm("page-writer");
  const auto b = StartVm("page-writer");
  const auto created = MakeVm("page-writer");
  const auto freeze = BeginFreeze({a, created});
  CHECK(TryFreeze({b, a}) == Refusal{Status::kBusy, 1});
  CHECK(b->state() == VmState::kRunning);
  CHECK(a->Resume() == Status::kBusy);
  CHECK(created->Start() == Status::kBusy);
  const Answer answer;
  CHECK(a->RunUntil(1u << 30, Answer(answer).Callback()) == Status::kBusy);
  PauseResult pause;
  CHECK(a->Pause(kPatienceNs, &pause) == Status::kOk);  // halted already
  CHECK(a->state() == VmState::kPaused);
  freeze->Release();
  CHECK(answer.count() == 0);
  CHECK(TryFreeze({b, a}).status == Status::kOk);
  CHECK(created->Start() == Status::kOk);
  CHECK(RunsOn(*a));
}

TEST_CASE("freeze: where one guest reaches no safepoint, nothing is half changed") {
  const auto running = StartVm("page-writer");
  const auto stuck = MakeVm(kBlockingProgram, {.seed = 2});
  REQUIRE(stuck->Start() == Status::kOk);
  const auto paused = StartVm("page-writer");
  Pause(*paused);
  const auto idle = StartVm("idle", {.params = {{"wakeIntervalUs", 60e6}}});
  REQUIRE(Eventually([&] { return idle->state() == VmState::kIdle; }));
  FreezeOptions options;
  options.handshake_timeout_ns = 20 * kMillisecondNs;
  {
    const BlockedGuest blocked(2);
    const uint32_t epoch = StatsOf(*running).epoch;
    const uint64_t stuck_steps = StepsOf(*stuck);
    const uint64_t paused_steps = StepsOf(*paused);
    CHECK(TryFreeze({running, idle, stuck, paused}, options) == Refusal{Status::kPauseTimeout, 2});
    CHECK(stuck->state() == VmState::kRunning);
    CHECK(paused->state() == VmState::kPaused);
    CHECK(idle->state() == VmState::kIdle);
    CHECK(RunsOn(*running));
    CHECK(StepsOf(*stuck) == stuck_steps);
    CHECK(StepsOf(*paused) == paused_steps);
    CHECK(StepsOf(*idle) == 1);
    CHECK(StatsOf(*running).epoch == epoch);
    DigestResult digest;
    CHECK(running->Digest({}, &digest) == Status::kNotPaused);
    CHECK(idle->Digest({}, &digest) == Status::kNotPaused);
    // The budget bounds the handshake as well.
    options.handshake_timeout_ns = kPatienceNs;
    options.budget_ns = 20 * kMillisecondNs;
    CHECK(TryFreeze({running, idle, stuck, paused}, options) == Refusal{Status::kPauseTimeout, 2});
  }
  CHECK(RunsOn(*stuck));
  CHECK(TryFreeze({running, idle, stuck, paused}).status == Status::kOk);
}

// The bug: a freeze that timed out unlocked its VMs before it took its requests back. A pause that
// came between broke an invariant of the gate and aborted, or was undone behind its caller's back.
TEST_CASE("freeze: one that times out neither disturbs nor undoes a pause that comes just then") {
  const auto running = StartVm("page-writer");
  const auto stuck = MakeVm(kBlockingProgram, {.seed = 3});
  REQUIRE(stuck->Start() == Status::kOk);
  const BlockedGuest blocked(3);
  std::atomic<bool> over{false};
  std::atomic<int> undone{0};
  std::vector<std::thread> users;
  for (const auto& vm : {running, stuck}) {
    users.emplace_back([&, vm] {
      while (!over.load()) {
        PauseResult pause;
        if (vm->Pause(1000, &pause) != Status::kOk) continue;  // in time or not, no matter
        for (int i = 0; i < 50; ++i) {
          if (vm->state() != VmState::kPaused) undone.fetch_add(1);
        }
        (void)vm->Resume();
      }
    });
  }
  FreezeOptions options;
  options.handshake_timeout_ns = 200'000;
  for (int i = 0; i < Rounds(300, 100); ++i) {
    CHECK(TryFreeze({running, stuck}, options).status == Status::kPauseTimeout);
  }
  over.store(true);
  for (std::thread& user : users) user.join();
  CHECK(undone.load() == 0);
}

// ── The deadline ──────────────────────────────────────────────────────────────────────────────

TEST_CASE("freeze: the deadline releases while the caller does nothing, and says so") {
  const Vms vms = {StartVm("page-writer"), StartVm("queue")};
  const auto freeze = BeginFreeze(vms, Patient(30 * kMillisecondNs));
  const int64_t deadline_ns = HostMonotonicNs() + freeze->RemainingNs();
  std::vector<uint64_t> steps;
  for (const auto& record : freeze->Records()) steps.push_back(record.steps_at_halt);
  // Seen by the guests' own progress.
  for (size_t i = 0; i < vms.size(); ++i) {
    CHECK(Eventually([&] { return StepsOf(*vms[i]) > steps[i]; }));
  }
  CHECK(Eventually([&] { return freeze->released(); }));
  CHECK(freeze->RemainingNs() <= 0);
  freeze->Release();
  CHECK(Eventually([&] { return AllResumed(*freeze); }));
  for (const FreezeRecord& record : freeze->Records()) {
    CheckMonotone(record);
    CHECK(record.resumed_by == ResumedBy::kDeadline);
    CHECK(record.released_at_ns >= deadline_ns - kMillisecondNs);
  }
}

TEST_CASE("freeze: the deadline releases though nobody holds the freeze any more") {
  const auto vm = StartVm("page-writer");
  BeginFreeze({vm}, Patient(10 * kMillisecondNs)).reset();
  CHECK(Eventually([&] { return vm->state() == VmState::kRunning; }));
  CHECK(RunsOn(*vm));
}

TEST_CASE(
    "freeze: of caller and deadline one wins, for all VMs alike, and no other freeze suffers") {
  constexpr uint64_t kSeed = 0xDEAD11;
  CAPTURE(kSeed);
  Prng random{kSeed};
  const Vms vms = {StartVm("page-writer"), StartVm("queue"), StartVm("hash-chain")};
  int by_caller = 0;
  int by_deadline = 0;
  for (int i = 0; i < Rounds(600, 150) || (by_caller == 0 || by_deadline == 0); ++i) {
    REQUIRE(i < 20'000);
    CAPTURE(i);
    const auto budget_ns = static_cast<int64_t>(500'000 + random.Below(500'000));
    std::shared_ptr<Freeze> freeze;
    size_t culprit = 0;
    const Status status = Freeze::Begin(vms, Patient(budget_ns), &freeze, &culprit);
    if (status == Status::kPauseTimeout) continue;  // a busy machine: the budget was too small
    REQUIRE(status == Status::kOk);
    // At the deadline, give or take.
    const int64_t until_ns =
        freeze->RemainingNs() + static_cast<int64_t>(random.Below(60'000)) - 10'000;
    SpinNs(until_ns);
    freeze->Release();
    REQUIRE(freeze->released());
    const auto records = freeze->Records();
    const ResumedBy by = records[0].resumed_by;
    REQUIRE(by != ResumedBy::kNobody);
    for (const FreezeRecord& record : records) REQUIRE(record.resumed_by == by);
    (by == ResumedBy::kCaller ? by_caller : by_deadline)++;

    // The next freeze of the same VMs: the last one's timer is no business of it.
    const auto next = BeginFreeze(vms);
    SpinNs(static_cast<int64_t>(random.Below(100'000)));
    REQUIRE_FALSE(next->released());
    for (size_t v = 0; v < vms.size(); ++v) {
      REQUIRE(vms[v]->state() == VmState::kPaused);
      REQUIRE(StepsOf(*vms[v]) == next->Records()[v].steps_at_halt);
    }
    next->Release();
  }
  MESSAGE("released by the caller " << by_caller << " times, by the deadline " << by_deadline);
}

TEST_CASE("freeze: two threads that release at once, and the deadline, release once") {
  const auto vm = StartVm("page-writer");
  for (int i = 0; i < Rounds(200, 50); ++i) {
    std::shared_ptr<Freeze> freeze;
    size_t culprit = 0;
    if (Freeze::Begin({vm}, Patient(400'000), &freeze, &culprit) != Status::kOk) continue;
    std::atomic<int> settled{0};
    freeze->OnSettled([&] { settled.fetch_add(1); });
    std::thread other([&] { freeze->Release(); });
    freeze->Release();
    other.join();
    REQUIRE(Eventually([&] { return settled.load() != 0; }));
    const auto record = freeze->Records()[0];
    SpinNs(50'000);
    REQUIRE(settled.load() == 1);
    REQUIRE(freeze->Records()[0].released_at_ns == record.released_at_ns);
  }
  CHECK(RunsOn(*vm));
}

TEST_CASE("freeze: a digest under way when the deadline comes is revoked, and the guest runs on") {
  const auto vm = StartVm(
      "page-writer",
      {.ram_bytes = 64 * kRamBytesMin, .params = {{"workingSet", 65536}}, .prefault = true});
  bool revoked = false;
  for (int i = 0; i < 50 && !revoked; ++i) {
    const auto freeze = BeginFreeze({vm}, Patient(20 * kMillisecondNs));
    const uint64_t steps = freeze->Records()[0].steps_at_halt;
    DigestResult digest;
    Status status;
    do {
      digest = {};
      status = vm->Digest({.threads = 1}, &digest);
    } while (status == Status::kOk);
    revoked = status == Status::kLeaseRevoked;
    REQUIRE((revoked || status == Status::kNotPaused));  // between two digests
    CHECK(digest.page_crcs.empty());
    CHECK(digest.value == 0);
    CHECK(Eventually([&] { return StepsOf(*vm) > steps; }));
    REQUIRE(Eventually([&] { return freeze->released(); }));
    CHECK(freeze->Records()[0].resumed_by == ResumedBy::kDeadline);
  }
  CHECK(revoked);
}

TEST_CASE("freeze: a check under way when the deadline comes is revoked") {
  // A check of that many entries takes longer than the budget.
  const auto vm = MakeVm("page-writer", {.ram_bytes = 64 * kRamBytesMin, .prefault = true});
  RunTo(*vm, 1000);
  REQUIRE(vm->Resume() == Status::kOk);
  bool revoked = false;
  for (int i = 0; i < 50 && !revoked; ++i) {
    const auto freeze = BeginFreeze({vm}, Patient(20 * kMillisecondNs));
    CheckReport report;
    Status status;
    do {
      status = vm->Check(&report);
      REQUIRE(report.ok);
    } while (status == Status::kOk);
    revoked = status == Status::kLeaseRevoked;
    REQUIRE((revoked || status == Status::kNotPaused));
  }
  CHECK(revoked);
}

// The bug: a pause (or epoch's end) between a release's two halves opened the RAM to readers again,
// who then read while the guest wrote.
TEST_CASE("freeze: no reader is let in between the release's first half and its second") {
  const Vms vms = {StartVm("page-writer"), StartVm("page-writer", {.seed = 2}),
                   StartVm("page-writer", {.seed = 3})};
  std::atomic<bool> over{false};
  std::atomic<int> strange{0};
  std::thread user([&] {
    while (!over.load()) {
      for (const auto& vm : vms) {
        EpochResult epoch;
        if (vm->EndEpoch(&epoch) != Status::kOk) strange.fetch_add(1);
        DigestResult digest;
        const Status status = vm->Digest({.threads = 1}, &digest);
        if (status != Status::kOk && status != Status::kNotPaused &&
            status != Status::kLeaseRevoked) {
          strange.fetch_add(1);
        }
        // A guest that runs is not read.
        if (vm->state() == VmState::kRunning && status == Status::kOk) std::this_thread::yield();
      }
    }
  });
  for (int i = 0; i < Rounds(500, 200); ++i) {
    const auto freeze = BeginFreeze(vms);
    SpinNs(i % 5 * 5'000);
    freeze->Release();
  }
  over.store(true);
  user.join();
  CHECK(strange.load() == 0);
}

// ── What else happens to a frozen VM ──────────────────────────────────────────────────────────

TEST_CASE("freeze: a VM closed inside it is left out, and the rest are released") {
  const auto stays = StartVm("page-writer");
  const auto goes = StartVm("page-writer");
  const auto freeze = BeginFreeze({goes, stays});
  goes->Close();
  CHECK(goes->state() == VmState::kClosed);
  freeze->Release();
  CHECK(RunsOn(*stays));
  CHECK(freeze->Records()[0].resumed_by == ResumedBy::kNobody);
  CHECK(freeze->Records()[1].resumed_by == ResumedBy::kCaller);
}

TEST_CASE("freeze: a VM destroyed by its owner inside it lives as long as the freeze") {
  auto vm = StartVm("page-writer");
  const std::weak_ptr<Vm> watch = vm;
  auto freeze = BeginFreeze({vm}, Patient(20 * kMillisecondNs));
  vm.reset();
  CHECK_FALSE(watch.expired());
  CHECK(Eventually([&] { return freeze->released(); }));
  freeze.reset();
  CHECK(Eventually([&] { return watch.expired(); }));
}

TEST_CASE("freeze: a VM closed while others freeze and release it does no harm") {
  for (int i = 0; i < Rounds(100, 30); ++i) {
    const auto goes = StartVm("page-writer");
    const auto stays = StartVm("hash-chain");
    std::thread closer([&] {
      SpinNs(i * 3'000);
      goes->Close();
    });
    for (int round = 0; round < 8; ++round) {
      std::shared_ptr<Freeze> freeze;
      size_t culprit = 7;
      const Status status = Freeze::Begin({stays, goes}, Patient(), &freeze, &culprit);
      REQUIRE((status == Status::kOk || status == Status::kClosed));
      if (status == Status::kClosed) REQUIRE(culprit == 1);
      if (freeze != nullptr) freeze->Release();
    }
    closer.join();
    REQUIRE(goes->state() == VmState::kClosed);
    REQUIRE(RunsOn(*stays));
  }
}

TEST_CASE("freeze: a pending runUntil stands still and then goes on to its exact step") {
  const auto vm = MakeVm("page-writer");
  const uint64_t target = kSanitized ? 400'000 : 4'000'000;
  const Answer answer;
  REQUIRE(vm->RunUntil(target, Answer(answer).Callback()) == Status::kOk);
  int held = 0;
  while (answer.count() == 0) {
    const auto freeze = BeginFreeze({vm});
    if (freeze->Records()[0].was_running) {
      ++held;
      CHECK(freeze->Records()[0].steps_at_halt <= target);
    }
    SpinNs(20'000);
    freeze->Release();
    SleepNs(100'000);
  }
  CHECK(held > 0);
  CHECK(answer.status() == Status::kOk);
  CHECK(StepsOf(*vm) == target);
  CHECK(vm->state() == VmState::kPaused);
}

TEST_CASE("freeze: overlapping freezes from several threads exclude each other and all end") {
  const Vms vms = {StartVm("page-writer"), StartVm("queue"), StartVm("hash-chain"),
                   StartVm("idle")};
  std::atomic<int> strange{0};
  std::atomic<int> held{0};
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      Prng random{t};
      for (int i = 0; i < Rounds(400, 80); ++i) {
        Vms some;
        const uint64_t first = random.Below(4);
        for (uint64_t v = 0; v <= random.Below(4); ++v) some.push_back(vms[(first + v) % 4]);
        std::shared_ptr<Freeze> freeze;
        size_t culprit = 0;
        const Status status = Freeze::Begin(some, Patient(), &freeze, &culprit);
        if (status == Status::kBusy && culprit < some.size()) continue;
        if (status != Status::kOk) {
          strange.fetch_add(1);
          continue;
        }
        held.fetch_add(1);
        for (const auto& vm : some) {
          if (vm->state() != VmState::kPaused) strange.fetch_add(1);
        }
        freeze->Release();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(strange.load() == 0);
  CHECK(held.load() > 0);
  for (const auto& vm : vms) CHECK(RunsOn(*vm));
}

// ── Settling ──────────────────────────────────────────────────────────────────────────────────

TEST_CASE("freeze: settles once, when its clocks are synchronised, and tells late comers at once") {
  const auto vm = StartVm("ticker");
  const auto freeze = BeginFreeze({vm});
  std::atomic<int> early{0};
  freeze->OnSettled([&] { early.fetch_add(1); });
  freeze->OnSettled([&] { early.fetch_add(1); });
  SleepNs(3 * kMillisecondNs);
  CHECK(early.load() == 0);
  freeze->Release();
  CHECK(early.load() == 2);
  int late = 0;
  freeze->OnSettled([&] { ++late; });
  CHECK(late == 1);
  const FreezeRecord record = freeze->Records()[0];
  CHECK(record.sync.done == SyncMode::kStep);
  CHECK(record.sync.lag_before_ns >= 3 * kMillisecondNs);
  CHECK(record.sync.lag_after_ns < record.sync.lag_before_ns);
  CHECK(record.sync.at_ns >= record.released_at_ns);
}

TEST_CASE("freeze: a delayed synchronisation leaves the guest's wall clock behind until then") {
  const auto vm = StartVm("ticker");
  FreezeOptions options = Patient();
  options.sync = SyncPolicy{.delay_ns = 300 * kMillisecondNs};
  const auto freeze = BeginFreeze({vm}, options);
  std::atomic<bool> settled{false};
  freeze->OnSettled([&] { settled.store(true); });
  SleepNs(10 * kMillisecondNs);
  freeze->Release();
  const int64_t lag_ns = StatsOf(*vm).clock_lag_ns;
  if (!settled.load()) CHECK(lag_ns >= 9 * kMillisecondNs);  // else the machine slept
  REQUIRE(Eventually([&] { return settled.load(); }));
  const FreezeRecord record = freeze->Records()[0];
  CHECK(record.sync.at_ns >= record.released_at_ns + options.sync->delay_ns);
  CHECK(record.sync.lag_before_ns >= 9 * kMillisecondNs);
  CHECK(StatsOf(*vm).clock_lag_ns < lag_ns / 2);
}

TEST_CASE("freeze: without synchronisation the guest's wall clock stays behind by the pause") {
  const auto vm = StartVm("ticker");
  FreezeOptions options = Patient();
  options.sync = SyncPolicy{.mode = SyncMode::kOff};
  const auto freeze = BeginFreeze({vm}, options);
  SleepNs(10 * kMillisecondNs);
  freeze->Release();
  const FreezeRecord record = freeze->Records()[0];
  CHECK(record.sync.done == SyncMode::kOff);
  CHECK(record.sync.lag_after_ns >= 9 * kMillisecondNs);
  CHECK(StatsOf(*vm).clock_lag_ns >= 9 * kMillisecondNs);
}

TEST_CASE("freeze: synchronises each clock by its VM's own policy, after its own delay") {
  const auto with = [](const SyncPolicy& sync) { return StartVm("ticker", {.sync = sync}); };
  const auto steps = with({});
  const auto stays = with({.mode = SyncMode::kOff});
  const auto later = with({.delay_ns = 400 * kMillisecondNs});
  const auto slews =
      with({.mode = SyncMode::kSlew, .delay_ns = 200 * kMillisecondNs, .slew_ppm = 100'000});
  const auto halted = with({.delay_ns = 3600 * kSecondNs});  // not waited for: it had no pause
  Pause(*halted);
  const auto freeze = BeginFreeze({later, steps, slews, stays, halted});
  std::atomic<int> settled{0};
  freeze->OnSettled([&] { settled.fetch_add(1); });
  SleepNs(10 * kMillisecondNs);
  freeze->Release();
  const auto at_once = freeze->Records();
  const bool early = settled.load() == 0;  // else the machine slept
  CHECK(at_once[1].sync.at_ns != 0);
  CHECK(at_once[3].sync.at_ns != 0);
  if (early) CHECK(at_once[0].sync.at_ns == 0);
  REQUIRE(Eventually([&] { return settled.load() == 1; }));

  const auto records = freeze->Records();
  for (size_t i = 0; i < 4; ++i) {
    CAPTURE(i);
    CHECK(records[i].sync.lag_before_ns >= 9 * kMillisecondNs);
  }
  CHECK(records[0].sync.done == SyncMode::kStep);
  CHECK(records[0].sync.at_ns >= records[0].released_at_ns + 400 * kMillisecondNs);
  CHECK(records[0].sync.lag_after_ns <= records[0].sync.bracket_ns + kClockResolutionNs);
  CHECK(records[1].sync.done == SyncMode::kStep);
  CHECK(records[1].sync.at_ns == at_once[1].sync.at_ns);  // once, whenever the others are
  CHECK(records[1].sync.lag_after_ns <= records[1].sync.bracket_ns + kClockResolutionNs);
  CHECK(records[2].sync.done == SyncMode::kSlew);
  CHECK(records[2].sync.at_ns >= records[2].released_at_ns + 200 * kMillisecondNs);
  CHECK(records[2].sync.at_ns <= records[0].sync.at_ns);
  CHECK(Eventually([&] { return StatsOf(*slews).clock_lag_ns < 5 * kMillisecondNs; }));
  CHECK(records[3].sync.done == SyncMode::kOff);
  CHECK(StatsOf(*stays).clock_lag_ns >= 9 * kMillisecondNs);
  CHECK(records[4].sync.at_ns == 0);
  CHECK(settled.load() == 1);
}

TEST_CASE("freeze: a policy of its own holds for every VM, whatever the VM's is") {
  const Vms vms = {StartVm("ticker"), StartVm("ticker", {.sync = {.delay_ns = 3600 * kSecondNs}})};
  FreezeOptions options = Patient();
  options.sync = SyncPolicy{.mode = SyncMode::kOff};
  const auto freeze = BeginFreeze(vms, options);
  std::atomic<bool> settled{false};
  freeze->OnSettled([&] { settled.store(true); });
  SleepNs(10 * kMillisecondNs);
  freeze->Release();
  CHECK(settled.load());
  for (const FreezeRecord& record : freeze->Records()) CHECK(record.sync.done == SyncMode::kOff);
  for (const auto& vm : vms) CHECK(StatsOf(*vm).clock_lag_ns >= 9 * kMillisecondNs);
}

}  // namespace standstill
