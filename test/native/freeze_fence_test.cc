// The fence of a freeze: what another thread sees of it, and that whoever ends it first decides.
#include "standstill/freeze_fence.h"

#include <doctest/doctest.h>

#include <set>
#include <thread>
#include <vector>

#include "standstill/freeze.h"
#include "support.h"

namespace standstill {
namespace {

using namespace testing;

std::shared_ptr<Freeze> FreezeOf(const std::shared_ptr<Vm>& vm, int64_t budget_ns) {
  std::shared_ptr<Freeze> freeze;
  size_t culprit = 0;
  const FreezeOptions options{
      .budget_ns = budget_ns, .handshake_timeout_ns = kPatienceNs, .sync = {}};
  if (Freeze::Begin({vm}, options, &freeze, &culprit) != Status::kOk) return nullptr;
  return freeze;
}

}  // namespace

TEST_CASE("a fence goes one way, and is unknown before and after") {
  auto fence = FreezeFence::Create();
  const uint64_t token = fence->token();
  CHECK(FreezeFence::StateOf(0) == FenceState::kUnknown);
  CHECK(FreezeFence::StateOf(token + 1) == FenceState::kUnknown);
  CHECK(FreezeFence::StateOf(token) == FenceState::kBeginning);
  CHECK(fence->End(FenceState::kReleased) == FenceState::kBeginning);
  fence->Hold();
  CHECK(FreezeFence::StateOf(token) == FenceState::kHeld);
  CHECK(fence->End(FenceState::kExpired) == FenceState::kExpired);
  CHECK(fence->End(FenceState::kReleased) == FenceState::kExpired);
  CHECK(FreezeFence::StateOf(token) == FenceState::kExpired);
  fence.reset();
  CHECK(FreezeFence::StateOf(token) == FenceState::kUnknown);
}

TEST_CASE("no token comes twice, from whatever thread") {
  std::vector<std::vector<uint64_t>> tokens(4);
  std::vector<std::thread> threads;
  for (auto& mine : tokens) {
    threads.emplace_back([&mine] {
      for (int i = 0; i < 1000; ++i) mine.push_back(FreezeFence::Create()->token());
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<uint64_t> all;
  for (const auto& mine : tokens) all.insert(mine.begin(), mine.end());
  CHECK(all.size() == 4000);
}

TEST_CASE("a freeze is held until its caller releases it") {
  const auto vm = StartVm("page-writer");
  const auto freeze = FreezeOf(vm, kPatienceNs);
  REQUIRE(freeze != nullptr);
  CHECK(FreezeFence::StateOf(freeze->token()) == FenceState::kHeld);
  freeze->Release();
  CHECK(FreezeFence::StateOf(freeze->token()) == FenceState::kReleased);
}

TEST_CASE("who sees a freeze held after an act of its own has acted before any guest ran") {
  const auto vm = StartVm("page-writer");
  int raced = 0;
  for (int round = 0; round < 300; ++round) {
    const auto freeze = FreezeOf(vm, 3'000'000);
    if (freeze == nullptr) continue;  // the guest got no processor in time
    const uint64_t steps = freeze->Records()[0].steps_at_halt;
    std::thread caller([&] {
      const int64_t until_ns = (round % 10) * 10'000;
      while (freeze->RemainingNs() > until_ns) std::this_thread::yield();
      freeze->Release();
    });
    FenceState state;
    uint64_t seen;
    do {
      seen = StatsOf(*vm).steps;
      state = FreezeFence::StateOf(freeze->token());
      if (state == FenceState::kHeld) REQUIRE(seen == steps);
    } while (state == FenceState::kHeld);
    caller.join();
    // Whoever has ended it is in every record.
    const ResumedBy by = state == FenceState::kReleased ? ResumedBy::kCaller : ResumedBy::kDeadline;
    CHECK(FreezeFence::StateOf(freeze->token()) == state);
    CHECK(freeze->Records()[0].resumed_by == by);
    raced += state == FenceState::kExpired ? 1 : 0;
  }
  MESSAGE("ended by the deadline: " << raced);
}

}  // namespace standstill
