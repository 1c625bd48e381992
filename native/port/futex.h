// Waiting on a 32-bit atomic word. The word itself carries all ordering; these only sleep and wake.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>

namespace standstill {

inline constexpr int64_t kNoTimeout = -1;

// Sleeps while `word` holds `expected`, until woken, until `timeout_ns` (relative) has passed, or
// for no reason at all: the caller looks at the word again. False on timeout.
bool FutexWait(const std::atomic<uint32_t>& word, uint32_t expected, int64_t timeout_ns);
void FutexWakeAll(const std::atomic<uint32_t>& word);

}  // namespace standstill
