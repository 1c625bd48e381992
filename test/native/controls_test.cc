// Every proof has its control: with one deliberate defect the check that is named for it turns red,
// and without it the same check is green. Linked against the engine's control build.
#include "util/controls.h"

#include <doctest/doctest.h>

#include <memory>
#include <string>
#include <vector>

#include "standstill/deferred_proof.h"
#include "standstill/freeze.h"
#include "support.h"

namespace standstill {
namespace {

using namespace testing;

class Armed {
 public:
  Armed(Control control, bool enabled) : control_(control) { Controls::Set(control, enabled); }
  ~Armed() { Controls::Set(control_, false); }
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;

 private:
  const Control control_;
};

std::shared_ptr<Freeze> BeginFreeze(const std::shared_ptr<Vm>& vm) {
  std::shared_ptr<Freeze> freeze;
  size_t culprit = 0;
  REQUIRE(Freeze::Begin({vm}, {.handshake_timeout_ns = kPatienceNs, .sync = {}}, &freeze,
                        &culprit) == Status::kOk);
  return freeze;
}

// The twin-run proof: runs to a step through a number of pauses.
Moment ThroughPauses(const Program& program, const GuestOptions& options, uint64_t step,
                     int pauses) {
  const auto vm = MakeVm(program, options);
  for (int i = 1; i <= pauses; ++i) {
    RunTo(*vm, step * static_cast<uint64_t>(i) / static_cast<uint64_t>(pauses + 1));
    const auto freeze = BeginFreeze(vm);
    freeze->Release();
  }
  RunTo(*vm, step);
  return MomentOf(*vm);
}

}  // namespace

// ── flip-ram: the digests of a freeze ─────────────────────────────────────────────────────────

TEST_CASE("control flip-ram: the digests at halt and at release differ, in one page") {
  for (const bool enabled : {false, true}) {
    CAPTURE(enabled);
    const auto vm = StartVm("kv-store");
    REQUIRE(RunsOn(*vm));
    const auto freeze = BeginFreeze(vm);
    const Armed armed(Control::kFlipRam, enabled);
    const DigestResult at_halt = DigestOf(*vm);
    const DigestResult at_release = DigestOf(*vm);
    CHECK((at_halt.value != at_release.value) == enabled);
    const uint64_t pages = at_halt.page_crcs.size();
    for (uint64_t page = 0; page < pages; ++page) {
      CHECK((at_halt.page_crcs[page] != at_release.page_crcs[page]) ==
            (enabled && page == pages / 2));
    }
    freeze->Release();
  }
}

// ── drop-mark: the audit ──────────────────────────────────────────────────────────────────────

namespace {

void EndAnEpoch(bool drops_marks) {
  const auto vm = MakeVm("page-writer");
  RunTo(*vm, 1000);
  EpochResult epoch;
  REQUIRE(vm->EndEpoch(&epoch) == Status::kOk);
  DieOfSignals();
  const Armed armed(Control::kDropMark, drops_marks);
  RunTo(*vm, 1001);
  REQUIRE(vm->EndEpoch(&epoch) == Status::kOk);
  _exit(0);
}

}  // namespace

TEST_CASE("child: writes a page without its mark" * doctest::skip()) {
  EndAnEpoch(true);
}
TEST_CASE("child: writes a page with its mark" * doctest::skip()) {
  EndAnEpoch(false);
}
TEST_CASE("control drop-mark: the audit aborts and names the page") {
  const ChildEnd red = RunChild("child: writes a page without its mark");
  CAPTURE(red.output);
  CHECK(red.signal == SIGABRT);
  const size_t at = red.output.find("standstill audit: page ");
  REQUIRE(at != std::string::npos);
  CHECK(red.output.find("changed without its mark", at) != std::string::npos);
  // The page of the guest's 1001st write.
  const auto before = RamOf(*TwinAt(*FindProgram("page-writer"), {}, 1000));
  const auto after = RamOf(*TwinAt(*FindProgram("page-writer"), {}, 1001));
  uint64_t page = 0;
  while (page < before.size() && before[page] == after[page]) ++page;
  REQUIRE(page < before.size());
  CHECK(red.output.find("page " + std::to_string(page >> kPageShift) + " changed") !=
        std::string::npos);

  const ChildEnd green = RunChild("child: writes a page with its mark");
  CHECK(green.signal == 0);
  CHECK(green.code == 0);
}

TEST_CASE("control: the audit passes every program's marks, epoch after epoch") {
  for (const Program* program : Programs()) {
    CAPTURE(program->name);
    const auto vm = MakeVm(*program, OptionsFor(*program, 6));
    REQUIRE(vm->Start() == Status::kOk);
    for (int i = 0; i < Rounds(60, 15); ++i) {
      SpinNs(100'000);
      EpochResult epoch;
      REQUIRE(vm->EndEpoch(&epoch) == Status::kOk);
      if (i % 10 == 0) {
        std::vector<std::byte> target(vm->config().ram_bytes);
        uint64_t step = 0;
        REQUIRE(LiveCopy(*vm, target.data(), &step) == Status::kOk);
      }
      if (i % 7 == 0) {
        Pause(*vm);
        REQUIRE(vm->FlipBit(kPageBytes * 200 + 5, 1) == Status::kOk);  // a host's write, marked
        REQUIRE(vm->FlipBit(kPageBytes * 200 + 5, 1) == Status::kOk);
        REQUIRE(vm->Resume() == Status::kOk);
      }
    }
  }
}

// ── skip-handover: the live copy ──────────────────────────────────────────────────────────────

namespace {

// Whether one of many live copies is not what a twin holds at its step.
bool SomeCopyDiffers(int copies) {
  const Program& program = *FindProgram("page-writer");
  // The largest RAM that stays quick: the longer the copy takes, the more the guest writes under
  // it.
  const GuestOptions options = {.ram_bytes = 16 * kRamBytesMin, .seed = 8};
  const auto vm = MakeVm(program, options);
  const auto twin = MakeVm(program, options);
  REQUIRE(vm->Start() == Status::kOk);
  std::vector<std::byte> target(vm->config().ram_bytes);
  for (int copy = 0; copy < copies; ++copy) {
    uint64_t step = 0;
    REQUIRE(LiveCopy(*vm, target.data(), &step) == Status::kOk);
    Pause(*vm);
    RunTo(*twin, step);
    if (RamOf(*twin) != target) return true;
    REQUIRE(vm->Resume() == Status::kOk);
  }
  return false;
}

}  // namespace

// What this control plants is a data race, which the thread sanitizer finds before any proof does.
TEST_CASE("control skip-handover: a live copy differs from the twin at its step" *
          doctest::skip(kThreadSanitizer)) {
  CHECK_FALSE(SomeCopyDiffers(5));
  const Armed armed(Control::kSkipHandover, true);
  CHECK(SomeCopyDiffers(500));
}

namespace {

// Whether one of many deferred proofs finds a change that nobody has made.
bool SomeProofIsRed(int proofs) {
  const auto vm = StartVm("page-writer", {.ram_bytes = 16 * kRamBytesMin, .seed = 9});
  REQUIRE(RunsOn(*vm));
  for (int i = 0; i < proofs; ++i) {
    Progress progress;
    std::unique_ptr<DeferredProof> proof;
    REQUIRE(DeferredProof::Prepare(vm, progress, &proof) == Status::kOk);
    // Back from the hand-over, which marks on its own, and writing.
    REQUIRE(RunsOn(*vm));
    REQUIRE(RunsOn(*vm));
    Pause(*vm);
    uint64_t pages_read = 0;
    REQUIRE(proof->AtHalt(&pages_read) == Status::kOk);
    REQUIRE(vm->Resume() == Status::kOk);
    ProofResult result;
    REQUIRE(proof->Finish(progress, &result) == Status::kOk);
    if (result.pages_changed != 0) return result.digest_before != result.digest_after;
  }
  return false;
}

}  // namespace

TEST_CASE("control skip-handover: a deferred proof reads what the guest wrote after the release" *
          doctest::skip(kThreadSanitizer)) {
  CHECK_FALSE(SomeProofIsRed(5));
  const Armed armed(Control::kSkipHandover, true);
  CHECK(SomeProofIsRed(500));
}

TEST_CASE("control drop-mark: a deferred proof reads pages whose writing it was not told of") {
  const Armed unaudited(Control::kSkipAudit, true);
  CHECK_FALSE(SomeProofIsRed(5));
  const Armed armed(Control::kDropMark, true);
  CHECK(SomeProofIsRed(20));
}

// ── lose-step: the twin run ───────────────────────────────────────────────────────────────────

TEST_CASE("control lose-step: the twin run's digest or registers differ at the same step") {
  const GuestOptions options = {.seed = 12};
  for (const char* name : {"page-writer", "kv-store", "queue", "hash-chain"}) {
    CAPTURE(name);
    const Program& program = *FindProgram(name);
    const Moment uninterrupted = MomentOf(*TwinAt(program, options, 20'000));
    CHECK(ThroughPauses(program, options, 20'000, 5) == uninterrupted);
    // A first resume loses a step as well: the interrupted run alone must be the one that suffers.
    const Armed armed(Control::kLoseStep, true);
    CHECK(ThroughPauses(program, options, 20'000, 5) != uninterrupted);
  }
}

// ── clock-runs: the clock ─────────────────────────────────────────────────────────────────────

TEST_CASE("control clock-runs: the guest's clock moves through a pause") {
  for (const bool enabled : {false, true}) {
    CAPTURE(enabled);
    const Armed armed(Control::kClockRuns, enabled);
    const auto vm = StartVm("page-writer");
    REQUIRE(RunsOn(*vm));
    Pause(*vm);
    const int64_t before = StatsOf(*vm).clock.guest_monotonic_ns;
    SleepNs(5 * kMillisecondNs);
    const int64_t moved = StatsOf(*vm).clock.guest_monotonic_ns - before;
    CHECK((moved >= 5 * kMillisecondNs) == enabled);
    CHECK((moved == 0) == !enabled);
    REQUIRE(vm->Resume() == Status::kOk);
    // The pauses' sum is kept apart from the clock, so it tells the truth either way.
    CHECK(StatsOf(*vm).paused_total_ns >= 5 * kMillisecondNs);
  }
}

TEST_CASE("control clock-runs: a ticker is hidden nothing of a pause that lasted") {
  for (const bool enabled : {false, true}) {
    CAPTURE(enabled);
    const Armed armed(Control::kClockRuns, enabled);
    const auto vm = StartVm("ticker");
    REQUIRE(RunsOn(*vm));
    const auto freeze = BeginFreeze(vm);
    SleepNs(5 * kMillisecondNs);
    freeze->Release();
    REQUIRE(RunsOn(*vm));
    REQUIRE(RunsOn(*vm));
    Pause(*vm);
    const FreezeRecord record = freeze->Records()[0];
    const int64_t blackout_ns = record.released_at_ns - record.halted_at_ns;
    const VmStats stats = StatsOf(*vm);
    CHECK((stats.ticker->hidden_total_ns() == blackout_ns) == !enabled);
    CHECK((stats.ticker->hidden_total_ns() == 0) == enabled);
  }
}

// ── slow-digest: the regression that the gate's study injects ─────────────────────────────────

TEST_CASE("control slow-digest: the digest is the same, as is what counts as read") {
  const auto vm = StartVm("page-writer");
  REQUIRE(RunsOn(*vm));
  Pause(*vm);
  const DigestResult plain = DigestOf(*vm);
  const Armed armed(Control::kSlowDigest, true);
  Controls::Set(Control::kSlowDigest, 50);
  const DigestResult slow = DigestOf(*vm);
  CHECK(slow.value == plain.value);
  CHECK(slow.bytes_read == plain.bytes_read);
}

TEST_CASE("control: each has its name, and all are off to begin with") {
  CHECK(kControlNames.size() == 7);
  for (size_t i = 0; i < kControlNames.size(); ++i) {
    CHECK_FALSE(kControlNames[i].empty());
    CHECK_FALSE(Controls::Take(static_cast<Control>(i)));
  }
}

}  // namespace standstill
