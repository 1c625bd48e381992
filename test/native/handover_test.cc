// The hand-over: a live copy holds the RAM exactly as it stood at its epoch's end, whoever copied
// which page first, and a guest that waits for a copier can be paused.
#include "memory/handover.h"

#include <doctest/doctest.h>
#include <sys/mman.h>

#include <cstring>
#include <thread>
#include <vector>

#include "flat_sink.h"
#include "memory/lease.h"
#include "standstill/freeze.h"
#include "support.h"

namespace standstill {
namespace {

using namespace testing;

std::unique_ptr<GuestRam> MakeRam(uint64_t size_bytes = kRamBytesMin) {
  std::unique_ptr<GuestRam> ram;
  REQUIRE(GuestRam::Create(size_bytes, false, &ram) == Status::kOk);
  return ram;
}
std::unique_ptr<Handover> MakeHandover(const GuestRam& ram, HandoverWaiter waiter = {}) {
  std::unique_ptr<Handover> handover;
  REQUIRE(Handover::Create(ram, waiter, &handover) == Status::kOk);
  return handover;
}
void FillAtRandom(GuestRam& ram, uint64_t seed) {
  Prng random{seed};
  for (uint64_t at = 0; at < ram.size_bytes(); at += 8) {
    const uint64_t word = random.Next();
    std::memcpy(ram.base() + at, &word, 8);
  }
}

// A page of RAM that is out of reach for whoever reads it first: a copier that has claimed it, who
// then stands still in the middle of copying it until it is let go, as one that was preempted.
class TrapPage {
 public:
  explicit TrapPage(std::byte* page) {
    trap_ = page;
    caught_.store(false);
    let_go_.store(false);
    struct sigaction action {};
    action.sa_sigaction = &OnFault;
    action.sa_flags = SA_SIGINFO;
    sigfillset(&action.sa_mask);
    REQUIRE(sigaction(SIGSEGV, &action, &before_) == 0);
    REQUIRE(mprotect(trap_, kPageBytes, PROT_NONE) == 0);
  }
  ~TrapPage() {
    LetGo();
    mprotect(trap_, kPageBytes, PROT_READ | PROT_WRITE);
    sigaction(SIGSEGV, &before_, nullptr);
  }
  TrapPage(const TrapPage&) = delete;
  TrapPage& operator=(const TrapPage&) = delete;

  bool Catches() {
    return Eventually([] { return caught_.load(); });
  }
  void LetGo() { let_go_.store(true); }

 private:
  static void OnFault(int, siginfo_t* info, void*) {
    auto* const at = static_cast<std::byte*>(info->si_addr);
    if (at < trap_ || at >= trap_ + kPageBytes) {
      std::signal(SIGSEGV, SIG_DFL);  // someone else's: happens again, and kills
      return;
    }
    mprotect(trap_, kPageBytes, PROT_READ | PROT_WRITE);
    caught_.store(true);
    while (!let_go_.load()) {
      const timespec pause = {.tv_sec = 0, .tv_nsec = 100'000};
      nanosleep(&pause, nullptr);
    }
  }

  static inline std::byte* trap_ = nullptr;
  static inline std::atomic<bool> caught_{false};
  static inline std::atomic<bool> let_go_{false};
  struct sigaction before_ {};
};

// Writes page 0 twice a step with a wait between the two stores: page 0 and page kFarPage, which
// the copier holds. A guest that waits for the latter is in the middle of a step.
struct TwoPageGuest {
  static constexpr uint64_t kFarPage = 100;
  static constexpr std::string_view kName = "test-two-pages";
  static constexpr std::string_view kSummary = "";
  static constexpr std::array<ParamSpec, 0> kParams = {};
  static constexpr uint32_t kQuantumSteps = 1;
  static constexpr bool kReadsClock = false;
  struct Registers {
    uint64_t steps;
  };
  static inline std::byte* far_page = nullptr;  // of the VM made last
  static void Init(const InitContext& context, Registers&) {
    far_page = context.ram.base() + kFarPage * kPageBytes;
  }
  template <class Ram>
  static int64_t Step(Registers& r, Ram& ram, const Inputs&) {
    ++r.steps;
    ram.template Store<uint64_t>(0, r.steps);
    ram.template Store<uint64_t>(kFarPage * kPageBytes, r.steps);
    return kContinue;
  }
  static CheckReport Check(const Registers& r, LeasedReader& ram) {
    CheckReport report;
    uint64_t near = 0;
    uint64_t far = 0;
    ram.Load(0, &near);
    ram.Load(kFarPage * kPageBytes, &far);
    report.ok = near == r.steps && far == r.steps;
    return report;
  }
};
constexpr Program kTwoPageProgram = MakeProgram<TwoPageGuest>();

// A live copy of a two-page guest whose copier is caught with the guest's second page claimed.
class CaughtCopy {
 public:
  explicit CaughtCopy(std::shared_ptr<Vm> vm)
      : vm_(std::move(vm)), content_(vm_->config().ram_bytes) {
    Pause(*vm_);  // no step of the guest's until the copier has the page
    trap_ = std::make_unique<TrapPage>(TwoPageGuest::far_page);
    copier_ = std::thread([this] { status_ = LiveCopy(*vm_, content_.data(), &step_, progress_); });
    if (trap_->Catches()) return;
    (void)Finish();
    FAIL("the copier was not caught");
  }
  ~CaughtCopy() { (void)Finish(); }
  Status Finish() {
    trap_->LetGo();
    if (copier_.joinable()) copier_.join();
    return status_;
  }
  // Runs the guest into its wait for the copier.
  void Resume() { REQUIRE(vm_->Resume() == Status::kOk); }
  void LetGo() { trap_->LetGo(); }
  void Cancel() { progress_.Cancel(); }
  uint64_t step() const { return step_; }
  const std::vector<std::byte>& Content() const { return content_; }

