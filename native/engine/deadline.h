// The engine's timer thread: runs a callback at a moment on the host's monotonic clock, whatever
// JavaScript is doing. It is what resumes the VMs of a freeze whose budget has run out, and what
// synchronises clocks after a delay.
//
// Threads: any. Callbacks run on the timer thread, one after another, and are short: a
// compare-and-swap and a wake a VM. Ordering: what was done before Arm happens before the callback.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <utility>

#include "port/thread.h"

namespace standstill {

class DeadlineTimer {
 public:
  // The moment and a number that tells entries of one moment apart.
  using Handle = std::pair<int64_t, uint64_t>;

  static DeadlineTimer& Get();

  // False where the machine refuses the timer thread, or memory.
  bool Arm(int64_t at_ns, std::function<void()> callback, Handle* handle);
  // The callback will not start after this; it may be running. False where it has started already.
  bool Disarm(const Handle& handle);

 private:
  DeadlineTimer() = default;
  void Work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Handle, std::function<void()>> entries_;  // mutex_
  uint64_t next_ = 0;                                // mutex_
  bool started_ = false;                             // mutex_
};

}  // namespace standstill
