// The pause gate: a guest that has acknowledged stands still and all that it wrote is visible; each
// request ends in exactly one of halted and withdrawn; a late release finds another generation; a
// sleeping guest is paused without being woken.
#include "standstill/pause_gate.h"

#include <doctest/doctest.h>
#include <sys/types.h>

#include <filesystem>
#include <limits>
#include <set>
#include <thread>

#include "support.h"

namespace standstill {
namespace {

using namespace testing;

// A guest that counts, with plain stores: whoever reads the count of a halted guest must see all of
// it, and ThreadSanitizer watches.
class CountingGuest {
 public:
  explicit CountingGuest(bool sleeps = false) : sleeps_(sleeps), thread_([this] { Main(); }) {}
  ~CountingGuest() {
    gate.Stop();
    thread_.join();
  }

  void Release() {
    const uint32_t generation = gate.generation();
    REQUIRE(gate.BeginRelease(generation));
    gate.FinishRelease(generation);
  }
  uint64_t count() const { return count_; }  // halted

  PauseGate gate;

 private:
  void Main() {
    if (!gate.AwaitRelease()) return;
    for (;;) {
      if (gate.Open()) {
        ++count_;
        if (sleeps_ && count_ % 64 == 0 && !Sleep()) return;
      } else if (gate.requested()) {
        if (gate.Acknowledge() && !gate.AwaitRelease()) return;
      } else if (gate.stopping()) {
        return;
      }
    }
  }
  bool Sleep() {
    if (!gate.EnterIdle()) return true;
    return gate.SleepIdle(20'000) && gate.LeaveIdle();
  }

  const bool sleeps_;
  uint64_t count_ = 0;
  std::thread thread_;
};

// A gate whose guest side this thread plays.
void ReleaseAlone(PauseGate& gate) {
  const uint32_t generation = gate.generation();
  REQUIRE(gate.BeginRelease(generation));
  gate.FinishRelease(generation);
}

}  // namespace

// ── The word ──────────────────────────────────────────────────────────────────────────────────

TEST_CASE("gate: starts halted at generation 0, and a request of a halted gate asks for nothing") {
  PauseGate gate;
  CHECK(gate.state() == PauseGate::kHalted);
  CHECK(gate.generation() == 0);
  const PauseGate::Ticket ticket = gate.Request(false);
  CHECK_FALSE(ticket.requested);
  CHECK(ticket.halted);
  CHECK(ticket.generation == 0);
  CHECK(gate.WaitHalted(0, 1));
}

TEST_CASE(
    "gate: a withdrawn request leaves the guest running, and an acknowledgement is too late") {
  PauseGate gate;
  ReleaseAlone(gate);
  const PauseGate::Ticket ticket = gate.Request(false);
  CHECK(ticket.requested);
  CHECK_FALSE(ticket.halted);
  CHECK(gate.state() == PauseGate::kRequested);
  CHECK_FALSE(gate.WaitHalted(ticket.generation, 1));
  CHECK(gate.Withdraw(ticket.generation));
  CHECK(gate.state() == PauseGate::kRunning);
  CHECK(gate.Open());
  CHECK_FALSE(gate.Acknowledge());
  CHECK_FALSE(gate.Withdraw(ticket.generation));
}

TEST_CASE("gate: a release or withdrawal of an earlier generation changes nothing") {
  PauseGate gate;
  ReleaseAlone(gate);
  const uint32_t first = gate.Request(false).generation;
  REQUIRE(gate.Acknowledge());
  ReleaseAlone(gate);
  const uint32_t second = gate.Request(false).generation;
  CHECK(second == first + 1);
  CHECK_FALSE(gate.Withdraw(first));
  CHECK_FALSE(gate.BeginRelease(second));  // not halted yet
  REQUIRE(gate.Acknowledge());
  CHECK_FALSE(gate.BeginRelease(first));
  CHECK_FALSE(gate.Withdraw(second));  // halted meanwhile
  CHECK(gate.state() == PauseGate::kHalted);
  CHECK(gate.generation() == second);
}

TEST_CASE("gate: a guest that would halt by itself finds a request that came first") {
  PauseGate gate;
  ReleaseAlone(gate);
  const uint32_t requested = gate.Request(false).generation;
  CHECK_FALSE(gate.HaltSelf());
  CHECK(gate.Acknowledge());
  CHECK(gate.WaitHalted(requested, 1));
  ReleaseAlone(gate);
  CHECK(gate.HaltSelf());
  CHECK(gate.generation() == requested + 1);
  const PauseGate::Ticket late = gate.Request(false);
  CHECK_FALSE(late.requested);
  CHECK(late.generation == requested + 1);
}

TEST_CASE("gate: a sleeping guest is halted on the spot and stays asleep through the release") {
  PauseGate gate;
  ReleaseAlone(gate);
  REQUIRE(gate.EnterIdle());
  CHECK(gate.idle());
  CHECK_FALSE(gate.Open());
  const PauseGate::Ticket ticket = gate.Request(true);
  CHECK(ticket.requested);
  CHECK(ticket.halted);
  CHECK(gate.state() == PauseGate::kHalted);
  ReleaseAlone(gate);
  CHECK(gate.state() == PauseGate::kRunning);
  CHECK(gate.idle());
  CHECK(gate.LeaveIdle());
  CHECK_FALSE(gate.idle());
  CHECK(gate.Open());
}

TEST_CASE("gate: a guest cannot fall asleep over a request") {
  PauseGate gate;
  ReleaseAlone(gate);
  (void)gate.Request(false);
  CHECK_FALSE(gate.EnterIdle());
  CHECK(gate.Acknowledge());
}

TEST_CASE("gate: stopping ends every wait of the guest") {
  PauseGate gate;
  gate.Stop();
  CHECK(gate.stopping());
  CHECK_FALSE(gate.Open());
  CHECK_FALSE(gate.AwaitRelease());
  CHECK_FALSE(gate.SleepIdle(kPatienceNs));
  CHECK_FALSE(gate.LeaveIdle());
}

TEST_CASE("gate: the generation comes round after 2^25 freezes and goes on from 0" *
          doctest::skip(kSanitized)) {
  PauseGate gate;
  ReleaseAlone(gate);
  REQUIRE(gate.EnterIdle());
  for (uint32_t i = 1; i <= PauseGate::kGenerationMask; ++i) {
    const PauseGate::Ticket ticket = gate.Request(false);
    if (ticket.generation != i) FAIL(ticket.generation << " after " << i << " requests");
    if (!gate.BeginRelease(i)) FAIL("no release of " << i);
    gate.FinishRelease(i);
  }
  const PauseGate::Ticket first = gate.Request(false);
  CHECK(first.generation == 0);
  CHECK(first.halted);
  CHECK(gate.idle());
  ReleaseAlone(gate);
  CHECK(gate.Request(false).generation == 1);
}

// ── Host and guest ────────────────────────────────────────────────────────────────────────────

TEST_CASE("gate: what a guest wrote before it halted is visible, and it writes nothing more") {
  for (const bool sleeps : {false, true}) {
    for (const bool park_at_once : {false, true}) {
      CAPTURE(sleeps);
      CAPTURE(park_at_once);
      Prng random{0x6A7E};
      CountingGuest guest(sleeps);
      uint64_t before = 0;
      guest.Release();
      for (int i = 0; i < Rounds(3000, 500); ++i) {
        const PauseGate::Ticket ticket = guest.gate.Request(park_at_once);
        REQUIRE(ticket.requested);
        REQUIRE(guest.gate.WaitHalted(ticket.generation, kPatienceNs));
        const uint64_t count = guest.count();
        REQUIRE(count >= before);
        before = count;
        // Past the guest's spinning, too.
        SpinNs(static_cast<int64_t>(random.Below(i % 50 == 0 ? 120'000 : 3'000)));
        REQUIRE(guest.count() == count);
        guest.Release();
        SpinNs(static_cast<int64_t>(random.Below(5'000)));
      }
    }
  }
}

TEST_CASE("gate: a request ends in exactly one of withdrawn and halted") {
  constexpr uint64_t kSeed = 0x317D;
  CAPTURE(kSeed);
  Prng random{kSeed};
  CountingGuest guest;
  guest.Release();
  for (int i = 0; i < Rounds(20'000, 3'000); ++i) {
    const PauseGate::Ticket ticket = guest.gate.Request(false);
    REQUIRE(ticket.requested);
    for (uint64_t spins = random.Below(40); spins != 0; --spins) CpuRelax();
    if (guest.gate.Withdraw(ticket.generation)) {
      REQUIRE_FALSE(guest.gate.BeginRelease(ticket.generation));
      continue;
    }
    REQUIRE(guest.gate.WaitHalted(ticket.generation, 1));
    const uint64_t count = guest.count();
    for (uint64_t spins = random.Below(40); spins != 0; --spins) CpuRelax();
    REQUIRE(guest.count() == count);
    guest.Release();
  }
}

TEST_CASE("gate: of many who release one generation, one wins") {
  constexpr int kThreads = 4;
  const int rounds = Rounds(600, 200);
  CountingGuest guest;
  std::atomic<uint32_t> generation{0};
  std::atomic<int> round{0};
  std::atomic<int> wins{0};
  std::atomic<int> finished{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 1; i <= rounds; ++i) {
        while (round.load() < i) std::this_thread::yield();
        if (guest.gate.BeginRelease(generation.load())) {
          wins.fetch_add(1);
          guest.gate.FinishRelease(generation.load());
        }
        finished.fetch_add(1);
      }
    });
  }
  int lost = 0;
  for (int i = 1; i <= rounds; ++i) {
    round.store(i);
    while (finished.load() < i * kThreads) std::this_thread::yield();
    if (wins.load() != i) ++lost;
    const PauseGate::Ticket ticket = guest.gate.Request(false);
    if (!ticket.requested || !guest.gate.WaitHalted(ticket.generation, kPatienceNs)) ++lost;
    generation.store(ticket.generation);
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(lost == 0);
}

// ── A VM's pause ──────────────────────────────────────────────────────────────────────────────

TEST_CASE("pause: halts a running guest at a step, twice is once, and resume runs it on") {
  const auto vm = StartVm("page-writer");
  CHECK(RunsOn(*vm));
  const PauseResult pause = Pause(*vm);
  CHECK(pause.halt_ns > 0);
  CHECK(pause.latency_ns >= pause.halt_ns);
  CHECK(vm->state() == VmState::kPaused);
  const uint64_t steps = StepsOf(*vm);
  const uint64_t digest = DigestOf(*vm).value;
  const PauseResult again = Pause(*vm);
  CHECK(again.halt_ns == 0);
  CHECK(again.latency_ns == 0);
  CHECK(vm->state() == VmState::kPaused);
  SleepNs(2 * kMillisecondNs);
  CHECK(StepsOf(*vm) == steps);
  CHECK(DigestOf(*vm).value == digest);
  CHECK(vm->Resume() == Status::kOk);
  CHECK(vm->Resume() == Status::kOk);
  CHECK(RunsOn(*vm));
}

TEST_CASE("pause: a VM that was never started stays so") {
  const auto vm = MakeVm("page-writer");
  Pause(*vm);
  CHECK(vm->state() == VmState::kCreated);
  CHECK(vm->Resume() == Status::kNotStarted);
  CHECK(StepsOf(*vm) == 0);
  CHECK(vm->Start() == Status::kOk);
  CHECK(RunsOn(*vm));
}

namespace {

std::set<std::string> ThreadIds() {
  std::set<std::string> ids;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    ids.insert(entry.path().filename());
  }
  return ids;
}

struct Sleeper {
  std::string state;
  uint64_t switches = 0;
  bool operator==(const Sleeper&) const = default;
};
Sleeper SleeperOf(const std::string& thread) {
  Sleeper sleeper;
  std::ifstream status("/proc/self/task/" + thread + "/status");
  for (std::string word; status >> word;) {
    if (word == "State:") status >> sleeper.state;
    if (word == "voluntary_ctxt_switches:") status >> sleeper.switches;
  }
  return sleeper;
}

}  // namespace

TEST_CASE("pause: a sleeping guest is paused and resumed without being woken") {
  const auto before = ThreadIds();
  // Sleeps for a minute after each step.
  const auto vm = MakeVm("idle", {.params = {{"wakeIntervalUs", 60e6}}});
  std::string thread;
  for (const auto& id : ThreadIds()) {
    if (!before.contains(id)) thread = id;
  }
  REQUIRE(vm->Start() == Status::kOk);
  REQUIRE(Eventually([&] { return StepsOf(*vm) == 1 && vm->state() == VmState::kIdle; }));
  REQUIRE(Eventually([&] { return SleeperOf(thread).state == "S"; }));
  const Sleeper asleep = SleeperOf(thread);
  for (int i = 0; i < 200; ++i) {
    const PauseResult pause = Pause(*vm);
    REQUIRE(pause.latency_ns > 0);
    REQUIRE(vm->state() == VmState::kPaused);
    if (i == 0) CHECK(InvariantsHold(*vm));
    REQUIRE(vm->Resume() == Status::kOk);
    REQUIRE(vm->state() == VmState::kIdle);
  }
  CHECK(StepsOf(*vm) == 1);
  CHECK(SleeperOf(thread).state == asleep.state);
  CHECK(SleeperOf(thread).switches == asleep.switches);
}

TEST_CASE(
    "pause: a guest that sleeps often and is paused often wakes by its own clock, each time") {
  const auto vm = StartVm("idle", {.params = {{"wakeIntervalUs", 100}}});
  for (int i = 0; i < Rounds(500, 150); ++i) {
    Pause(*vm);
    const uint64_t steps = StepsOf(*vm);
    if (i % 10 == 0) SleepNs(300'000);
    REQUIRE(StepsOf(*vm) == steps);
    REQUIRE(vm->Resume() == Status::kOk);
    SpinNs(i % 7 * 20'000);
  }
  CHECK(RunsOn(*vm));
  Pause(*vm);
  CHECK(InvariantsHold(*vm));
}

TEST_CASE("pause: a guest without a safepoint gives a timeout, and then runs on") {
  const auto vm = MakeVm(kBlockingProgram, {.seed = 0});
  REQUIRE(vm->Start() == Status::kOk);
  REQUIRE(RunsOn(*vm));
  uint64_t steps = 0;
  uint32_t epoch = 0;
  {
    const BlockedGuest blocked(0);
    steps = StepsOf(*vm);
    epoch = StatsOf(*vm).epoch;
    PauseResult result;
    CHECK(vm->Pause(5 * kMillisecondNs, &result) == Status::kPauseTimeout);
    CHECK(vm->state() == VmState::kRunning);
    CHECK(vm->Pause(1, &result) == Status::kPauseTimeout);
    CHECK(vm->state() == VmState::kRunning);
    CHECK(StepsOf(*vm) == steps);
    CHECK(StatsOf(*vm).epoch == epoch);
    DigestResult digest;
    CHECK(vm->Digest({}, &digest) == Status::kNotPaused);
  }
  CHECK(RunsOn(*vm));
  CHECK(StatsOf(*vm).paused_total_ns == 0);
  Pause(*vm);
  CHECK(vm->state() == VmState::kPaused);
}

TEST_CASE("pause: a guest that answers within the longest timeout there is, is paused") {
  const auto vm = StartVm("page-writer");
  for (int i = 0; i < 20; ++i) {
    PauseResult result;
    REQUIRE(vm->Pause(std::numeric_limits<int64_t>::max(), &result) == Status::kOk);
    REQUIRE(vm->Resume() == Status::kOk);
  }
  // So too where the host goes to sleep over it.
  const auto slow = MakeVm(kBlockingProgram, {.seed = 1});
  REQUIRE(slow->Start() == Status::kOk);
  auto blocked = std::make_unique<BlockedGuest>(1);
  std::thread later([&] {
    SleepNs(5 * kMillisecondNs);
    blocked.reset();
  });
  PauseResult result;
  CHECK(slow->Pause(std::numeric_limits<int64_t>::max(), &result) == Status::kOk);
  later.join();
}

TEST_CASE("pause: many threads pause and resume one VM, and each pause holds while it is held") {
  constexpr int kThreads = 4;
  const auto vm = StartVm("kv-store");
  std::atomic<bool> over{false};
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Prng random{static_cast<uint64_t>(t)};
      for (int i = 0; i < Rounds(1500, 250); ++i) {
        PauseResult result;
        const bool resumes = random.Below(2) == 0;
        const Status status = resumes ? vm->Resume() : vm->Pause(kPatienceNs, &result);
        if (status != Status::kOk) failures.fetch_add(1);
        DigestResult digest;
        if (!resumes && random.Below(8) == 0) {
          const Status read = vm->Digest({.threads = 1}, &digest);
          const bool expected =
              read == Status::kOk || read == Status::kNotPaused || read == Status::kLeaseRevoked;
          if (!expected) failures.fetch_add(1);
        }
      }
    });
  }
  std::thread watcher([&] {
    while (!over.load()) {
      (void)vm->state();
      VmStats stats;
      if (vm->Stats(&stats) != Status::kOk) failures.fetch_add(1);
    }
  });
  for (std::thread& thread : threads) thread.join();
  over.store(true);
  watcher.join();
  CHECK(failures.load() == 0);
  REQUIRE(vm->Resume() == Status::kOk);
  CHECK(RunsOn(*vm));
  Pause(*vm);
  CHECK(InvariantsHold(*vm));
}

TEST_CASE("pause: a state asked for at any moment is one of those that the VM can be in") {
  const auto vm = StartVm("idle", {.params = {{"wakeIntervalUs", 1}}});
  std::atomic<bool> over{false};
  std::atomic<int> strange{0};
  std::thread watcher([&] {
    while (!over.load()) {
      const VmState state = vm->state();
      if (state == VmState::kFaulted || state == VmState::kCreated || state == VmState::kClosed) {
        strange.fetch_add(1);
      }
    }
  });
  for (int i = 0; i < Rounds(3000, 500); ++i) {
    Pause(*vm);
    REQUIRE(vm->Resume() == Status::kOk);
  }
  over.store(true);
  watcher.join();
  CHECK(strange.load() == 0);
}

}  // namespace standstill
