#include "standstill/freeze_fence.h"

#include <map>
#include <mutex>

namespace standstill {
namespace {

// Never destroyed: threads may still ask while the process ends.
struct Registry {
  std::mutex mutex;
  std::map<uint64_t, const std::atomic<FenceState>*> states;  // mutex
  std::atomic<uint64_t> next{1};
};

Registry& TheRegistry() {
  static Registry& registry = *new Registry;
  return registry;
}

}  // namespace

std::unique_ptr<FreezeFence> FreezeFence::Create() {
  Registry& registry = TheRegistry();
  std::unique_ptr<FreezeFence> fence(new FreezeFence(registry.next.fetch_add(1)));
  const std::lock_guard lock(registry.mutex);
  registry.states.emplace(fence->token_, &fence->state_);
  return fence;
}

FreezeFence::~FreezeFence() {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  registry.states.erase(token_);
}

FenceState FreezeFence::StateOf(uint64_t token) {
  Registry& registry = TheRegistry();
  const std::lock_guard lock(registry.mutex);
  const auto found = registry.states.find(token);
  return found == registry.states.end() ? FenceState::kUnknown : found->second->load();
}

FenceState FreezeFence::End(FenceState how) {
  FenceState held = FenceState::kHeld;
  return state_.compare_exchange_strong(held, how) ? how : held;
}

}  // namespace standstill
