// The engine's own bounded pool for work that touches much memory, so that libuv's threads stay
// free for the patches' file access. One pool a process, a thread a CPU, started at first use and
// never destroyed: no engine global has a destructor that could run under a thread's feet at exit.
//
// Threads: any. Ordering: what was done before Submit or ParallelFor happens before the task; what
// a ParallelFor's body did happens before its return.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "port/thread.h"

namespace standstill {

class TaskPool {
 public:
  static constexpr unsigned kAllThreads = 0;

  static TaskPool& Get();

  unsigned threads() const { return threads_; }

  // Runs later on one of the pool's threads. The task must not wait for another one (ParallelFor,
  // which takes part itself, is safe anywhere). False where the machine refuses the pool's first
  // thread: the task will not run.
  [[nodiscard]] bool Submit(std::function<void()> task);

  // body(0) … body(count − 1), each once, on up to `threads` threads, the caller among them.
  void ParallelFor(uint64_t count, unsigned threads, const std::function<void(uint64_t)>& body);

 private:
  TaskPool();
  void Work();

  const unsigned threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> tasks_;  // mutex_
  unsigned started_ = 0;                     // mutex_
  unsigned idle_ = 0;                        // mutex_
};

}  // namespace standstill
