// The deferred proof: its two digests are those of the whole RAM at the halt and at the release,
// whoever writes meanwhile, and a change in between is found by reading, with its page.
#include "standstill/deferred_proof.h"

#include <doctest/doctest.h>

#include <memory>
#include <thread>

#include "standstill/freeze.h"
#include "support.h"

namespace standstill {
namespace {

using namespace testing;

std::unique_ptr<DeferredProof> Prepared(const std::shared_ptr<Vm>& vm) {
  Progress progress;
  std::unique_ptr<DeferredProof> proof;
  REQUIRE(DeferredProof::Prepare(vm, progress, &proof) == Status::kOk);
  return proof;
}
std::shared_ptr<Freeze> Frozen(const std::shared_ptr<Vm>& vm) {
  std::shared_ptr<Freeze> freeze;
  size_t culprit = 0;
  REQUIRE(Freeze::Begin({vm}, {.handshake_timeout_ns = kPatienceNs, .sync = {}}, &freeze,
                        &culprit) == Status::kOk);
  return freeze;
}
ProofResult Finished(DeferredProof& proof) {
  Progress progress;
  ProofResult result;
  REQUIRE(proof.Finish(progress, &result) == Status::kOk);
  return result;
}

}  // namespace

TEST_CASE("deferred proof: its digests are those of all RAM at the halt and at the release") {
  for (const Program* program : Programs()) {
    CAPTURE(program->name);
    const auto vm = MakeVm(*program, OptionsFor(*program, 31));
    REQUIRE(vm->Start() == Status::kOk);
    for (int round = 0; round < Rounds(6, 2); ++round) {
      REQUIRE(RunsOn(*vm));
      const auto proof = Prepared(vm);
      const auto freeze = Frozen(vm);
      uint64_t pages_read = 0;
      REQUIRE(proof->AtHalt(&pages_read) == Status::kOk);
      CHECK(pages_read <= vm->config().ram_bytes >> kPageShift);
      const uint64_t at_halt = DigestOf(*vm).value;
      freeze->Release();
      if (round % 2 == 0) REQUIRE(RunsOn(*vm));  // the guest writes before the copier comes
      const ProofResult result = Finished(*proof);
      CHECK(result.digest_before == at_halt);
      CHECK(result.digest_after == at_halt);
      CHECK(result.pages_changed == 0);
      CHECK(result.bytes_read == vm->config().ram_bytes);
      REQUIRE(RunsOn(*vm));
    }
  }
}

TEST_CASE(
    "deferred proof: a bit that changes in the freeze is found, and the next proof is whole") {
  const auto vm = StartVm("page-writer", {.seed = 3});
  for (const uint64_t page : {0, 77, 255}) {
    REQUIRE(RunsOn(*vm));
    {
      const auto proof = Prepared(vm);
      const auto freeze = Frozen(vm);
      uint64_t pages_read = 0;
      REQUIRE(proof->AtHalt(&pages_read) == Status::kOk);
      const uint64_t before = DigestOf(*vm).value;
      REQUIRE(vm->FlipBit(page * kPageBytes + 99, 4) == Status::kOk);
      const uint64_t after = DigestOf(*vm).value;
      freeze->Release();
      const ProofResult result = Finished(*proof);
      CHECK(result.digest_before == before);
      CHECK(result.digest_after == after);
      CHECK(result.pages_changed == 1);
      CHECK(result.first_changed_page == page);
    }
    const auto proof = Prepared(vm);
    const auto freeze = Frozen(vm);
    uint64_t pages_read = 0;
    REQUIRE(proof->AtHalt(&pages_read) == Status::kOk);
    freeze->Release();
    CHECK(Finished(*proof).pages_changed == 0);
  }
}

TEST_CASE("deferred proof: of a VM that stood still, and one that the deadline released") {
  const auto paused = StartVm("kv-store");
  Pause(*paused);
  const auto still = Prepared(paused);
  uint64_t pages_read = 1;
  REQUIRE(still->AtHalt(&pages_read) == Status::kOk);
  CHECK(pages_read == 0);
  CHECK(Finished(*still).digest_after == DigestOf(*paused).value);

  const auto vm = StartVm("page-writer");
  const auto proof = Prepared(vm);
  std::shared_ptr<Freeze> freeze;
  size_t culprit = 0;
  REQUIRE(Freeze::Begin(
              {vm},
              {.budget_ns = 400 * kMillisecondNs, .handshake_timeout_ns = kPatienceNs, .sync = {}},
              &freeze, &culprit) == Status::kOk);
  REQUIRE(proof->AtHalt(&pages_read) == Status::kOk);
  REQUIRE(Eventually([&] { return freeze->released(); }));
  REQUIRE(RunsOn(*vm));
  const ProofResult result = Finished(*proof);
  CHECK(result.pages_changed == 0);
  CHECK(result.digest_before == result.digest_after);
}

TEST_CASE("deferred proof: excludes snapshots, is given up at any point, and survives a close") {
  const auto vm = StartVm("page-writer");
  const auto snapshot = SnapshotOf(*vm, true);
  {
    const auto proof = Prepared(vm);
    Progress progress;
    SnapshotPointer other;
    SnapshotCost cost;
    CHECK(vm->TakeSnapshot(true, progress, &other, &cost) == Status::kBusy);
    uint64_t pages_read = 0;
    CHECK(proof->AtHalt(&pages_read) == Status::kNotPaused);
    ProofResult result;
    CHECK(proof->Finish(progress, &result) == Status::kNotPaused);
    Pause(*vm);
    RollbackResult rollback;
    CHECK(vm->Rollback(*snapshot, ~uint64_t{0}, &rollback) == Status::kBusy);
    REQUIRE(proof->AtHalt(&pages_read) == Status::kOk);
    REQUIRE(vm->Resume() == Status::kOk);
  }
  REQUIRE(RunsOn(*vm));
  (void)SnapshotOf(*vm, true);
  const auto proof = Prepared(vm);
  Pause(*vm);
  uint64_t pages_read = 0;
  REQUIRE(proof->AtHalt(&pages_read) == Status::kOk);
  vm->Close();
  Progress progress;
  ProofResult result;
  CHECK(proof->Finish(progress, &result) == Status::kClosed);
}

TEST_CASE("deferred proof: one that is cancelled leaves a VM that can be proved again") {
  const auto vm = StartVm("page-writer", {.ram_bytes = 8 * kRamBytesMin});
  REQUIRE(RunsOn(*vm));
  Progress cancelled;
  cancelled.Cancel();
  std::unique_ptr<DeferredProof> proof;
  CHECK(DeferredProof::Prepare(vm, cancelled, &proof) == Status::kCancelled);
  proof = Prepared(vm);
  const auto freeze = Frozen(vm);
  uint64_t pages_read = 0;
  REQUIRE(proof->AtHalt(&pages_read) == Status::kOk);
  freeze->Release();
  ProofResult result;
  CHECK(proof->Finish(cancelled, &result) == Status::kCancelled);
  proof.reset();
  REQUIRE(RunsOn(*vm));
  proof = Prepared(vm);
  Pause(*vm);
  REQUIRE(proof->AtHalt(&pages_read) == Status::kOk);
  const uint64_t at_halt = DigestOf(*vm).value;
  CHECK(Finished(*proof).digest_after == at_halt);
}

}  // namespace standstill
