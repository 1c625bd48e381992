// Assertions that stay on in every build: a broken invariant of the engine ends the process with
// its text and place rather than carrying on with memory that can no longer be trusted.
//
// Threads: callable from any. No state.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace standstill {

[[noreturn]] inline void CheckFailed(const char* text, const char* file, int line) {
  std::fprintf(stderr, "standstill: invariant broken: %s (%s:%d)\n", text, file, line);
  std::abort();
}

}  // namespace standstill

#define SS_CHECK(condition)                                                                      \
  (__builtin_expect(!(condition), 0) ? ::standstill::CheckFailed(#condition, __FILE__, __LINE__) \
                                     : (void)0)
