// A freeze's fence: by which work in another thread, or in another environment of this process,
// sees natively whether the freeze that it belongs to is still held, and how it ended.
//
//   (registered) → held → released, by its caller | expired, by its deadline
//
// Threads: any. The state goes one way, by compare-and-swap: who ends it first decides how it ended,
// before any guest of the freeze runs. Ordering: the state is sequentially consistent, so that who
// reads `held` after an act of its own knows that no guest of the freeze had run by then. A mutex
// guards the registry; no lock is held together with another one's.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace standstill {

enum class FenceState : uint8_t {
  kUnknown,  // no freeze of that token is known: never begun, or its object is gone
  kBeginning,
  kHeld,
  kReleased,
  kExpired,
};

class FreezeFence {
 public:
  // Registered until it is destroyed. Allocates.
  static std::unique_ptr<FreezeFence> Create();
  static FenceState StateOf(uint64_t token);

  ~FreezeFence();
  FreezeFence(const FreezeFence&) = delete;
  FreezeFence& operator=(const FreezeFence&) = delete;

  uint64_t token() const { return token_; }  // 1 or more, never used again in this process
  void Hold() { state_.store(FenceState::kHeld); }
  // kReleased or kExpired; the first one stays. Answers which it is.
  FenceState End(FenceState how);

 private:
  explicit FreezeFence(uint64_t token) : token_(token) {}

  const uint64_t token_;
  std::atomic<FenceState> state_{FenceState::kBeginning};
};

}  // namespace standstill
