#include "engine/deadline.h"

#include <chrono>
#include <new>

#include "port/clock.h"

namespace standstill {
namespace {

constexpr size_t kStackBytes = 256 * 1024;

// libstdc++'s steady_clock is CLOCK_MONOTONIC.
std::chrono::steady_clock::time_point At(int64_t monotonic_ns) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(monotonic_ns));
}

}  // namespace

DeadlineTimer& DeadlineTimer::Get() {
  static DeadlineTimer& timer = *new DeadlineTimer;
  return timer;
}

bool DeadlineTimer::Arm(int64_t at_ns, std::function<void()> callback, Handle* handle) try {
  const std::lock_guard lock(mutex_);
  if (!started_) {
    Thread thread;
    started_ = thread.Start(
        "standstill-timer", kStackBytes,
        [](void* timer) { static_cast<DeadlineTimer*>(timer)->Work(); }, this);
    if (!started_) return false;
    thread.Detach();
  }
  *handle = {at_ns, next_++};
  entries_.emplace(*handle, std::move(callback));
  if (entries_.begin()->first == *handle) changed_.notify_one();
  return true;
} catch (const std::bad_alloc&) {
  return false;
}

bool DeadlineTimer::Disarm(const Handle& handle) {
  const std::lock_guard lock(mutex_);
  return entries_.erase(handle) != 0;
}

void DeadlineTimer::Work() {
  UsePreciseTimers();
  std::unique_lock lock(mutex_);
  for (;;) {
    if (entries_.empty()) {
      changed_.wait(lock);
      continue;
    }
    const auto first = entries_.begin();
    if (HostMonotonicNs() < first->first.first) {
      changed_.wait_until(lock, At(first->first.first));
      continue;
    }
    const std::function<void()> callback = std::move(first->second);
    entries_.erase(first);
    lock.unlock();
    callback();
    lock.lock();
  }
}

}  // namespace standstill