 private:
  const std::shared_ptr<Vm> vm_;
  std::vector<std::byte> content_;
  Progress progress_;
  std::unique_ptr<TrapPage> trap_;
  std::thread copier_;
  Status status_ = Status::kOk;
  uint64_t step_ = 0;
};

std::shared_ptr<Vm> TwoPageVm() {
  const auto vm = MakeVm(kTwoPageProgram);
  REQUIRE(vm->Start() == Status::kOk);
  REQUIRE(RunsOn(*vm));
  return vm;
}

// The guest waits inside a step: page 0 has been written and its partner not. Pauses it there.
void PauseMidStep(Vm& vm) {
  REQUIRE(Eventually([&] {
    Pause(vm);
    std::vector<std::byte> registers;
    const Status status = vm.ReadRegisters(&registers);
    if (status == Status::kBusy) return true;
    REQUIRE(status == Status::kOk);
    REQUIRE(vm.Resume() == Status::kOk);
    return false;
  }));
}

}  // namespace

// ── The protocol ──────────────────────────────────────────────────────────────────────────────

TEST_CASE("handover: a guest's first write to a page saves it, its second does not") {
  const auto ram = MakeRam();
  FillAtRandom(*ram, 1);
  const auto handover = MakeHandover(*ram);
  std::vector<std::byte> target(ram->size_bytes());
  FlatSink sink(target.data());
  handover->Begin(&sink);
  CHECK_FALSE(handover->Finished());
  handover->BeforeWrite(5);
  CHECK(handover->pages_saved_by_guest() == 1);
  CHECK(std::memcmp(target.data() + 5 * kPageBytes, ram->base() + 5 * kPageBytes, kPageBytes) == 0);
  const std::byte before = ram->base()[5 * kPageBytes];
  ram->base()[5 * kPageBytes] ^= std::byte{0xFF};
  handover->BeforeWrite(5);
  CHECK(handover->pages_saved_by_guest() == 1);
  CHECK(target[5 * kPageBytes] == before);
  CopyPages(*handover, 0, ram->pages());
  CHECK(handover->Finished());
  handover->AwaitFinished();
  CHECK(target[5 * kPageBytes] == before);
  target[5 * kPageBytes] ^= std::byte{0xFF};
  CHECK(std::memcmp(target.data(), ram->base(), ram->size_bytes()) == 0);
}

TEST_CASE("handover: a guest that writes every page needs no copier") {
  const auto ram = MakeRam();
  FillAtRandom(*ram, 2);
  const auto handover = MakeHandover(*ram);
  std::vector<std::byte> target(ram->size_bytes());
  FlatSink sink(target.data());
  handover->Begin(&sink);
  for (uint64_t page = 0; page < ram->pages(); ++page) {
    CHECK_FALSE(handover->Finished());
    handover->BeforeWrite(page);
  }
  CHECK(handover->Finished());
  CHECK(std::memcmp(target.data(), ram->base(), ram->size_bytes()) == 0);
}

TEST_CASE("handover: a copy after a copy saves every page anew, with nothing reset between") {
  const auto ram = MakeRam();
  const auto handover = MakeHandover(*ram);
  std::vector<std::byte> target(ram->size_bytes());
  FlatSink sink(target.data());
  for (uint64_t copy = 0; copy < 50; ++copy) {
    FillAtRandom(*ram, copy);
    handover->Begin(&sink);
    CHECK(handover->pages_saved_by_guest() == 0);
    for (uint64_t page = copy % 7; page < ram->pages(); page += 7) handover->BeforeWrite(page);
    CopyPages(*handover, 0, ram->pages());
    REQUIRE(handover->Finished());
    REQUIRE(std::memcmp(target.data(), ram->base(), ram->size_bytes()) == 0);
  }
}

TEST_CASE("handover: two copiers and a writing guest leave the RAM as it was at the beginning") {
  constexpr uint64_t kSeed = 0x4A2D;
  CAPTURE(kSeed);
  const auto ram = MakeRam();
  FillAtRandom(*ram, kSeed);
  const auto handover = MakeHandover(*ram, {[](void*) {}, nullptr});
  std::vector<std::byte> target(ram->size_bytes());
  FlatSink sink(target.data());
  std::vector<std::byte> expected(ram->size_bytes());
  uint64_t by_guest = 0;
  for (int copy = 0; copy < Rounds(300, 80); ++copy) {
    CAPTURE(copy);
    std::memcpy(expected.data(), ram->base(), ram->size_bytes());
    handover->Begin(&sink);
    std::atomic<int> at_start{0};
    const auto start_together = [&] {
      at_start.fetch_add(1);
      while (at_start.load() < 3) std::this_thread::yield();
    };
    std::thread forward([&] {
      start_together();
      for (uint64_t page = 0; page < ram->pages(); page += 8) CopyPages(*handover, page, page + 8);
    });
    std::thread backward([&] {
      start_together();
      for (uint64_t page = ram->pages(); page != 0; --page) CopyPages(*handover, page - 1, page);
    });
    start_together();
    Prng random{kSeed + static_cast<uint64_t>(copy)};
    while (!handover->Finished()) {
      const uint64_t gpa = random.Below(ram->size_bytes() / 8) * 8;
      handover->BeforeWrite(gpa >> kPageShift);
      const uint64_t word = random.Next();
      std::memcpy(ram->base() + gpa, &word, 8);
    }
    handover->AwaitFinished();
    forward.join();
    backward.join();
    by_guest += handover->pages_saved_by_guest();
    REQUIRE(std::memcmp(target.data(), expected.data(), expected.size()) == 0);
  }
  CHECK(by_guest > 0);
}

TEST_CASE("handover: a guest waits for a page that a copier holds, and polls its gate meanwhile") {
  const auto ram = MakeRam();
  FillAtRandom(*ram, 3);
  std::atomic<int> polls{0};
  const auto handover = MakeHandover(
      *ram, {[](void* count) { static_cast<std::atomic<int>*>(count)->fetch_add(1); }, &polls});
  std::vector<std::byte> target(ram->size_bytes());
  FlatSink sink(target.data());
  handover->Begin(&sink);
  const std::vector<std::byte> expected(ram->base(), ram->base() + ram->size_bytes());
  TrapPage trap(ram->base() + 9 * kPageBytes);
  std::thread copier([&] { CopyPages(*handover, 0, ram->pages()); });
  REQUIRE(trap.Catches());
  std::atomic<bool> wrote{false};
  std::thread guest([&] {
    handover->BeforeWrite(20);  // nobody holds it
    ram->base()[20 * kPageBytes] ^= std::byte{1};
    handover->BeforeWrite(9);
    ram->base()[9 * kPageBytes] ^= std::byte{1};
    wrote.store(true);
  });
  CHECK(Eventually([&] { return polls.load() > 3; }));
  CHECK_FALSE(wrote.load());
  CHECK_FALSE(handover->Finished());
  trap.LetGo();
  guest.join();
  copier.join();
  CHECK(wrote.load());
  handover->AwaitFinished();
  CHECK(target == expected);
  CHECK(handover->guest_waits().max_ns() > 0);
}

TEST_CASE("handover: a page that the guest has no room for is saved by the copier") {
  const auto ram = MakeRam();
  FillAtRandom(*ram, 4);
  const auto handover = MakeHandover(*ram, {[](void*) {}, nullptr});
  std::vector<std::byte> target(ram->size_bytes());
  FlatSink sink(target.data());
  sink.refused_page = 7;
  const std::vector<std::byte> expected(ram->base(), ram->base() + ram->size_bytes());
  for (int round = 0; round < 50; ++round) {
    handover->Begin(&sink);
    std::thread guest([&] {
      handover->BeforeWrite(7);
      ram->base()[7 * kPageBytes] ^= std::byte{1};
    });
    // Before the guest claims it, after, or meanwhile.
    if (round % 2 == 0) SpinNs(50'000);
    CopyPages(*handover, 0, ram->pages());
    handover->AwaitFinished();
    guest.join();
    CHECK_FALSE(handover->cancelled());
    ram->base()[7 * kPageBytes] ^= std::byte{1};
    REQUIRE(target == expected);
  }
}

TEST_CASE("handover: a copy that has no room, or is cancelled, lets the guest write on") {
  const auto ram = MakeRam();
  const auto handover = MakeHandover(*ram, {[](void*) {}, nullptr});
  std::vector<std::byte> target(ram->size_bytes());
  FlatSink sink(target.data());
  sink.refused_page = 7;
  sink.refuses_copier = true;
  handover->Begin(&sink);
  std::thread guest([&] { handover->BeforeWrite(7); });
  handover->AwaitFinished();
  guest.join();
  CHECK(handover->cancelled());
  CHECK(handover->Finished());

  sink.refused_page = ~uint64_t{0};
  handover->Begin(&sink);
  CHECK_FALSE(handover->Finished());
  handover->Cancel();
  handover->BeforeWrite(8);
  CHECK(handover->pages_saved_by_guest() == 0);
  CHECK(handover->Finished());
}

// ── Live copies of a VM ───────────────────────────────────────────────────────────────────────

TEST_CASE(
    "live copy: of each program is what a twin holds at that step, and so are those after it") {
  for (const Program* program : Programs()) {
    CAPTURE(program->name);
    const GuestOptions options = OptionsFor(*program, 0xC0B1);
    const auto vm = MakeVm(*program, options);
    REQUIRE(vm->Start() == Status::kOk);
    const auto twin = MakeVm(*program, options);
    std::vector<std::byte> target(vm->config().ram_bytes);
    const int copies = program->name == "idle" || program->name == "ticker" ? 3 : Rounds(12, 3);
    for (int copy = 0; copy < copies; ++copy) {
      CAPTURE(copy);
      uint64_t step = 0;
      REQUIRE(RunsOn(*vm));
      REQUIRE(LiveCopy(*vm, target.data(), &step) == Status::kOk);
      Pause(*vm);  // or it would run away from its twin
      RunTo(*twin, step);
      REQUIRE(RamOf(*twin) == target);
      REQUIRE(vm->Resume() == Status::kOk);
      CHECK(StatsOf(*vm).folded_epoch + 1 == StatsOf(*vm).epoch);
    }
    // The guest itself went on as if nothing had been.
    Pause(*vm);
    RunTo(*twin, StepsOf(*vm));
    CHECK(MomentOf(*vm) == MomentOf(*twin));
    CHECK(InvariantsHold(*vm));
  }
}

TEST_CASE("live copy: of a VM that does not run holds its RAM, and leaves it as it was") {
  const auto created = MakeVm("kv-store");
  std::vector<std::byte> target(created->config().ram_bytes, std::byte{0xAA});
  uint64_t step = 1;
  REQUIRE(LiveCopy(*created, target.data(), &step) == Status::kOk);
  CHECK(step == 0);
  CHECK(target == RamOf(*created));
  CHECK(created->state() == VmState::kCreated);

  const auto paused = StartVm("kv-store");
  REQUIRE(RunsOn(*paused));
  Pause(*paused);
  REQUIRE(LiveCopy(*paused, target.data(), &step) == Status::kOk);
  CHECK(step == StepsOf(*paused));
  CHECK(target == RamOf(*paused));
  CHECK(paused->state() == VmState::kPaused);
}

TEST_CASE("live copy: pauses, freezes and epochs at any moment of it change nothing in it") {
  constexpr uint64_t kSeed = 0xF4EE2;
  CAPTURE(kSeed);
  Prng random{kSeed};
  const Program& program = *FindProgram("page-writer");
  const GuestOptions options = {.ram_bytes = 4 * kRamBytesMin, .seed = 5};
  const auto vm = MakeVm(program, options);
  REQUIRE(vm->Start() == Status::kOk);
  const auto twin = MakeVm(program, options);
  std::vector<std::byte> target(vm->config().ram_bytes);
  for (int copy = 0; copy < Rounds(40, 8); ++copy) {
    CAPTURE(copy);
    uint64_t step = 0;
    Status status = Status::kOk;
    std::atomic<bool> done{false};
    std::thread copier([&] {
      status = LiveCopy(*vm, target.data(), &step);
      done.store(true);
    });
    while (!done.load()) {
      const uint64_t what = random.Below(3);
      if (what == 0) {
        Pause(*vm);
        SpinNs(10'000);
        REQUIRE(vm->Resume() == Status::kOk);
      } else if (what == 1) {
        std::shared_ptr<Freeze> freeze;
        size_t culprit = 0;
        REQUIRE(Freeze::Begin({vm}, {.handshake_timeout_ns = kPatienceNs, .sync = {}}, &freeze,
                              &culprit) == Status::kOk);
        const uint64_t digest = DigestOf(*vm).value;
        SpinNs(10'000);
        REQUIRE(DigestOf(*vm).value == digest);
        freeze->Release();
      } else {
        EpochResult epoch;
        const Status ended = vm->EndEpoch(&epoch);
        REQUIRE((ended == Status::kOk || ended == Status::kBusy));
      }
      SpinNs(static_cast<int64_t>(random.Below(30'000)));
    }
    copier.join();
    REQUIRE(status == Status::kOk);
    Pause(*vm);  // or it would run away from its twin
    RunTo(*twin, step);
    REQUIRE(RamOf(*twin) == target);
    REQUIRE(vm->Resume() == Status::kOk);
  }
  Pause(*vm);
  RunTo(*twin, StepsOf(*vm));
  CHECK(MomentOf(*vm) == MomentOf(*twin));
}

TEST_CASE("live copy: a second one while the first is under way is refused") {
  const auto vm = TwoPageVm();
  CaughtCopy copy(vm);
  std::vector<std::byte> target(vm->config().ram_bytes);
  uint64_t step = 0;
  CHECK(LiveCopy(*vm, target.data(), &step) == Status::kBusy);
  CHECK(copy.Finish() == Status::kOk);
  CHECK(LiveCopy(*vm, target.data(), &step) == Status::kOk);
}

TEST_CASE(
    "live copy: a guest that waits for the copier is paused inside a step, and resumes there") {
  const auto vm = TwoPageVm();
  CaughtCopy copy(vm);
  const uint64_t steps = StepsOf(*vm);
  copy.Resume();
  PauseMidStep(*vm);
  CHECK(vm->state() == VmState::kPaused);
  CHECK(StepsOf(*vm) == steps);  // the step under way is not completed

  // Its RAM stands still and can be read; what needs a whole step says so.
  const uint64_t digest = DigestOf(*vm).value;
  SleepNs(3 * kMillisecondNs);
  CHECK(DigestOf(*vm).value == digest);
  CheckReport report;
  CHECK(vm->Check(&report) == Status::kBusy);
  EpochResult epoch;
  const uint64_t epoch_before = StatsOf(*vm).epoch;
  CHECK(vm->EndEpoch(&epoch) == Status::kBusy);
  CHECK(StatsOf(*vm).epoch == epoch_before);
  CHECK(vm->RunUntil(steps + 10, [](Status) {}) == Status::kBusy);
  CHECK(vm->state() == VmState::kPaused);

  // The copier finishes while the guest is halted; the guest goes on only when it is resumed.
  CHECK(copy.Finish() == Status::kOk);
  CHECK(copy.step() == steps);
  CHECK(DigestOf(*vm).value == digest);
  CHECK(RamOf(*TwinAt(kTwoPageProgram, {}, steps)) == copy.Content());
  REQUIRE(vm->Resume() == Status::kOk);
  CHECK(RunsOn(*vm));
  Pause(*vm);
  CHECK(InvariantsHold(*vm));
}

TEST_CASE("live copy: a freeze of a guest that waits for the copier holds it, and lets it go on") {
  const auto vm = TwoPageVm();
  CaughtCopy copy(vm);
  copy.Resume();
  PauseMidStep(*vm);
  REQUIRE(vm->Resume() == Status::kOk);
  SleepNs(kMillisecondNs);
  std::shared_ptr<Freeze> freeze;
  size_t culprit = 0;
  REQUIRE(Freeze::Begin({vm}, {.handshake_timeout_ns = kPatienceNs, .sync = {}}, &freeze,
                        &culprit) == Status::kOk);
  CHECK(vm->state() == VmState::kPaused);
  const uint64_t digest = DigestOf(*vm).value;
  copy.LetGo();
  CHECK(copy.Finish() == Status::kOk);
  CHECK(DigestOf(*vm).value == digest);
  freeze->Release();
  CHECK(freeze->Records()[0].was_running);
  CHECK(RunsOn(*vm));
  Pause(*vm);
  CHECK(InvariantsHold(*vm));
}

// The bug: the copy that follows one whose guest is halted inside a step ended the epoch there and
// saved half a step.
TEST_CASE("live copy: does not begin inside a step that an earlier copy interrupted") {
  const auto vm = TwoPageVm();
  CaughtCopy copy(vm);
  copy.Resume();
  PauseMidStep(*vm);
  REQUIRE(copy.Finish() == Status::kOk);
  std::vector<std::byte> target(vm->config().ram_bytes);
  uint64_t step = 0;
  const uint64_t epoch = StatsOf(*vm).epoch;
  CHECK(LiveCopy(*vm, target.data(), &step) == Status::kBusy);
  CHECK(StatsOf(*vm).epoch == epoch);
  CHECK(vm->state() == VmState::kPaused);
  REQUIRE(vm->Resume() == Status::kOk);
  REQUIRE(RunsOn(*vm));
  REQUIRE(LiveCopy(*vm, target.data(), &step) == Status::kOk);
  CHECK(RamOf(*TwinAt(kTwoPageProgram, {}, step)) == target);
}

// The bug: a bit that the host flipped while a live copy was under way got into the copy of a page
// that was not saved yet.
TEST_CASE("live copy: no bit can be flipped under it") {
  const auto vm = TwoPageVm();
  CaughtCopy copy(vm);  // caught at page 100: the pages after it are not saved yet
  const uint64_t gpa = (TwoPageGuest::kFarPage + 50) * kPageBytes;
  CHECK(vm->FlipBit(gpa, 0) == Status::kBusy);
  const uint64_t step = StepsOf(*vm);
  REQUIRE(copy.Finish() == Status::kOk);
  CHECK(RamOf(*TwinAt(kTwoPageProgram, {}, step)) == copy.Content());
  CHECK(vm->FlipBit(gpa, 0) == Status::kOk);
}

TEST_CASE("live copy: a VM closed during one ends it with kClosed, wherever it is") {
  for (int i = 0; i < Rounds(60, 20); ++i) {
    const auto vm = StartVm("page-writer", {.seed = static_cast<uint64_t>(i)});
    std::vector<std::byte> target(vm->config().ram_bytes);
    Status status = Status::kOk;
    std::thread copier([&] {
      uint64_t step = 0;
      status = LiveCopy(*vm, target.data(), &step);
    });
    SpinNs(i * 10'000);
    vm->Close();
    copier.join();
    REQUIRE((status == Status::kOk || status == Status::kClosed));
    uint64_t step = 0;
    REQUIRE(LiveCopy(*vm, target.data(), &step) == Status::kClosed);
  }
}

TEST_CASE(
    "live copy: a VM closed while its guest waits for the copier is closed once the page is") {
  const auto vm = TwoPageVm();
  CaughtCopy copy(vm);
  copy.Resume();
  PauseMidStep(*vm);
  std::atomic<bool> closed{false};
  std::thread closer([&] {
    vm->Close();
    closed.store(true);
  });
  CHECK(Eventually([&] { return vm->state() == VmState::kClosed; }));
  copy.LetGo();
  CHECK(Eventually([&] { return closed.load(); }));
  closer.join();
  CHECK(copy.Finish() == Status::kClosed);
  CHECK(vm->state() == VmState::kClosed);
}

TEST_CASE("live copy: many small ones, one after another, of a guest that never stops writing") {
  const Program& program = *FindProgram("page-writer");
  const GuestOptions options = {.seed = 77};
  const auto vm = MakeVm(program, options);
  REQUIRE(vm->Start() == Status::kOk);
  std::vector<std::byte> target(vm->config().ram_bytes);
  uint64_t step = 0;
  for (int copy = 0; copy < Rounds(1000, 100); ++copy) {
    REQUIRE(LiveCopy(*vm, target.data(), &step) == Status::kOk);
  }
  CHECK(RamOf(*TwinAt(program, options, step)) == target);
}

}  // namespace standstill
