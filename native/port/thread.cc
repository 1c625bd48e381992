#include "port/thread.h"

#include <sched.h>
#include <sys/prctl.h>
#include <algorithm>
#include <csignal>
#include <cstring>
#include <new>

#include "util/check.h"

namespace standstill {
namespace {

struct Entry {
  void (*function)(void*);
  void* argument;
  char name[16];
};

void* Run(void* raw) {
  const Entry entry = *static_cast<Entry*>(raw);
  delete static_cast<Entry*>(raw);
  pthread_setname_np(pthread_self(), entry.name);
  entry.function(entry.argument);
  return nullptr;
}

}  // namespace

Thread::~Thread() {
  SS_CHECK(!started_);
}

bool Thread::Start(const char* name, size_t stack_bytes, void (*function)(void*), void* argument) {
  SS_CHECK(!started_);
  auto* entry = new (std::nothrow) Entry{function, argument, {}};
  if (entry == nullptr) return false;
  std::strncpy(entry->name, name, sizeof(entry->name) - 1);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, std::max<size_t>(stack_bytes, PTHREAD_STACK_MIN));
  sigset_t blocked;
  sigset_t before;
  sigfillset(&blocked);
  sigdelset(&blocked, SIGBUS);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  started_ = pthread_create(&handle_, &attributes, &Run, entry) == 0;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (!started_) delete entry;
  return started_;
}

void Thread::Join() {
  SS_CHECK(started_);
  pthread_join(handle_, nullptr);
  started_ = false;
}

void Thread::Detach() {
  SS_CHECK(started_);
  pthread_detach(handle_);
  started_ = false;
}

void UsePreciseTimers() {
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
}

void YieldCpu() {
  sched_yield();
}

unsigned CpuCount() {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0) return 1;
  return std::max(1, CPU_COUNT(&allowed));
}

}  // namespace standstill
