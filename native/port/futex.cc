#include "port/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <climits>
#include <ctime>

namespace standstill {
namespace {

// The kernel takes the word's address; std::atomic<uint32_t> is that word and nothing else.
static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));

long Futex(const std::atomic<uint32_t>& word, int operation, uint32_t value,
           const timespec* timeout) {
  return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, timeout, nullptr, 0);
}

}  // namespace

bool FutexWait(const std::atomic<uint32_t>& word, uint32_t expected, int64_t timeout_ns) {
  timespec relative;
  const timespec* timeout = nullptr;
  if (timeout_ns != kNoTimeout) {
    relative = {.tv_sec = timeout_ns / 1'000'000'000, .tv_nsec = timeout_ns % 1'000'000'000};
    timeout = &relative;
  }
  return Futex(word, FUTEX_WAIT, expected, timeout) == 0 || errno != ETIMEDOUT;
}

void FutexWakeAll(const std::atomic<uint32_t>& word) {
  Futex(word, FUTEX_WAKE, INT_MAX, nullptr);
}

}  // namespace standstill
