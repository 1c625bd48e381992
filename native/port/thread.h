// Threads of the engine: named, with a stack of a chosen size, and blocked signals, so that a
// signal of the process is always taken by one of its own threads. SIGBUS alone is not blocked: a
// blocked one of a thread's own making ends the process (memory_loss.h).
//
// Threads: a Thread object belongs to one owner.
#pragma once

#include <pthread.h>
#include <cstddef>
#include <cstdint>

namespace standstill {

class Thread {
 public:
  Thread() = default;
  ~Thread();
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  // `name` is cut to 15 bytes. False where the machine refuses a thread.
  bool Start(const char* name, size_t stack_bytes, void (*function)(void*), void* argument);
  void Join();
  void Detach();
  bool joinable() const { return started_; }

 private:
  pthread_t handle_{};
  bool started_ = false;
};

// The kernel may otherwise delay this thread's timed waits by 50 µs to save wake-ups.
void UsePreciseTimers();

// Lets another thread that waits for this CPU go first.
void YieldCpu();

unsigned CpuCount();  // those this process may run on, at least 1

}  // namespace standstill
